"""results.h5 is read again as it was written, and what is none is named."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filewatcher.core.grid import Corner, Grid, Orientation
from filewatcher.core.lines import frame_line, report_lines, summary_line
from filewatcher.core.messages import METRICS, FrameFailed, FrameMissing, FrameResult, State, Statistics
from filewatcher.core.picture import picture_of
from filewatcher.edges.output.h5 import write_results
from filewatcher.edges.output.stored import read_results
from filewatcher.errors import Refused
from tests.edges.test_output import report_of

if TYPE_CHECKING:
    from pathlib import Path

    from filewatcher.core.report import ScanReport


def stored(folder: Path, *reports: ScanReport) -> tuple[ScanReport, ...]:
    write_results(folder / "results.h5", *reports)
    return read_results((folder / "results.h5").read_bytes(), "results.h5")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stored")


@settings(max_examples=50)
@given(
    st.sampled_from([(6, 1), (1, 6), (3, 2), (2, 3)]),
    st.booleans(),
    st.sampled_from(get_args(Orientation)),
    st.sampled_from(get_args(Corner)),
    st.sampled_from([None, (0.02, -0.01)]),
    st.sampled_from([None, (1.0, 0.5)]),
)
def test_the_grid_comes_back(
    folder: Path,
    shape: tuple[int, int],
    snaked: bool,
    orientation: Orientation,
    start: Corner,
    step: tuple[float, float] | None,
    origin: tuple[float, float] | None,
) -> None:
    grid = Grid(*shape, snaked=snaked, orientation=orientation, start=start, step=step, origin=origin)
    (found,) = stored(folder, report_of(grid))
    assert found.grid == grid


@pytest.mark.parametrize("grid", [None, Grid(3, 2, snaked=True, step=(0.02, -0.01), origin=(1.0, 0.5))])
def test_everything_comes_back(tmp_path: Path, grid: Grid | None) -> None:
    first = report_of(grid, errors={1: "chunk is broken", 2: "data file never came"}, warnings=())
    second = replace(first, scan=1, master=replace(first.master, path="/data/other.nxs", size=7))
    for written, found in zip((first, second), stored(tmp_path, first, second), strict=True):
        for field in fields(written):
            before, after = getattr(written, field.name), getattr(found, field.name)
            if field.name == "values":
                for name in METRICS:
                    np.testing.assert_array_equal(before[name], after[name])
            elif field.name == "master":
                assert after == replace(before, device=0, inode=0)
            elif field.name != "times":
                assert np.array_equal(before, after), field.name
        assert list(map(json.dumps, report_lines(found))) == list(map(json.dumps, report_lines(written)))
        assert summary_line(found)["grid"] == summary_line(written)["grid"]


def test_lines_of_a_report_are_those_that_were_said(tmp_path: Path) -> None:
    (found,) = stored(tmp_path, report_of(errors={1: "chunk is broken", 2: "data file never came"}))
    done = [FrameResult(0, f, Statistics(n, n, n, n, d, d, d, d, d, n), "dials", a)
            for f, n, d, a in ((0, 10, 2.0, 1), (3, 40, 1.5, 1), (4, 3, -1.0, 2))]  # fmt: skip
    failed, missing = FrameFailed(0, 1, "chunk is broken", 3), FrameMissing(0, 2, "data file never came")
    said = [frame_line(outcome, "dials") for outcome in (done[0], failed, missing, done[1], done[2])]
    assert list(report_lines(found)) == said


def test_its_picture_knows_what_is_done(tmp_path: Path) -> None:
    (found,) = stored(tmp_path, report_of())
    picture = picture_of(found, "estimated_d_min")
    assert picture.known.tolist() == [[True, False, False], [False, True, True]]
    np.testing.assert_array_equal(picture.values, [[2.0, np.nan, np.nan], [np.nan, np.nan, 1.5]])
    (without,) = stored(tmp_path, report_of(None))
    with pytest.raises(Refused, match=r"xrc_209\.nxs: scan 0 has no grid; give --grid COLSxROWS when it is"):
        picture_of(without, "n_spots_total")


def test_a_file_cut_off_or_of_others_is_refused(tmp_path: Path) -> None:
    import h5py  # noqa: PLC0415  only here

    write_results(tmp_path / "results.h5", report_of())
    content = (tmp_path / "results.h5").read_bytes()
    for size in (0, 5, 100, 2000, len(content) // 2, len(content) - 100):
        with pytest.raises(Refused, match=r"^cut\.h5 is no"):
            read_results(content[:size], "cut.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["entry/data"] = 1
    with pytest.raises(Refused, match=r"other\.h5 is not a whole results\.h5 of filewatcher"):
        read_results((tmp_path / "other.h5").read_bytes(), "other.h5")
    assert read_results(content, "whole.h5")[0].states[0] == State.DONE
