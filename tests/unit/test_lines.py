"""The JSON lines: keys exactly as documented, null where nothing is known."""

from __future__ import annotations

import json
import math
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.grid import Grid
from filewatcher.core.lines import FRAME_KEYS, frame_line, summary_line, to_json
from filewatcher.core.messages import METRICS, FrameFailed, FrameMissing, FrameResult, State, Statistics
from filewatcher.core.observations import MasterFile
from filewatcher.core.report import ESTIMATED, ScanReport

if TYPE_CHECKING:
    from filewatcher.core.messages import Outcome

STATISTICS = Statistics(405, 380, 354, 22808.0, 1.8, 2.1, 2.2, 0.02, 0.08, 5548)


def report_of(states: list[int], grid: Grid | None = None) -> ScanReport:
    """Scan of which every done frame has its position as every value."""
    place = np.arange(len(states), dtype=np.float64)
    done = np.asarray(states) == State.DONE
    return ScanReport(
        collection="xrc_209",
        scan=0,
        master=MasterFile("/data/xrc_209_master.h5", 1, 2, 3, 4),
        expected=len(states),
        frames=np.arange(len(states)),
        states=np.asarray(states, dtype=np.uint8),
        values={name: np.where(done, place, np.nan) for name in METRICS},
        errors={},
        attempts=np.ones(len(states), dtype=np.int64),
        engine="dials",
        grid=grid,
    )


def test_line_of_a_result() -> None:
    line = frame_line(FrameResult(0, 0, STATISTICS, "native"))
    assert json.dumps(line) == (
        '{"type": "frame", "scan": 0, "frame": 0, "file-number": 1, "state": "done", "n_spots_total": 405, '
        '"n_spots_no_ice": 380, "n_spots_4A": 354, "total_intensity": 22808.0, "estimated_d_min": 1.8, '
        '"d_min_distl_method_1": 2.1, "d_min_distl_method_2": 2.2, "noisiness_method_1": 0.02, '
        '"noisiness_method_2": 0.08, "n_strong_pixels": 5548, "engine": "native", "attempts": 1, "error": null}'
    )


@pytest.mark.parametrize(
    ("outcome", "state", "engine", "attempts"),
    [
        (FrameFailed(1, 7, "chunk is broken", attempts=3), "failed", "dials", 3),
        (FrameMissing(1, 7, "file never came"), "missing", None, 0),
    ],
)
def test_line_of_a_frame_without_result(outcome: Outcome, state: str, engine: str | None, attempts: int) -> None:
    line = frame_line(outcome, engine="dials")
    assert tuple(line) == FRAME_KEYS
    assert (line["scan"], line["frame"], line["file-number"], line["state"]) == (1, 7, 8, state)
    assert {line[name] for name in METRICS} == {None}
    assert (line["engine"], line["attempts"]) == (engine, attempts)
    assert line["error"] in {"chunk is broken", "file never came"}


def test_too_few_spots_stay_in_the_record() -> None:
    few = Statistics(3, 3, 1, 90.0, -1.0, -1.0, -1.0, -1.0, -1.0, 21)
    line = frame_line(FrameResult(0, 4, few, "dials"))
    assert [line[name] for name in METRICS if name in ESTIMATED] == [-1.0] * 5


def test_number_that_is_none_is_null() -> None:
    odd = Statistics(3, 3, 1, math.nan, math.inf, -1.0, -1.0, -1.0, -1.0, 21)
    line = frame_line(FrameResult(0, 4, odd, "dials"))
    assert line["total_intensity"] is None
    assert line["estimated_d_min"] is None


def test_summary_counts_what_the_states_say() -> None:
    grid = Grid(3, 2, snaked=True, step=(0.02, 0.02))
    line = summary_line(report_of([1, 1, 2, 3, 3, 0], grid))
    assert list(line) == [
        "type", "scan", "collection", "master", "expected", "done", "failed", "missing",
        "grid", "centring", "engine", "engine_reason", "verification", "parameters", "versions", "times",
    ]  # fmt: skip
    assert (line["expected"], line["done"], line["failed"], line["missing"]) == (6, 2, 1, 2)
    assert line["grid"] == {
        "columns": 3,
        "rows": 2,
        "orientation": "horizontal",
        "snaked": True,
        "start": "top-left",
        "step_mm": [0.02, 0.02],
        "origin_mm": None,
    }
    assert summary_line(report_of([1]))["grid"] is None


def test_best_is_the_highest_count_and_the_lowest_resolution() -> None:
    report = report_of([0, 1, 3, 1, 2])
    assert report.best("n_spots_total") == 3
    assert report.best("estimated_d_min") == 1
    assert report_of([3, 3]).best("n_spots_total") is None


def test_too_few_spots_are_unknown_and_never_the_best() -> None:
    report = report_of([1, 1, 1])
    values = dict(report.values) | {"estimated_d_min": np.array([-1.0, 2.0, 3.0])}
    report = ScanReport(**{name: getattr(report, name) for name in ScanReport.__slots__} | {"values": values})
    assert np.isnan(report.known("estimated_d_min")).tolist() == [True, False, False]
    assert report.best("estimated_d_min") == 1


def test_a_value_of_a_frame_that_is_not_done_is_unknown() -> None:
    """Whatever the array holds: missing is not zero."""
    report = report_of([1, 3])
    values = {name: np.zeros(2) for name in METRICS}
    report = ScanReport(**{name: getattr(report, name) for name in ScanReport.__slots__} | {"values": values})
    assert np.isnan(report.known("n_spots_total")).tolist() == [False, True]


def test_report_refuses_arrays_that_do_not_belong_together() -> None:
    report = report_of([1, 1])
    fields = {name: getattr(report, name) for name in ScanReport.__slots__}
    with pytest.raises(ValueError, match=r"attempts has shape \(3,\), frames \(2,\)"):
        ScanReport(**fields | {"attempts": np.ones(3, dtype=np.int64)})


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.floats().map(np.float64),
    lambda items: st.lists(items) | st.dictionaries(st.text(), items) | st.tuples(items, items),
)


@given(anything)
def test_whatever_comes_is_strict_json(value: object) -> None:
    text = json.dumps(to_json(value), allow_nan=False)
    assert json.loads(text) == to_json(value)


def test_what_json_does_not_know() -> None:
    assert to_json(np.array([1.5, math.nan])) == [1.5, None]
    assert to_json({3, 1, 2}) == [1, 2, 3]
    assert to_json(PurePosixPath("/data/x.nxs")) == "/data/x.nxs"
