"""``--gridinfo``: the grid and where it lies, as ISPyB has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from filewatcher.cli.collecting.gridding import checked_words, choose_gridinfo
from filewatcher.cli.collecting.wishes import Wishes
from filewatcher.core.framemap import DataFile, FrameMap
from filewatcher.core.observations import Described, MasterFile
from filewatcher.errors import Refused

ROW = {"steps_x": 3.0, "steps_y": 2, "snaked": "1", "dx_mm": 0.02, "dy_mm": 0.02, "orientation": "vertical"}
VIEW = {
    "snapshot_offsetXPixel": 10,
    "snapshot_offsetYPixel": 20,
    "micronsPerPixelX": 0.5,
    "micronsPerPixelY": 0.5,
}


def described(frames: int, scan: int = 0) -> Described:
    frame_map = FrameMap((DataFile("/data/m_1.h5", "/data"),), np.zeros(frames, np.int32), np.arange(frames))
    return Described(MasterFile("/data/m.nxs", 1, 2, 3, 4), frame_map, 0.01, None, scan=scan)


def wishes(path: Path, content: object, **more: Any) -> Wishes:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return Wishes(Path("/data/m.nxs"), gridinfo=path, **more)


def test_grid_and_snapshot_are_those_of_the_row(tmp_path: Path) -> None:
    wish = wishes(tmp_path / "g.json", ROW | VIEW)
    checked_words(wish)
    info, warnings = choose_gridinfo(wish, described(6))
    assert info is not None
    assert (str(info.grid), info.grid.orientation, info.grid.snaked) == ("3x2", "vertical", True)
    assert info.snapshot is not None
    assert info.snapshot.pixel((0.5, 0.5), (0.02, 0.02)) == (30.0, 40.0)
    assert warnings == ()


def test_two_masters_have_a_row_each(tmp_path: Path) -> None:
    wish = wishes(tmp_path / "g.json", [ROW, ROW | {"steps_y": 5}], others=(Path("/data/n.nxs"),))
    checked_words(wish)
    info, _ = choose_gridinfo(wish, described(15, scan=1))
    assert str(info and info.grid) == "3x5"


def test_a_grid_of_another_size_is_refused_with_both_numbers(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"grid 3x2 has 6 cells, but /data/m\.nxs has 7 frames"):
        choose_gridinfo(wishes(tmp_path / "g.json", ROW), described(7))


@pytest.mark.parametrize(
    ("content", "more", "says"),
    [
        ("{", {}, "is no JSON"),
        ([ROW, ROW], {}, "expected 1 object with steps_x"),
        (3, {}, "expected 1 object with steps_x"),
        (ROW | {"snaked": "maybe"}, {}, "snaked is 'maybe'"),
        (ROW, {"grid": "3x2"}, "--grid and --gridinfo .* both say"),
        (ROW, {"snaked": True}, "--snaked and --gridinfo .* both say"),
    ],
)
def test_what_is_no_row_is_refused(tmp_path: Path, content: object, more: dict[str, Any], says: str) -> None:
    with pytest.raises(Refused, match=says):
        checked_words(wishes(tmp_path / "g.json", content, **more))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"--gridinfo .*none\.json cannot be read"):
        checked_words(Wishes(Path("/data/m.nxs"), gridinfo=tmp_path / "none.json"))
