"""When to call a broker that does not answer."""

from __future__ import annotations

import time

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0
"""Seconds between two calls, doubled from one to the next."""


class Redial:
    """Calls fail, then one is answered."""

    def __init__(self) -> None:
        self.failing = False
        """Whether the last call failed: people have been told."""
        self._pause, self._next = FIRST_PAUSE, 0.0

    def wait(self) -> float:
        """Seconds until it may be called."""
        return max(0.0, self._next - time.monotonic())

    def failed(self) -> None:
        """Note a call that failed, or a connection that broke."""
        self.failing = True
        self._next = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def answered(self) -> None:
        """Note a call that was answered."""
        self.failing, self._pause = False, FIRST_PAUSE
