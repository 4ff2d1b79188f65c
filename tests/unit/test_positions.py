"""The grid that sample positions tell of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.grid import Grid
from filewatcher.core.positions import from_positions

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from filewatcher.core.grid import Orientation

steps = st.sampled_from([0.02, 0.005, -0.02, 0.1, 1.0])
places = st.floats(-5, 5).map(lambda v: round(v, 4))


def positions(grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the sample stands, frame by frame, mm."""
    rows, columns = grid.cells(np.arange(len(grid)))
    x, y = grid.axes()
    return x[columns], y[rows]


@given(
    st.integers(2, 30),
    st.integers(2, 30),
    st.booleans(),
    st.sampled_from(["horizontal", "vertical"]),
    st.tuples(steps, steps),
    st.tuples(places, places),
    st.integers(0, 2**32 - 1),
)
def test_grid_comes_back_from_its_noisy_positions(
    columns: int,
    rows: int,
    snaked: bool,
    orientation: Orientation,
    step: tuple[float, float],
    origin: tuple[float, float],
    seed: int,
) -> None:
    grid = Grid(columns, rows, snaked=snaked, orientation=orientation, step=step, origin=origin)
    rng = np.random.default_rng(seed)
    x, y = (exact + 0.08 * min(map(abs, step)) * rng.uniform(-1, 1, len(grid)) for exact in positions(grid))
    found = from_positions(x, y)
    assert found is not None
    assert (found.columns, found.rows, found.snaked) == (columns, rows, snaked)
    assert (found.orientation, found.start) == (orientation, "top-left")
    assert found.step is not None
    assert found.origin is not None
    assert np.allclose(found.step, step, rtol=0.17)
    assert np.allclose(found.origin, origin, atol=0.2 * max(map(abs, step)))


def test_first_frame_is_top_left_whatever_corner_it_was_scanned_from() -> None:
    grid = Grid(4, 3, snaked=True, start="bottom-right", step=(0.02, 0.01), origin=(0.0, 0.0))
    found = from_positions(*positions(grid))
    assert found == Grid(4, 3, snaked=True, step=(-0.02, -0.01), origin=(0.06, 0.02))


@pytest.mark.parametrize(("dx", "dy"), [(0.02, 0.0), (0.0, 0.02), (-0.02, 0.0)])
def test_a_line_is_a_grid_of_one_row_or_column(dx: float, dy: float) -> None:
    along = np.arange(19)
    found = from_positions(dx * along, 1.0 + dy * along)
    assert found is not None
    assert (found.columns, found.rows) == ((19, 1) if dx else (1, 19))
    assert found.step == ((dx or 0.02), (dy or 0.02))
    assert found.cell(18) == ((0, 18) if dx else (18, 0))


NOISE = np.random.default_rng(1).normal(0, 1e-4, 200)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        pytest.param(np.full(20, 0.3), np.full(20, 0.1), id="constant"),
        pytest.param(NOISE, NOISE[::-1], id="readback noise of a sample at rest"),
        pytest.param(np.arange(10) * 0.02, np.arange(10) * 0.02, id="diagonal"),
        pytest.param(np.array([0.3]), np.array([0.1]), id="one frame"),
        pytest.param(np.array([]), np.array([]), id="no frame"),
        pytest.param(np.arange(5) * 0.02, np.zeros(4), id="unequal lengths"),
        pytest.param(np.array([0.0, np.nan, 0.04]), np.zeros(3), id="not a number"),
        pytest.param(np.tile(np.arange(5), 4)[:-1] * 0.02, np.repeat(np.arange(4), 5)[:-1] * 0.02, id="last row short"),
        pytest.param(np.tile(np.arange(5), 4) * 0.02, np.zeros(20), id="the same line again and again"),
        pytest.param(np.cos(np.arange(40) / 5), np.sin(np.arange(40) / 5), id="circle"),
        pytest.param(np.random.default_rng(2).uniform(0, 1, 100), np.zeros(100), id="anywhere"),
    ],
)
def test_what_is_no_grid_is_none(x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    assert from_positions(x, y) is None


@pytest.mark.data
def test_real_master_of_a_grid_scan(test_data: Path) -> None:
    """Diamond I03, 30 x 8 cells of 20 um, snaked."""
    with h5py.File(test_data / "masters" / "xrc_209_master.h5", "r", locking=False) as master:
        x = master["/entry/sample/sample_x/sam_x"][()]
        y = master["/entry/sample/sample_y/sam_y"][()]
    found = from_positions(x, y)
    assert found is not None
    assert (found.columns, found.rows, found.orientation) == (30, 8, "horizontal")
    assert found.snaked
    assert found.step == (0.02, 0.02)
    assert found.origin == pytest.approx((0.0694439, -0.3751945), abs=1e-6)
    assert found.cell(30) == (1, 29)
    assert np.allclose(np.stack(positions(found)), np.stack([x, y]), atol=1e-6)


@pytest.mark.data
def test_real_line_scan(test_data: Path) -> None:
    """Diamond I24: a vertical line of 19 stills."""
    with h5py.File(test_data / "i24_thaumatin_grid" / "thau_3_2.nxs", "r", locking=False) as master:
        place = master["/entry/sample/transformations"]
        found = from_positions(np.broadcast_to(place["sam_x"][()], 19), place["sam_y"][()])
    assert found is not None
    assert (found.columns, found.rows) == (1, 19)
