from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.cells import HEADER, MAGIC, CellLog
from filewatcher.core.lines import frame_line, logged_line
from filewatcher.core.messages import METRICS, FrameFailed, FrameMissing, FrameResult, State, Statistics, numbers_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from filewatcher.core.messages import Outcome

NUMBERS = st.floats(-1.0, 1e6, width=32)
STATISTICS = st.builds(Statistics, *[st.integers(0, 10**6)] * 3, *[NUMBERS] * 6, st.integers(0, 10**6))


@st.composite
def outcomes(draw: st.DrawFn) -> list[Outcome]:
    """Some frames of a scan, each ending in its own way; some are told twice."""
    frames = draw(st.lists(st.integers(0, 60), max_size=60))
    found: list[Outcome] = []
    for frame in frames:
        kind = draw(st.integers(0, 2))
        if kind == 0:
            found.append(FrameResult(0, frame, draw(STATISTICS), "native", draw(st.integers(1, 3))))
        else:
            found.append(FrameFailed(0, frame, "broken") if kind == 1 else FrameMissing(0, frame, "late"))
    return found


class Viewer:
    """Reads messages as WIRE says, and nothing else."""

    def __init__(self) -> None:
        self.cursor = 0
        self.frames = 0
        self.cells: dict[int, tuple[int, NDArray[np.float32]]] = {}

    def take(self, message: bytes) -> None:
        magic, generation, since, version, n, frames = HEADER.unpack_from(message)
        assert (magic, generation, since, version - since) == (MAGIC, 5, self.cursor, n)
        place = HEADER.size
        numbers = np.frombuffer(message, "<u4", n, place)
        states = np.frombuffer(message, np.uint8, n, place + 4 * n)
        place += 4 * n + (n + 3) // 4 * 4
        values = np.frombuffer(message, "<f4", n * len(METRICS), place).reshape(len(METRICS), n)
        assert len(message) == place + 4 * n * len(METRICS)
        for i, frame in enumerate(numbers.tolist()):
            assert frame not in self.cells, "each frame is sent once"
            self.cells[frame] = int(states[i]), values[:, i]
        self.cursor, self.frames = version, frames


def first_of(said: Sequence[Outcome]) -> dict[int, Outcome]:
    kept: dict[int, Outcome] = {}
    for outcome in said:
        kept.setdefault(outcome.frame, outcome)
    return kept


@given(outcomes(), st.data())
def test_whoever_reads_on_knows_what_was_recorded_however_often_and_slowly(
    said: list[Outcome], data: st.DataObject
) -> None:
    log, viewer = CellLog(), Viewer()
    rest = list(said)
    while rest:
        n = data.draw(st.integers(1, len(rest)))
        log.record(rest[:n])
        rest = rest[n:]
        if data.draw(st.booleans()):
            viewer.take(log.message(5, viewer.cursor, data.draw(st.none() | st.integers(1, 7))))
    viewer.take(log.message(5, viewer.cursor))
    kept = first_of(said)
    assert sorted(viewer.cells) == sorted(kept)
    for frame, (state, values) in viewer.cells.items():
        outcome = kept[frame]
        if isinstance(outcome, FrameResult):
            assert state == State.DONE
            assert values.tolist() == np.array(numbers_of(outcome.statistics), np.float32).tolist()
        else:
            assert state == (State.FAILED if isinstance(outcome, FrameFailed) else State.MISSING)
            assert np.isnan(values).all()
    late = Viewer()
    late.take(log.message(5, 0))
    assert sorted(late.cells) == sorted(viewer.cells)
    assert sum(log.counts.values()) == log.version == len(kept)


@given(outcomes())
def test_lines_from_the_log_are_the_lines_that_were_told(said: list[Outcome]) -> None:
    log = CellLog(10)
    log.record(said)
    lines = [logged_line(0, row, "native", log.errors.get(row[0])) for row in log.rows()]
    told = [frame_line(outcome, "native") for outcome in first_of(said).values()]
    assert lines == told


def test_a_longer_scan_than_expected_makes_room() -> None:
    log = CellLog(3)
    log.record([FrameMissing(0, 5000, "late")])
    assert log.frames == 5001
    assert next(iter(log.rows()))[:2] == (5000, State.MISSING)
    assert log.message(5, 99) == HEADER.pack(MAGIC, 5, 1, 1, 0, 5001)
