"""What is counted and listed of frames that real DIALS has analysed too."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.collector import Collector
from filewatcher.core.messages import Disagreement, FrameFailed, FrameMissing, FrameResult, Statistics
from filewatcher.core.verification import LISTED, verification

NUMBERS = Statistics(5, 4, 3, 2.5, -1.0, 1.5, 1.6, 0.1, 0.2, 99)
disagreements = st.lists(
    st.builds(Disagreement, st.sampled_from(["n_spots_total", "error"]), st.integers(0, 9), st.none()), max_size=9
).map(tuple)


@given(verdicts=st.dictionaries(st.integers(0, 199), st.none() | disagreements, max_size=60))
def test_every_verdict_counts_once_and_the_list_is_bounded(
    verdicts: dict[int, tuple[Disagreement, ...] | None],
) -> None:
    collector = Collector(200)
    for frame, verdict in verdicts.items():
        done = FrameResult(0, frame, NUMBERS, "native", 1, verdict)
        collector.record(done if frame % 3 else FrameFailed(0, frame, "flood", 1, verdict))
        collector.record(FrameResult(0, frame, NUMBERS, "native", 2, (Disagreement("n_spots_total", 1, 2),)))
    collector.record(FrameMissing(0, next(n for n in range(200) if n not in verdicts), "never came"))
    found = verification(7, collector.results().verified)
    assert found is not None
    given = {frame: verdict for frame, verdict in verdicts.items() if verdict is not None}
    assert (found.every, found.frames) == (7, len(given))
    assert found.disagreeing == sum(len(verdict) > 0 for verdict in given.values())
    everything = [(frame, one) for frame in sorted(given) for one in given[frame]]
    assert list(found.listed) == everything[:LISTED]


def test_nothing_is_said_where_nothing_was_asked() -> None:
    assert verification(None, {}) is None
    known = verification(None, {4: (Disagreement("error", None, "too many strong pixels"),)})
    assert known is not None
    assert known.line() == {
        "every": None,
        "frames": 1,
        "disagreeing": 1,
        "listed": [{"frame": 4, "file-number": 5, "number": "error", "ours": None, "dials": "too many strong pixels"}],
    }
