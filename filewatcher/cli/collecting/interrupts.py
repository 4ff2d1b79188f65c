"""Ctrl-C, for us alone: a terminal sends it to the whole process group, but only we know how to end in good order."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOOK = 0.1
"""Seconds between two looks."""


@contextmanager
def kept_from_children() -> Iterator[None]:
    """Block SIGINT in this thread: processes and threads started inside inherit that, and never see it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def cancelling(task: asyncio.Task[int]) -> Iterator[None]:
    """Cancel the task on SIGINT, although it is blocked, and on SIGTERM."""
    with calling(task.cancel):
        yield


@contextmanager
def calling(stop: Callable[[], object]) -> Iterator[None]:
    """Call `stop` on SIGINT, although it is blocked, and on SIGTERM."""
    loop = asyncio.get_running_loop()
    done = threading.Event()

    def listen() -> None:
        while not done.wait(LOOK):
            # without waiting: a wait that SIGCONT interrupts (Ctrl-Z and fg, a suspended job) returns as if by SIGINT
            if signal.sigtimedwait({signal.SIGINT}, 0) is not None:
                loop.call_soon_threadsafe(stop)

    listener = threading.Thread(target=listen, name="interrupts")
    loop.add_signal_handler(signal.SIGTERM, stop)
    listener.start()
    try:
        yield
    finally:
        done.set()
        listener.join()
        loop.remove_signal_handler(signal.SIGTERM)
