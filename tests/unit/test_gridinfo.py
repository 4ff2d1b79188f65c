"""Rows of ISPyB's GridInfo: numbers as floats and words, flags in any dress."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.grid import Grid
from filewatcher.core.gridinfo import GridInfo, Snapshot
from filewatcher.errors import Refused

ROW: dict[str, Any] = {
    "steps_x": 14.0, "steps_y": 11.0, "dx_mm": 0.02, "dy_mm": 0.01, "snaked": 1, "orientation": "horizontal",
    "micronsPerPixelX": 0.5, "micronsPerPixelY": 0.4, "snapshot_offsetXPixel": 396.2, "snapshot_offsetYPixel": 241.2,
    "gridInfoId": 1337162, "meshAngle": None, "patchesX": 1,
}  # fmt: skip


def test_a_row_as_the_database_gives_it() -> None:
    info = GridInfo.parse(ROW)
    assert info.grid == Grid(14, 11, snaked=True, step=(0.02, 0.01))
    assert info.snapshot == Snapshot((396.2, 241.2), (0.5, 0.4))
    assert info.snapshot.box_size((0.02, 0.01)) == (40.0, 25.0)


@pytest.mark.parametrize(
    ("word", "snaked"),
    [(1, True), (0, False), (1.0, True), ("1", True), ("0", False), (True, True), ("true", True), (" False ", False),
     ("Y", True), ("no", False)],
)  # fmt: skip
def test_flags(word: object, snaked: bool) -> None:
    assert GridInfo.parse(ROW | {"snaked": word}).grid.snaked is snaked


def test_words_for_numbers_and_capitals() -> None:
    info = GridInfo.parse(
        ROW | {"steps_x": "14.0", "dx_mm": " 2e-2", "orientation": "VERTICAL", "start": "Bottom-Left"}
    )
    assert info.grid == Grid(14, 11, snaked=True, orientation="vertical", start="bottom-left", step=(0.02, 0.01))


def test_before_schema_5_microns_per_pixel_had_the_other_name() -> None:
    old = ROW | {"micronsPerPixelX": None, "micronsPerPixelY": None, "pixelsPerMicronX": 0.5, "pixelsPerMicronY": 0.4}
    assert GridInfo.parse(old) == GridInfo.parse(ROW)


def test_what_is_not_said_is_not_known() -> None:
    info = GridInfo.parse({"steps_x": 3, "steps_y": 2, "snaked": 0})
    assert info == GridInfo(Grid(3, 2, snaked=False), None)


def test_one_frame_for_several_cells_is_said() -> None:
    info = GridInfo.parse(ROW | {"cells_per_frame": 7})
    assert (info.grid.columns, info.grid.rows) == (2, 11)
    assert info.grid.step == pytest.approx((0.14, 0.01))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"steps_x": 14.5}, "steps_x is 14.5: expected a whole number from 1"),
        ({"steps_x": None}, "steps_x is None: expected a whole number from 1"),
        ({"steps_y": 0}, "steps_y is 0: expected"),
        ({"steps_y": "many"}, "steps_y is 'many': expected a number"),
        ({"steps_y": 10**400}, "steps_y is 1000"),
        ({"steps_y": [1]}, r"steps_y is \[1\]: expected a number"),
        ({"snaked": None}, "snaked is None: expected 0 or 1"),
        ({"snaked": 2}, "snaked is 2: expected 0 or 1"),
        ({"orientation": "diagonal"}, "orientation 'diagonal': choose horizontal or vertical"),
        ({"start": "middle"}, "start 'middle': choose one of top-left, "),
        ({"dy_mm": None}, "it has dx_mm without dy_mm: give both or neither"),
        ({"dx_mm": 0}, r"grid step \(0.0, 0.01\)"),
        ({"dx_mm": float("nan")}, "dx_mm is nan: expected a number"),
        ({"micronsPerPixelX": 0}, "micronsPerPixel is"),
        ({"cells_per_frame": 3}, "3 cells per frame do not divide its lines of 14 cells"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], says: str) -> None:
    with pytest.raises(Refused, match=f"scan 0: .*{says}"):
        GridInfo.parse(ROW | change, "scan 0")


anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)


@given(st.dictionaries(st.sampled_from(sorted(ROW)), anything))
def test_any_row_is_read_or_refused(change: dict[str, Any]) -> None:
    try:
        info = GridInfo.parse(ROW | change)
    except Refused:
        return
    assert len(info.grid) >= 1
