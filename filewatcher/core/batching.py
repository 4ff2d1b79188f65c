"""Ready frames, free places and the time in; which frames go to a worker together, out. Also who tries again.

One frame per task while that keeps up; larger batches only when frames come, or wait, faster than tasks can be
handed out: where the way to a worker and back takes longer than an analysis, all that waits goes with what has a place.
Measured on Dask's scheduler: one frame per task is best up to about 300 frames/s, about 200 tasks/s beyond.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filewatcher.core.messages import FrameFailed, FrameReady

if TYPE_CHECKING:
    from collections.abc import Sequence

    from filewatcher.core.messages import FrameResult

SINGLE_FRAME_RATE = 300.0
"""Frames/s up to which a task holds one frame."""
TASK_RATE = 200.0
"""Tasks/s to aim at above that."""
LATENCY_BUDGET = 0.25
"""Seconds that the frames of one batch may wait for each other."""
WAY = 0.02
"""Seconds to a worker and back on a busy machine: batches of that much work keep a worker busy."""
RATE_WINDOW = 1.0
"""Seconds over which the rate of arrival is measured."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a profile allows."""

    frames_per_task_max: int = 64
    """Only where an analysis takes microseconds: `LATENCY_BUDGET` is the limit of all others."""
    in_flight_per_worker: int = 3
    """Batches per worker, running and waiting: enough to hide the way there, few enough to lose little."""
    retries: int = 2
    """Times a frame is tried again after the first."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Frames that go to a worker together: contiguous rows of one data file, or one frame on its own."""

    frames: tuple[FrameReady, ...]
    attempts: tuple[int, ...]
    """How often each of them was handed out, this time included."""
    wary: bool = False
    """It was handed out before: what its worker did just before is to be known before it can do harm."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A worker could not read what the watcher saw: the place is looked up anew before the next attempt."""

    frame: FrameReady
    reason: str


@dataclass(frozen=True, slots=True)
class BatchEnded:
    """A worker is through with a batch."""

    batch: Batch
    outcomes: tuple[FrameResult | FrameFailed | Unreadable, ...]
    """One per frame, in order."""
    seconds: float
    """Of the worker's time."""


@dataclass(frozen=True, slots=True)
class BatchLost:
    """Nothing came back."""

    batch: Batch
    reason: str
    blameless: bool
    """The cluster went away; else the worker died over this batch."""


class Batcher:
    """A queue that knows how often each frame was tried."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._ready: deque[FrameReady] = deque()
        self._alone: deque[FrameReady] = deque()
        self._attempts: dict[tuple[int, int], int] = {}
        self._arrivals: deque[tuple[float, int]] = deque()
        self._seconds_per_frame: float | None = None

    def __len__(self) -> int:
        """Frames waiting to be handed out."""
        return len(self._ready) + len(self._alone)

    def attempts(self, frame: FrameReady) -> int:
        """How often a frame has been handed out."""
        return self._attempts.get((frame.scan, frame.frame), 0)

    def add(self, frames: Sequence[FrameReady], now: float) -> None:
        """Queue frames that are on disk; one that was handed out before goes alone, ahead of the others."""
        for frame in frames:
            (self._alone if self.attempts(frame) else self._ready).append(frame)
        self._arrivals.append((now, len(frames)))

    def clear(self) -> None:
        """Nothing that waits is to be handed out any more."""
        self._ready.clear()
        self._alone.clear()

    def took(self, seconds_per_frame: float) -> None:
        """Learn how long an analysis takes (the latest counts a fifth)."""
        old = self._seconds_per_frame
        self._seconds_per_frame = seconds_per_frame if old is None else 0.8 * old + 0.2 * seconds_per_frame

    def next(self, places: int, now: float) -> list[Batch]:
        """Return at most `places` batches, retries first."""
        batches: list[Batch] = []
        size = self._batch_size(places, now)
        while len(batches) < places and self:
            if wary := bool(self._alone):
                frames = [self._alone.popleft()]
            else:
                frames = [self._ready.popleft()]
                while len(frames) < size and self._ready and _follows(self._ready[0], frames[-1]):
                    frames.append(self._ready.popleft())
            for frame in frames:
                self._attempts[frame.scan, frame.frame] = self.attempts(frame) + 1
            batches.append(Batch(tuple(frames), tuple(self.attempts(frame) for frame in frames), wary))
        return batches

    def lost(self, batch: Batch, why: str) -> list[FrameFailed]:
        """Its worker died: each frame is tried again alone, so that one bad frame does not take others along.

        Only a frame that was alone is to blame; returns those that have been tried often enough.
        """
        failed = []
        for frame in batch.frames:
            if len(batch.frames) > 1:
                self._attempts[frame.scan, frame.frame] = 1
            if not self.may_try_again(frame):
                failed.append(FrameFailed(frame.scan, frame.frame, why, self.attempts(frame)))
            else:
                self._alone.append(frame)
        return failed

    def put_back(self, batch: Batch) -> None:
        """The cluster lost it, through no fault of the frames."""
        for frame in batch.frames:
            self._attempts[frame.scan, frame.frame] -= 1
            self._alone.append(frame)

    def may_try_again(self, frame: FrameReady) -> bool:
        """Whether a frame has been tried less often than allowed."""
        return self.attempts(frame) <= self.limits.retries

    def forget(self, scan: int, frame: int) -> None:
        """It has ended: nothing about it needs to be known."""
        self._attempts.pop((scan, frame), None)

    def _batch_size(self, places: int, now: float) -> int:
        while self._arrivals and now - self._arrivals[0][0] > RATE_WINDOW:
            self._arrivals.popleft()
        if self._seconds_per_frame is None:
            return 1
        rate = sum(count for _, count in self._arrivals) / RATE_WINDOW
        coming = rate / TASK_RATE if rate > SINGLE_FRAME_RATE else 1.0
        behind = len(self._ready) / (TASK_RATE * LATENCY_BUDGET)  # frames per task to be through within the budget
        seconds = max(self._seconds_per_frame, 1e-6)
        together = min(len(self._ready) / max(places, 1), WAY / seconds)
        wanted = math.ceil(max(coming, behind, together))
        return max(1, min(wanted, int(LATENCY_BUDGET / seconds), self.limits.frames_per_task_max))


def _follows(frame: FrameReady, previous: FrameReady) -> bool:
    return frame.path == previous.path and frame.row == previous.row + 1
