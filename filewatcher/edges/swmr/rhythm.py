"""How long to wait before the next look: little while frames come, longer the longer none has come."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FASTEST = 0.003
"""Seconds between looks while frames come..."""
SHARE = 0.04
"""...or more, where looks would take more than this share of a core..."""
CALM = 0.006
"""...but not more than this: a frame is to be announced within 10 ms."""
ELSEWHERE = 0.02
"""Seconds between looks, at least, on a file system that is not coherent: each look asks its server."""
SLOWEST = 0.05
"""Seconds between looks when none has come for a while..."""
ASLEEP = 0.5
"""...and when none has come for long, or none can: a survey or a hint wakes it."""
LONG = 30.0
"""Seconds."""


class Rhythm:
    """The wait between looks, in seconds; `now` is any clock in seconds that does not go back."""

    def __init__(self) -> None:
        self.coherent = True
        """All file systems show what is there."""
        self._wait = FASTEST
        self._progress_at: float | None = None
        self._cost = 0.0  # seconds of a core that the last look took

    def pause(self, most: float) -> float:
        """Seconds until the next look is worth while; `most`: until something else is due."""
        least = 0.0 if self.coherent else ELSEWHERE
        return max(least, min(most, max(self._wait, min(CALM, self._cost / SHARE))))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Count what a look costs."""
        started = time.thread_time()
        try:
            yield
        finally:
            self._cost = time.thread_time() - started

    def beat(self, now: float, *, news: bool) -> None:
        """A look has found frames, or none."""
        if news or self._progress_at is None:
            self._progress_at = now
        long = now - self._progress_at >= LONG
        self._wait = FASTEST if news else min(2 * self._wait, ASLEEP if long else SLOWEST)

    def wake(self) -> None:
        """Something has happened: look soon."""
        self._wait = FASTEST
