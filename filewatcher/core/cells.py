"""What viewers are sent of a scan: every frame that has ended, in the order in which they did.

The log only grows, and each frame is in it once. A viewer is a cursor into it: whoever is slow gets more at a time,
whoever was away goes on where it was, and from 0 it is all that there is.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from filewatcher.core.messages import METRICS, FrameFailed, FrameMissing, FrameResult, State, numbers_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from filewatcher.core.messages import Outcome
    from filewatcher.core.report import ScanReport

Row: TypeAlias = tuple[int, State, int, tuple[float, ...]]
"""(frame, state, attempts, numbers as `METRICS`)."""
HEADER = struct.Struct("<4sIQQII")
"""Magic, generation, since, version, n, frames."""
MAGIC = b"FWC1"
FIRST = 1024
"""Frames to make room for at the beginning."""


class CellLog:
    """The frames of one scan that have ended."""

    def __init__(self, frames: int = 0) -> None:
        self.frames = frames
        """Length of the scan, as far as it is known."""
        self.version = 0
        """Frames that have ended: the length of the log."""
        self.counts = dict.fromkeys((State.DONE, State.FAILED, State.MISSING), 0)
        self.errors: dict[int, str] = {}
        """Logical frame -> why it failed or is missing."""
        self.disagreeing = 0
        """Frames of which real DIALS says otherwise."""
        room = max(frames, FIRST)
        # by place in the log
        self._frame = np.zeros(room, "<u4")
        self._state = np.zeros(room, np.uint8)
        self._attempts = np.zeros(room, np.uint8)
        self._values = np.full((len(METRICS), room), np.nan, np.float64)
        self._seen = np.zeros(room, bool)
        """By frame."""

    @classmethod
    def of_report(cls, report: ScanReport) -> CellLog:
        """Make the log of a scan that has ended, in the order of its frames."""
        log = cls(int(report.frames[-1]) + 1 if len(report.frames) else 0)
        ended = np.flatnonzero(report.states != State.WAITING)
        n = log.version = len(ended)
        log._grow(n)
        log._frame[:n], log._state[:n] = report.frames[ended], report.states[ended]
        log._attempts[:n] = np.minimum(report.attempts[ended], 255)
        for row, name in enumerate(METRICS):
            log._values[row, :n] = report.values[name][ended]
        log._seen[report.frames[ended]] = True
        log.counts = {state: int(np.count_nonzero(log._state[:n] == state)) for state in log.counts}
        log.errors = {int(report.frames[place]): error for place, error in report.errors.items()}
        return log

    def expect(self, frames: int) -> None:
        """Know a length of the scan; it may turn out longer."""
        self.frames = max(self.frames, frames)
        self._grow(self.frames)

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Take frames that have ended; one that is there already stays as it is."""
        for outcome in outcomes:
            frame = outcome.frame
            if frame >= self.frames:
                self.expect(frame + 1)
            if self._seen[frame]:
                continue
            self._seen[frame] = True
            self._add(outcome)

    def message(self, generation: int, since: int, limit: int | None = None) -> bytes:
        """Return what has ended since the log had length `since`, at most `limit` frames.

        Little-endian: `HEADER`; n x u32 frame; n x u8 state, padded to 4 bytes; for each of `METRICS` n x f32, NaN
        unless done. A `since` beyond the end is the end.
        """
        since = min(since, self.version)
        until = self.version if limit is None else min(self.version, since + limit)
        n = until - since
        header = HEADER.pack(MAGIC, generation, since, until, n, self.frames)
        states = self._state[since:until].tobytes()
        values = self._values[:, since:until].astype("<f4")
        return b"".join((header, self._frame[since:until].tobytes(), states, bytes(-n % 4), values.tobytes()))

    def rows(self, since: int = 0, until: int | None = None, states: AbstractSet[State] | None = None) -> Iterator[Row]:
        """Yield frames in the order of the log; only of `states`, if given."""
        until = self.version if until is None else min(until, self.version)
        places = np.arange(max(0, since), until)
        if states is not None:
            places = places[np.isin(self._state[places], list(states))]
        for place in places.tolist():
            numbers = tuple(self._values[:, place].tolist())
            yield int(self._frame[place]), State(self._state[place]), int(self._attempts[place]), numbers

    def _grow(self, frames: int) -> None:
        room = len(self._frame)
        if frames <= room:
            return
        more = max(frames, 2 * room) - room
        self._frame = np.concatenate([self._frame, np.zeros(more, "<u4")])
        self._state = np.concatenate([self._state, np.zeros(more, np.uint8)])
        self._attempts = np.concatenate([self._attempts, np.zeros(more, np.uint8)])
        self._seen = np.concatenate([self._seen, np.zeros(more, bool)])
        self._values = np.concatenate([self._values, np.full((len(METRICS), more), np.nan)], axis=1)

    def _add(self, outcome: Outcome) -> None:
        place = self.version
        self._frame[place] = outcome.frame
        match outcome:
            case FrameResult():
                state = State.DONE
                self._values[:, place] = numbers_of(outcome.statistics)
            case FrameFailed():
                state = State.FAILED
            case FrameMissing():
                state = State.MISSING
        self._state[place] = state
        self.counts[state] += 1
        if not isinstance(outcome, FrameMissing):
            self._attempts[place] = min(outcome.attempts, 255)
            self.disagreeing += bool(outcome.verified)
        if not isinstance(outcome, FrameResult):
            self.errors[outcome.frame] = outcome.reason
        self.version = place + 1
