"""Words of the command line against positions of the master."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.cli.collecting.gridding import choose_grid
from filewatcher.cli.collecting.wishes import Wishes
from filewatcher.core.framemap import DataFile, FrameMap
from filewatcher.core.grid import Grid
from filewatcher.core.observations import Described, MasterFile, Positions
from filewatcher.errors import Refused

MASTER = MasterFile("/data/m.nxs", 1, 2, 3, 4)


def master(frames: int, positions: Positions | None = None) -> Described:
    frame_map = FrameMap((DataFile("/data/m_1.h5", "/data"),), np.zeros(frames, np.int32), np.arange(frames))
    return Described(MASTER, frame_map, 0.01, positions)


def moved(grid: Grid) -> Positions:
    """Where the sample goes on a grid of 20 x 10 um steps."""
    rows, columns = grid.cells(np.arange(len(grid)))
    return Positions(0.02 * columns - 0.1, 0.01 * rows + 0.3)


def wishes(**words: object) -> Wishes:
    return Wishes(Path("/data/m.nxs"), **words)  # type: ignore[arg-type]  # names of its fields


@given(
    st.integers(2, 9),
    st.integers(2, 9),
    st.booleans(),
    st.sampled_from(["top-left", "top-right", "bottom-left", "bottom-right"]),
)
def test_every_cell_stays_where_it_is_in_mm_whichever_corner_is_drawn_first(
    columns: int, rows: int, snaked: bool, start: str
) -> None:
    positions = moved(Grid(columns, rows, snaked=snaked))
    grid, warnings = choose_grid(wishes(start=start), master(columns * rows, positions))
    assert warnings == ()
    assert grid is not None
    assert grid.start == start
    x, y = grid.axes()
    cells = grid.cells(np.arange(len(grid)))
    np.testing.assert_allclose(x[cells[1]], positions.x, atol=1e-6)
    np.testing.assert_allclose(y[cells[0]], positions.y, atol=1e-6)


def test_positions_alone_are_enough() -> None:
    there = Grid(4, 3, snaked=True)
    grid, warnings = choose_grid(wishes(), master(12, moved(there)))
    assert (str(grid), warnings) == ("4x3", ())
    assert choose_grid(wishes(), master(12)) == (None, ())


@pytest.mark.parametrize("words", [{"grid": "3x4"}, {"grid": "4x3", "snaked": False}, {"orientation": "vertical"}])
def test_a_contradiction_is_said_and_drawn_as_asked(words: dict[str, object]) -> None:
    there = moved(Grid(4, 3, snaked=True))
    grid, (warning,) = choose_grid(wishes(**{"snaked": True, **words}), master(12, there))
    assert grid is not None
    assert grid.step is None
    assert "contradicts the positions in /data/m.nxs (4x3 horizontal snaked from top-left)" in warning


def test_snaked_must_be_known_unless_there_is_one_line() -> None:
    with pytest.raises(Refused, match="say --snaked or --no-snaked"):
        choose_grid(wishes(grid="4x3"), master(12))
    grid, _ = choose_grid(wishes(grid="12x1"), master(12))
    assert grid == Grid(12, 1, snaked=False)
    snaked, _ = choose_grid(wishes(grid="4x3"), master(12, moved(Grid(4, 3, snaked=True))))
    assert snaked is not None
    assert snaked.snaked


def test_words_without_a_shape_are_refused() -> None:
    with pytest.raises(Refused, match=r"--start needs --grid COLSxROWS: /data/m\.nxs has no positions"):
        choose_grid(wishes(start="top-right"), master(12))


def test_a_grid_of_another_size_names_both_numbers() -> None:
    with pytest.raises(Refused, match=r"grid 5x3 has 15 cells, but /data/m\.nxs has 12 frames"):
        choose_grid(wishes(grid="5x3", snaked=True), master(12))


def test_a_scan_longer_than_its_grid_needs_the_images_that_are_on_it() -> None:
    there = moved(Grid(4, 3, snaked=True))
    longer = Positions(np.append(there.x, [0.5, 0.6]), np.append(there.y, [0.9, 0.9]))
    with pytest.raises(Refused, match=r"grid 4x3 has 12 cells, but .* has 14 frames: .* --images 1-12"):
        choose_grid(wishes(grid="4x3", snaked=True), master(14, longer))
    with pytest.raises(Refused, match="has 14 frames"):
        choose_grid(wishes(grid="4x3", snaked=True, images="1-13"), master(14, longer))
    grid, warnings = choose_grid(wishes(grid="4x3", snaked=True, images="1-12"), master(14, longer))
    assert (grid, warnings) == (Grid(4, 3, snaked=True, step=(0.02, 0.01), origin=(-0.1, 0.3)), ())


def test_one_frame_for_several_cells() -> None:
    grid, _ = choose_grid(wishes(grid="12x3/3", snaked=True), master(12))
    assert grid == Grid(4, 3, snaked=True)
    with pytest.raises(Refused, match="grid 12x3: 5 cells per frame do not divide its lines of 12 cells"):
        choose_grid(wishes(grid="12x3/5", snaked=True), master(12))
