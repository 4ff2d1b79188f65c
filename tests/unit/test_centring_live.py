"""A scan as it comes: right early."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from filewatcher.core.centring import Method, centre
from filewatcher.core.grid import Grid
from filewatcher.core.picture import LivePicture
from tests.unit.centring_scans import METHODS, outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray


def simulated(grid: Grid, seed: int) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Spots of a lens-shaped crystal of known place over a noisy background."""
    rng = np.random.default_rng(seed)
    place = rng.uniform((0.3, 0.25), (0.7, 0.35)) * (grid.columns, grid.rows)
    radii = rng.uniform((6, 4), (14, 9))
    rows, columns = grid.cells(np.arange(len(grid)))
    off = ((columns + 0.5 - place[0]) / radii[0]) ** 2 + ((rows + 0.5 - place[1]) / radii[1]) ** 2
    mean = 300 * np.clip(1 - off, 0, 1) ** 2 + 0.3
    return rng.poisson(mean).astype(float), (float(place[0]), float(place[1]))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(12))
def test_a_crystal_of_known_place_is_found_within_half_a_cell_before_60_percent(seed: int, method: Method) -> None:
    grid = Grid(86, 73, snaked=True)
    spots, place = simulated(grid, seed)
    rng = np.random.default_rng(100 + seed)
    fate = rng.choice([0, 1, 2], size=len(grid), p=[0.97, 0.02, 0.01])
    live = LivePicture(grid, "n_spots_total")
    right_from = None
    for frame in range(len(grid)):
        live.record(outcome(frame, spots[frame], int(fate[frame])))
        if frame % 86 == 85:
            found = centre(live.picture(), method)
            right = bool(found.crystals) and np.abs(np.subtract(found.crystals[0].centre, place)).max() <= 0.5
            right_from = (right_from or frame) if right else None
            # the rest could hold another crystal, and the answer says so
            assert found.doubt.settled is False or frame > 0.6 * len(grid)
    assert right_from is not None
    assert right_from < 0.6 * len(grid)


@pytest.mark.parametrize("frame", [-1, 6])
def test_a_frame_outside_is_an_error_not_another_cell(frame: int) -> None:
    live = LivePicture(Grid(3, 2, snaked=True), "n_spots_total")
    with pytest.raises(IndexError, match=f"frame {frame} is not in grid 3x2"):
        live.record(outcome(frame, 1.0, 0))
    assert live.version == 0
