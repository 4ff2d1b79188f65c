"""The output folder: what NeXus readers and people find in it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from filewatcher.core.grid import Grid
from filewatcher.core.lines import FRAME_KEYS
from filewatcher.core.messages import METRICS, State
from filewatcher.core.observations import MasterFile
from filewatcher.core.report import ESTIMATED, ScanReport
from filewatcher.edges.output import write_all
from filewatcher.edges.output.h5 import NOT_SELECTED, write_results
from filewatcher.edges.output.jsonfile import write_json
from filewatcher.edges.output.replace import replacing
from filewatcher.errors import Broken

if TYPE_CHECKING:
    from pathlib import Path

GRID = Grid(3, 2, snaked=True, step=(0.02, -0.01), origin=(1.0, 0.5))


def report_of(grid: Grid | None = GRID, **changes: Any) -> ScanReport:
    """Six frames in every state; frame 4 has too few spots to say more."""
    states = np.array([State.DONE, State.FAILED, State.MISSING, State.DONE, State.DONE, State.WAITING], dtype=np.uint8)
    spots = np.array([10.0, np.nan, np.nan, 40.0, 3.0, np.nan])
    few = np.array([2.0, np.nan, np.nan, 1.5, -1.0, np.nan])
    fields: dict[str, Any] = {
        "collection": "xrc_209",
        "scan": 0,
        "master": MasterFile("/data/xrc_209.nxs", 1, 2, 12345, 1_700_000_000_123_456_789),
        "expected": 6,
        "frames": np.arange(6),
        "states": states,
        "values": {name: few if name in ESTIMATED else spots for name in METRICS},
        "errors": {1: "chunk is broken: 0\x00 bytes", 2: "data file never came"},
        "attempts": np.array([1, 3, 0, 1, 2, 0]),
        "engine": "dials",
        "grid": grid,
        "parameters": {"d_max": 40.0, "d_min": None},
        "versions": {"filewatcher": "0.1.0"},
        "times": {"first_result": float("nan")},
        "warnings": ("no mask",),
    }
    return ScanReport(**fields | changes)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def default_plot(file: h5py.File) -> h5py.Group:
    """Follow ``default`` from the root, as silx and h5web do."""
    group: Any = file
    while group.attrs["NX_class"] != "NXdata":
        group = group[group.attrs["default"]]
    return group


def test_frames_hold_the_json_lines(tmp_path: Path) -> None:
    write_results(tmp_path / "results.h5", report_of())
    with h5py.File(tmp_path / "results.h5") as file:
        frames = file["/entry/scan_0/frames"]
        assert set(frames) == set(FRAME_KEYS)
        assert {dataset.shape for dataset in frames.values()} == {(6,)}
        assert frames["file-number"][()].tolist() == [1, 2, 3, 4, 5, 6]
        assert frames["state"].dtype == np.uint8
        assert [frames["state"].attrs["names"][code] for code in frames["state"][()]] == [
            "done", "failed", "missing", "done", "done", "waiting",
        ]  # fmt: skip
        assert np.array_equal(frames["n_spots_total"], [10, np.nan, np.nan, 40, 3, np.nan], equal_nan=True)
        assert np.array_equal(frames["estimated_d_min"], [2, np.nan, np.nan, 1.5, -1, np.nan], equal_nan=True)
        assert frames["estimated_d_min"].attrs["units"] == "angstrom"
        assert frames["attempts"][()].tolist() == [1, 3, 0, 1, 2, 0]
        assert frames["engine"].asstr()[()].tolist() == ["dials", "dials", "", "dials", "dials", ""]
        assert frames["error"].asstr()[1:3].tolist() == ["chunk is broken: 0\\0 bytes", "data file never came"]


def test_grid_is_the_default_plot_as_seen(tmp_path: Path) -> None:
    write_results(tmp_path / "results.h5", report_of())
    with h5py.File(tmp_path / "results.h5") as file:
        grid = default_plot(file)
        assert grid.name == "/entry/scan_0/grid"
        signal, axes = grid[grid.attrs["signal"]], [grid[name] for name in grid.attrs["axes"]]
        assert signal.name.endswith("/n_spots_total")
        assert signal.shape == tuple(len(axis) for axis in axes) == (2, 3)
        # snaked: frame 3 is below frame 2, frame 5 below frame 0
        assert np.array_equal(signal, [[10, np.nan, np.nan], [np.nan, 3, 40]], equal_nan=True)
        assert np.array_equal(grid["state"], [[1, 2, 3], [0, 1, 1]])
        assert np.array_equal(grid["estimated_d_min"], [[2, np.nan, np.nan], [np.nan, np.nan, 1.5]], equal_nan=True)
        assert set(METRICS) == {"n_spots_total", *grid.attrs["auxiliary_signals"]}
        assert np.allclose(axes[0], [0.5, 0.49])
        assert np.allclose(axes[1], [1.0, 1.02, 1.04])
        assert {axis.attrs["units"] for axis in axes} == {"mm"}


def test_selection_leaves_cells_that_say_so(tmp_path: Path) -> None:
    chosen = np.array([0, 2, 5])
    whole = report_of()
    report = report_of(
        expected=3,
        frames=chosen,
        states=whole.states[chosen],
        values={name: values[chosen] for name, values in whole.values.items()},
        errors={1: "data file never came"},
        attempts=whole.attempts[chosen],
    )
    write_all(tmp_path, report)
    with h5py.File(tmp_path / "results.h5") as file:
        assert file["/entry/scan_0/frames/file-number"][()].tolist() == [1, 3, 6]
        state = file["/entry/scan_0/grid/state"]
        assert state[()].tolist() == [[1, NOT_SELECTED, 3], [0, NOT_SELECTED, NOT_SELECTED]]
        assert state.attrs["not_selected"] == NOT_SELECTED


def test_scan_without_grid_opens_with_a_curve(tmp_path: Path) -> None:
    write_results(tmp_path / "results.h5", report_of(grid=None))
    with h5py.File(tmp_path / "results.h5") as file:
        assert "grid" not in file["/entry/scan_0"]
        plot = default_plot(file)
        assert len(plot[plot.attrs["signal"]]) == len(plot[plot.attrs["axes"][0]]) == 6
        assert plot["n_spots_total"] == file["/entry/scan_0/frames/n_spots_total"]


def test_process_says_how_the_numbers_came_about(tmp_path: Path) -> None:
    write_results(tmp_path / "results.h5", report_of(), report_of(grid=None, scan=1))
    with h5py.File(tmp_path / "results.h5") as file:
        process = file["/entry/process"]
        assert process.attrs["NX_class"] == "NXprocess"
        assert process["engine"].asstr()[()] == "dials"
        assert json.loads(process["parameters"][()]) == {"d_max": 40.0, "d_min": None}
        assert json.loads(process["versions"][()]) == {"filewatcher": "0.1.0"}
        assert json.loads(process["times"][()]) == {"first_result": None}
        assert json.loads(process["warnings"][()]) == ["no mask", "no mask"]
        masters = process["masters"]
        assert masters["path"].asstr()[()].tolist() == ["/data/xrc_209.nxs"] * 2
        assert masters["size"][()].tolist() == [12345, 12345]
        assert masters["mtime"][0] == 1_700_000_000_123_456_789
        assert set(file["/entry"]) == {"title", "process", "scan_0", "scan_1"}
        assert file["/entry/scan_1/frames/scan"][()].tolist() == [1] * 6


def test_folder_holds_what_belongs_to_the_scan(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "here"
    write_all(folder, report_of(grid=None))
    assert names_in(folder) == ["results.h5", "spots.png", "summary.json"]
    write_all(folder, report_of())
    assert names_in(folder) == ["Dials5AResults.json", "cells.png", "heatmap.png", "results.h5", "summary.json"]
    write_all(folder, report_of(grid=None))
    assert names_in(folder) == ["results.h5", "spots.png", "summary.json"]
    write_all(folder, report_of())
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["done"], summary["failed"], summary["missing"]) == (3, 1, 1)
    assert summary["times"] == {"first_result": None}


def test_name_that_is_no_text_is_written_all_the_same(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9 $x_{y$ \xe2\x84\xab")
    master = MasterFile(f"/data/{name}.nxs", 1, 2, 3, 4)
    for grid in (GRID, None):
        write_all(tmp_path, report_of(grid=grid, collection=name, master=master))
    assert json.loads((tmp_path / "summary.json").read_text())["master"] == master.path


def test_empty_scan_is_written(tmp_path: Path) -> None:
    none = np.zeros(0)
    report = report_of(
        grid=None,
        expected=0,
        frames=none.astype(np.int64),
        states=none.astype(np.uint8),
        values=dict.fromkeys(METRICS, none),
        errors={},
        attempts=none.astype(np.int64),
    )
    write_all(tmp_path, report)
    assert json.loads((tmp_path / "summary.json").read_text())["expected"] == 0


def test_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    write_json(path, {"done": 1})

    def fail_half_way() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            assert json.loads(path.read_text()) == {"done": 1}
            raise KeyError

    with pytest.raises(KeyError):
        fail_half_way()
    assert json.loads(path.read_text()) == {"done": 1}
    assert names_in(tmp_path) == ["summary.json"]


def test_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Broken, match=r"file/results cannot be made: Not a directory; choose another --output"):
        write_all(tmp_path / "file" / "results", report_of())
    with pytest.raises(Broken, match=r"gone/results\.h5 cannot be written: .*; free the place or choose another"):
        write_results(tmp_path / "gone" / "results.h5", report_of())
    with pytest.raises(Broken, match=r"gone/s\.json cannot be written: No such file"):
        write_json(tmp_path / "gone" / "s.json", {})
