"""Ends a worker process whose frame takes too long: nothing else stops native code."""

from __future__ import annotations

import faulthandler
import os
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

SLACK = 0.1
"""Of the limit: how much later than promised it may bite, so that it need not be wound up for every frame."""

# where the stack of the frame that hung is written to: the words of the loop say what is to be said
_nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)


class Watchdog:
    """A context manager around a batch; to be fed before each frame.

    It is a thread of C code (`faulthandler`), so it also bites where the GIL is held for ever. `limit`: seconds that a
    frame may take.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._wound = -limit

    def __enter__(self) -> Self:
        return self

    def feed(self) -> None:
        """A frame begins."""
        now = time.monotonic()
        if now - self._wound > SLACK * self._limit:
            faulthandler.dump_traceback_later(self._limit * (1 + SLACK), exit=True, file=_nowhere)
            self._wound = now

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        faulthandler.cancel_dump_traceback_later()
