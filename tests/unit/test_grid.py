"""Cells of a grid scan: a bijection, in the order that SynchWeb and dlstbx draw."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.grid import Corner, Grid, Orientation, parse
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

ORIENTATIONS: tuple[Orientation, ...] = get_args(Orientation)
CORNERS: tuple[Corner, ...] = get_args(Corner)

grids = st.builds(
    Grid,
    st.integers(1, 40),
    st.integers(1, 40),
    snaked=st.booleans(),
    orientation=st.sampled_from(ORIENTATIONS),
    start=st.sampled_from(CORNERS),
)


@given(grids)
def test_frames_and_cells_are_a_bijection(grid: Grid) -> None:
    frames = np.arange(len(grid))
    rows, columns = grid.cells(frames)
    assert rows.min() == columns.min() == 0
    assert (rows.max(), columns.max()) == (grid.rows - 1, grid.columns - 1)
    assert len(set(zip(rows.tolist(), columns.tolist(), strict=True))) == len(grid)
    assert np.array_equal(grid.frames(rows, columns), frames)


@given(grids)
def test_neighbours_touch_in_a_snake(grid: Grid) -> None:
    rows, columns = grid.cells(np.arange(len(grid)))
    moves = np.abs(np.diff(rows)) + np.abs(np.diff(columns))
    if grid.snaked:
        assert (moves == 1).all()
    else:
        # within a line they touch; between lines the motors fly back
        length = grid.columns if grid.orientation == "horizontal" else grid.rows
        assert (np.delete(moves, np.arange(length - 1, len(moves), length)) == 1).all()


@given(grids)
def test_first_frame_is_in_the_start_corner_and_runs_along_its_line(grid: Grid) -> None:
    row, column = grid.cell(0)
    assert row == (0 if grid.start.startswith("top") else grid.rows - 1)
    assert column == (0 if grid.start.endswith("left") else grid.columns - 1)
    if grid.orientation == "horizontal" and grid.columns > 1:
        assert grid.cell(1)[0] == row
    if grid.orientation == "vertical" and grid.rows > 1:
        assert grid.cell(1)[1] == column


@given(st.integers(1, 30), st.integers(1, 30), st.booleans(), st.data())
def test_top_left_is_the_formula_of_the_field(columns: int, rows: int, snaked: bool, data: st.DataObject) -> None:
    """SEMANTICS: ``y, x = divmod(k, nx)`` or ``x, y = divmod(k, ny)``, every second line reversed."""
    frame = data.draw(st.integers(0, columns * rows - 1))
    y, x = divmod(frame, columns)
    if snaked and y % 2:
        x = columns - 1 - x
    assert Grid(columns, rows, snaked=snaked).cell(frame) == (y, x)
    x, y = divmod(frame, rows)
    if snaked and x % 2:
        y = rows - 1 - y
    assert Grid(columns, rows, snaked=snaked, orientation="vertical").cell(frame) == (y, x)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("snaked", [False, True])
@pytest.mark.parametrize(
    ("start", "mirror"),
    [("top-right", np.fliplr), ("bottom-left", np.flipud), ("bottom-right", lambda a: a[::-1, ::-1])],
)
def test_other_corners_mirror_the_picture(
    orientation: Orientation, snaked: bool, start: Corner, mirror: Callable[[NDArray[np.int64]], NDArray[np.int64]]
) -> None:
    frames = np.arange(20)
    seen = Grid(5, 4, snaked=snaked, orientation=orientation, start=start).picture(frames, fill=-1)
    usual = Grid(5, 4, snaked=snaked, orientation=orientation).picture(frames, fill=-1)
    assert np.array_equal(seen, mirror(usual))


def test_pictures_of_the_module_docstring() -> None:
    frames = np.arange(12)
    vertical = Grid(4, 3, snaked=True, orientation="vertical", start="bottom-right")
    assert vertical.picture(frames, fill=-1).tolist() == [[9, 8, 3, 2], [10, 7, 4, 1], [11, 6, 5, 0]]
    plain = Grid(4, 3, snaked=False, orientation="vertical", start="bottom-right")
    assert plain.picture(frames, fill=-1).tolist() == [[11, 8, 5, 2], [10, 7, 4, 1], [9, 6, 3, 0]]


@given(grids, st.data())
def test_cells_without_a_frame_are_filled(grid: Grid, data: st.DataObject) -> None:
    chosen = sorted(data.draw(st.sets(st.integers(0, len(grid) - 1))))
    picture = grid.picture(np.asarray(chosen, dtype=np.float64), chosen)
    assert picture.shape == (grid.rows, grid.columns)
    assert np.isnan(picture).sum() == len(grid) - len(chosen)
    for frame in chosen:
        assert picture[grid.cell(frame)] == frame


def test_picture_keeps_the_dtype() -> None:
    grid = Grid(2, 2, snaked=False)
    states = grid.picture(np.array([1, 2], dtype=np.uint8), [0, 3], fill=255)
    assert states.dtype == np.uint8
    assert states.tolist() == [[1, 255], [255, 2]]
    with pytest.raises(ValueError, match="NaN"):
        grid.picture(np.array([1, 2]), [0, 3])


@pytest.mark.parametrize("frame", [-1, 240])
def test_frame_outside_is_an_error_not_another_cell(frame: int) -> None:
    with pytest.raises(IndexError, match=rf"frame {frame} is not in grid 30x8: its frames are 0 to 239"):
        Grid(30, 8, snaked=True).cells([0, frame])


@pytest.mark.parametrize(("row", "column"), [(-1, 0), (8, 0), (0, 30), (0, -1)])
def test_cell_outside_is_an_error(row: int, column: int) -> None:
    with pytest.raises(IndexError, match="is not in grid 30x8"):
        Grid(30, 8, snaked=True).frame(row, column)


def test_check_names_both_numbers_and_the_file() -> None:
    grid = Grid(30, 8, snaked=True)
    grid.check(240)
    with pytest.raises(Refused, match=r"grid 30x8 has 240 cells, but a\.nxs has 239 frames"):
        grid.check(239, "a.nxs")


@given(grids, st.integers(1, 6))
def test_a_frame_for_several_cells_lies_over_them(grid: Grid, together: int) -> None:
    """Frame k of the coarser scan is where frames k N to k N + N - 1 of the finer one are."""
    line = grid.columns if grid.orientation == "horizontal" else grid.rows
    placed = replace(grid, step=(0.02, -0.01), origin=(1.0, 2.0))
    if line % together:
        with pytest.raises(Refused, match=f"{together} cells per frame do not divide its lines of {line} cells"):
            placed.coarser(together)
        return
    coarse = placed.coarser(together)
    assert len(coarse) * together == len(grid)
    (fine_x, fine_y), (coarse_x, coarse_y) = placed.axes(), coarse.axes()
    rows, columns = placed.cells(np.arange(len(grid)))
    coarse_rows, coarse_columns = coarse.cells(np.arange(len(coarse)))
    x, y = fine_x[columns].reshape(-1, together).mean(axis=1), fine_y[rows].reshape(-1, together).mean(axis=1)
    np.testing.assert_allclose(coarse_x[coarse_columns], x)
    np.testing.assert_allclose(coarse_y[coarse_rows], y)


def test_a_longer_scan_is_told_how_to_leave_the_rest_out() -> None:
    with pytest.raises(Refused, match=r"has 250 frames: give .*, or --images 1-240 if the rest is not on the grid"):
        Grid(30, 8, snaked=True).check(250)


@given(grids)
def test_parse_reads_what_str_writes(grid: Grid) -> None:
    assert parse(str(grid), snaked=grid.snaked, orientation=grid.orientation, start=grid.start) == grid


@pytest.mark.parametrize("text", ["", "30", "30x", "x8", "30x8x2", "-3x8", "3.5x8", "30*8", "٣x٨", "1" * 5000 + "x1"])
def test_parse_refuses_what_is_no_shape(text: str) -> None:
    with pytest.raises(Refused, match="expected COLSxROWS"):
        parse(text, snaked=True)


def test_parse_refuses_wrong_words() -> None:
    with pytest.raises(Refused, match="at least 1 column"):
        parse("0x8", snaked=True)
    with pytest.raises(Refused, match="orientation 'diagonal': choose horizontal or vertical"):
        parse("30x8", snaked=True, orientation="diagonal")
    with pytest.raises(Refused, match="start 'middle': choose one of top-left, "):
        parse("30x8", snaked=True, start="middle")


@pytest.mark.parametrize("step", [(0.0, 0.02), (float("nan"), 0.02), (0.02, float("inf"))])
def test_a_step_of_nothing_is_refused(step: tuple[float, float]) -> None:
    with pytest.raises(Refused, match="grid step"):
        Grid(3, 3, snaked=True, step=step)


def test_axes_count_cells_where_the_step_is_unknown() -> None:
    x, y = Grid(3, 2, snaked=True, origin=(5.0, 5.0)).axes()
    assert x.tolist() == [0, 1, 2]
    assert y.tolist() == [0, 1]
