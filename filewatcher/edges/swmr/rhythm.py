"""When to look next: soon while frames come, later the longer none has come, never more often than the share allows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from filewatcher.edges.swmr.effort import SHARE, Effort

if TYPE_CHECKING:
    from collections.abc import Callable

FASTEST = 0.008
"""Seconds from look to look while frames come: a frame is to be announced within 10 ms."""
ELSEWHERE = 0.02
"""The same, at least, on a file system that is not coherent: each look asks its server."""
SLOWEST = 0.05
"""Seconds from look to look when none has come for a while..."""
ASLEEP = 0.5
"""...and when none has come for long, or none can: a survey or a hint wakes it."""
LONG = 30.0
"""Seconds."""
STRETCHED = 0.5
"""Seconds from look to look at most, however small the share: time-outs are counted from what is seen."""
GAP = 0.001
"""Seconds after a hint before the disk is asked: the bytes of a frame come before its entry in the index."""
BATCH = 8
"""Looks after which their cost is taken: the clock that tells it is a system call."""
MEMORY = 0.5
"""Weight of the newest batch in the average of what a look costs."""


class Rhythm:
    """The times of the looks; `now` is any clock in seconds that does not go back. `share`: of a core, to be kept.

    `spent`: seconds of a core that this process has taken so far.
    """

    def __init__(self, share: float = SHARE, spent: Callable[[], float] = time.process_time) -> None:
        self.share = share
        self._spent = spent
        self.coherent = True
        """All file systems show what is there."""
        self._wait = FASTEST
        self._cost = 0.0
        self._cpu = self._first_cpu = spent()
        self._first_at: float | None = None
        self._begun_at = self._progress_at = 0.0
        self._busy = False  # the last look found frames
        self._looks = self._costed = 0
        self._longest_gap = 0.0

    @property
    def busy(self) -> bool:
        """The last look found frames, and so will the next."""
        return self._busy and self._wait == FASTEST

    @property
    def begun_at(self) -> float:
        """When the last look began."""
        return self._begun_at

    @property
    def idle(self) -> bool:
        """No frame was found lately: a hint is worth more than the next look."""
        return self._wait > FASTEST

    @property
    def effort(self) -> Effort:
        """What the looks have cost up to the last one."""
        if self._first_at is None:
            return Effort()
        seconds = self._begun_at - self._first_at
        return Effort(self._cpu - self._first_cpu, seconds, self._looks, self._longest_gap)

    def begin(self, now: float) -> None:
        """A look begins."""
        if self._first_at is None:
            self._first_at = self._progress_at = now
        elif self._busy:
            self._longest_gap = max(self._longest_gap, now - self._begun_at)
        self._looks += 1
        self._begun_at = now

    def end(self, now: float, *, news: bool) -> None:
        """The look has found frames, or none."""
        if news:
            self._progress_at = now
        long = now - self._progress_at >= LONG
        self._wait = FASTEST if news else min(2 * max(self._wait, FASTEST), ASLEEP if long else SLOWEST)
        self._busy = news
        if self._looks >= self._costed + BATCH:
            cpu = self._spent()  # all of this process since the last time, that is with telling what was found
            self._cost += MEMORY * ((cpu - self._cpu) / (self._looks - self._costed) - self._cost)
            self._cpu, self._costed = cpu, self._looks

    def followed(self, looks: int, begun: float, longest_gap: float) -> None:
        """There were so many looks since the last end, the last one at `begun`; all but perhaps that one found frames.

        `end` is to be said of the last one.
        """
        self._looks += looks
        self._begun_at = begun
        self._longest_gap = max(self._longest_gap, longest_gap)

    def at_once(self) -> None:
        """There is more to be seen: look as soon as the share allows."""
        self._wait = 0.0

    def wake(self, now: float) -> None:
        """Something has happened: look soon."""
        self._wait = max(0.0, now - self._begun_at) + GAP

    def due(self) -> float:
        """When the next look is worth while."""
        least = max(0.0 if self.coherent else ELSEWHERE, min(STRETCHED, self._cost / self.share))
        return self._begun_at + max(least, self._wait)
