"""Answers while a scan runs: often enough, never too often, and right in the end."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.answers import APART, SHARE, Answer, Answers, answer_line
from filewatcher.core.centring import Centring, Centring3D, centre
from filewatcher.core.grid import Grid
from filewatcher.core.gridinfo import GridInfo
from filewatcher.core.messages import FrameFailed, FrameMissing, FrameResult, Outcome, Statistics
from filewatcher.core.picture import from_frames

GRID = Grid(4, 3, snaked=True, step=(0.02, 0.02))


def done(frame: int, spots: int, scan: int = 0) -> FrameResult:
    numbers = Statistics(spots, spots, 0, 1.0, -1.0, -1.0, -1.0, -1.0, -1.0, 9)
    return FrameResult(scan, frame, numbers, "dials")


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[float, Outcome]]:
    """When each frame's outcome comes, in any order, some of them repeated."""
    frames = draw(st.permutations([*range(12), *draw(st.lists(st.integers(0, 11), max_size=4))]))
    now, arriving = 0.0, []
    for frame in frames:
        now += draw(st.sampled_from([0.0, 0.001, 0.03, 0.09, 0.3]))
        kind = draw(st.sampled_from(["done", "done", "failed", "missing"]))
        outcome: Outcome = done(frame, draw(st.integers(0, 99)))
        if kind != "done":
            outcome = FrameFailed(0, frame, "bad") if kind == "failed" else FrameMissing(0, frame, "gone")
        arriving.append((now, outcome))
    return arriving


@given(arrivals(), st.sampled_from([0.0, 0.01, 0.05]))
def test_answers_are_paced_and_the_last_one_is_that_of_all_results(
    arriving: list[tuple[float, Outcome]], took: float
) -> None:
    ticks = itertools.count()
    answers = Answers("abc", (GridInfo(GRID),), clock=lambda: took * next(ticks))
    given_at: list[tuple[float, Answer]] = []
    first: dict[int, Outcome] = {}
    for now, outcome in arriving:
        is_new = outcome.frame not in first
        first.setdefault(outcome.frame, outcome)
        before = given_at[-1][0] if given_at else -1.0
        answers.record(outcome)
        said = answers.due(now, [len(first) == 12])
        assert said or not is_new or now - before < max(APART, took / SHARE) + 1e-9, "it was time"
        given_at += [(now, answer) for answer in said]
    assert [answer.final for _, answer in given_at] == [*[False] * (len(given_at) - 1), True]
    assert answers.due(1e9, [True]) == []
    times = [now for now, answer in given_at if not answer.final]
    assert all(b - a >= max(APART, took / SHARE) - 1e-9 for a, b in itertools.pairwise(times))
    versions = [answer.version for _, answer in given_at]
    assert versions == sorted(versions)
    assert versions[-1] == 12
    known = sorted((o for o in first.values() if isinstance(o, FrameResult)), key=lambda o: o.frame)
    values = np.array([float(o.statistics.n_spots_total) for o in known])
    expected = centre(from_frames(GRID, "n_spots_total", np.array([o.frame for o in known], np.int64), values))
    last = given_at[-1][1].centring
    assert isinstance(last, Centring)
    assert last.as_json() | {"version": 0} == expected.as_json() | {"version": 0}
    assert answers.final == [given_at[-1][1]]


def test_the_first_outcome_is_answered_at_once_and_nothing_twice() -> None:
    answers = Answers("abc", (GridInfo(GRID),), clock=lambda: 0.0)
    assert answers.due(5.0, [False]) == []
    answers.record(done(5, 40))
    (answer,) = answers.due(5.0, [False])
    assert answer_line(answer)["centring"] == answer.centring.as_json(region=False)  # type: ignore[call-arg]
    assert [answer_line(answer)[key] for key in ("type", "collection", "scan", "version", "final")] == [
        "centring",
        "abc",
        0,
        1,
        False,
    ]
    assert answers.due(6.0, [False]) == []


def test_a_scan_without_a_grid_has_no_answer() -> None:
    answers = Answers("abc", (None,), clock=lambda: 0.0)
    answers.record(done(0, 40))
    assert answers.due(1.0, [True]) == []


def test_a_frame_beyond_the_grid_is_no_part_of_it() -> None:
    answers = Answers("abc", (GridInfo(GRID),), clock=lambda: 0.0)
    answers.record(done(12, 40))
    (answer,) = answers.due(1.0, [True])
    assert answer.version == 0


def test_a_pair_is_answered_in_three_dimensions_when_both_have_ended() -> None:
    answers = Answers("abc", (GridInfo(GRID), GridInfo(Grid(4, 2, snaked=True))), clock=lambda: 0.0)
    for frame in range(12):
        answers.record(done(frame, 50 if frame == 5 else 0))
    assert [(a.scan, a.final) for a in answers.due(1.0, [True, False])] == [(0, True)]
    for frame in range(8):
        answers.record(done(frame, 50 if frame == 5 else 0, scan=1))
    second, both = answers.due(2.0, [True, True])
    assert (second.scan, second.final, both.scan, both.final) == (1, True, None, True)
    assert isinstance(both.centring, Centring3D)
    # frame 5 is row 1, column 2 in both: x is common
    assert [crystal.max_voxel for crystal in both.centring.crystals] == [(2, 1, 1)]
    assert answer_line(both)["centring"] == both.centring.as_json()


def test_grids_that_are_no_pair_are_said() -> None:
    answers = Answers("abc", (GridInfo(GRID), GridInfo(Grid(5, 2, snaked=True))), clock=lambda: 0.0)
    assert [a.scan for a in answers.due(2.0, [True, True])] == [0, 1]
    assert "x is common to both" in answers.problem
