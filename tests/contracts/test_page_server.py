"""The page's server in tests says the same bytes and lines as the real one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.cells import CellLog
from filewatcher.core.lines import logged_line
from filewatcher.core.messages import METRICS, FrameFailed, FrameMissing, FrameResult, State, Statistics
from filewatcher.testing.pageserver import Log

if TYPE_CHECKING:
    from filewatcher.core.messages import Outcome

NAN = [np.nan] * len(METRICS)
numbers = st.lists(st.floats(-1, 1e6, width=32), min_size=len(METRICS), max_size=len(METRICS))


@st.composite
def scans(draw: st.DrawFn) -> tuple[int, list[tuple[Outcome, int, list[float]]]]:
    """Frames of a scan, and how some of them end: as outcome, as state, as numbers."""
    frames = draw(st.integers(1, 20))
    ended = []
    for frame in draw(st.permutations(range(frames)))[: draw(st.integers(0, frames))]:
        match draw(st.integers(1, 3)):
            case 1:
                values = draw(numbers)
                ended.append((FrameResult(0, frame, Statistics(*values), "native"), 1, values))  # type: ignore[arg-type]
            case 2:
                ended.append((FrameFailed(0, frame, "no"), 2, NAN))  # type: ignore[arg-type]
            case _:
                ended.append((FrameMissing(0, frame, "never came"), 3, NAN))  # type: ignore[arg-type]
    return frames, ended  # type: ignore[return-value]


def told(scan: tuple[int, list[tuple[Outcome, int, list[float]]]]) -> tuple[CellLog, Log]:
    """Both servers, of the same scan."""
    frames, ended = scan
    real, ours = CellLog(frames), Log(frames)
    real.expect(frames)
    for outcome, state, values in ended:
        real.record([outcome])
        ours.record([outcome.frame], [state], np.array([values]))
    ours.errors = dict(real.errors)
    return real, ours


@given(scans(), st.integers(1, 2**32 - 1), st.data())
def test_the_bytes_of_cells_are_those_of_the_real_server(
    scan: tuple[int, list[tuple[Outcome, int, list[float]]]], generation: int, data: st.DataObject
) -> None:
    real, ours = told(scan)
    since = data.draw(st.integers(0, real.version))
    assert ours.message(generation, since) == real.message(generation, since)


@given(scans(), st.sets(st.sampled_from([State.DONE, State.FAILED, State.MISSING]), min_size=1), st.data())
def test_the_lines_of_frames_are_those_of_the_real_server(
    scan: tuple[int, list[tuple[Outcome, int, list[float]]]], states: set[State], data: st.DataObject
) -> None:
    real, ours = told(scan)
    since = data.draw(st.integers(0, real.version))
    lines = ours.lines(1, since, [state.word for state in states])
    said = [logged_line(1, row, "native", real.errors.get(row[0])) for row in real.rows(since, states=states)]
    assert lines == [{name: line[name] for name in ("type", "scan", "frame", "state", "error")} for line in said]
    assert len(lines) == np.isin(ours.state[since : ours.version], list(states)).sum()
