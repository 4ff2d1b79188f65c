from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.collector import Collector
from filewatcher.core.messages import METRICS, FrameFailed, FrameMissing, FrameResult, Outcome, State, Statistics

FRAMES = 12


def result(frame: int, spots: int, attempts: int = 1) -> FrameResult:
    return FrameResult(
        0, frame, Statistics(spots, spots, 0, 10.0, 2.0, 2.1, 2.2, 0.1, 0.2, 3 * spots), "dials", attempts
    )


outcomes = st.one_of(
    st.builds(result, st.integers(0, FRAMES - 1), st.integers(0, 999), st.integers(1, 3)),
    st.builds(
        FrameFailed, st.just(0), st.integers(0, FRAMES - 1), st.sampled_from(["torn", "slow"]), st.integers(1, 3)
    ),
    st.builds(FrameMissing, st.just(0), st.integers(0, FRAMES - 1), st.just("never came")),
)


@given(st.lists(outcomes, max_size=60))
def test_the_first_outcome_of_a_frame_stays(given_outcomes: list[Outcome]) -> None:
    collector = Collector(FRAMES)
    first: dict[int, Outcome] = {}
    for outcome in given_outcomes:
        assert collector.record(outcome) is (outcome.frame not in first)
        first.setdefault(outcome.frame, outcome)
    results = collector.results()
    assert results.version == len(first)
    assert collector.repeated == len(given_outcomes) - len(first)
    for frame in range(FRAMES):
        ended = first.get(frame)
        spots = results.values["n_spots_total"][frame]
        if ended is None:
            assert results.states[frame] == State.WAITING
        elif isinstance(ended, FrameResult):
            assert results.states[frame] == State.DONE
            assert spots == ended.statistics.n_spots_total
            assert results.attempts[frame] == ended.attempts
            continue
        else:
            assert results.errors[frame] == ended.reason
        assert np.isnan(spots), "missing is not zero"
    for state in (State.DONE, State.FAILED, State.MISSING):
        assert collector.count(state) == np.count_nonzero(results.states == state)


@given(st.lists(outcomes, max_size=30, unique_by=lambda o: o.frame), st.randoms())
def test_order_does_not_matter(given_outcomes: list[Outcome], random: np.random.Generator) -> None:
    one, other = Collector(FRAMES), Collector(FRAMES)
    for outcome in given_outcomes:
        one.record(outcome)
    random.shuffle(given_outcomes)  # type: ignore[arg-type]
    for outcome in given_outcomes:
        other.record(outcome)
    a, b = one.results(), other.results()
    assert a.states.tolist() == b.states.tolist()
    assert dict(a.errors) == dict(b.errors)
    for name in METRICS:
        np.testing.assert_array_equal(a.values[name], b.values[name])


def test_a_snapshot_never_changes_and_is_made_once_per_version() -> None:
    collector = Collector(2)
    before = collector.results()
    assert collector.results() is before
    collector.record(result(1, 5))
    after = collector.results()
    assert (before.version, after.version) == (0, 1)
    assert before.states.tolist() == [0, 0]
    assert after.states.tolist() == [0, 1]


def test_a_scan_may_turn_out_longer() -> None:
    collector = Collector(1)
    collector.record(result(0, 7))
    collector.expect(3)
    collector.expect(2)
    assert collector.record(result(2, 8))
    values = collector.results().values["n_spots_total"]
    np.testing.assert_array_equal(values, [7, np.nan, 8])
    assert collector.waiting(1)
