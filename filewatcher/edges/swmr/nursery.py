"""One child process as its parent sees it: started, listened to, taken for dead when it is silent, ended."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from filewatcher.edges.swmr import child
from filewatcher.edges.swmr.effort import Effort
from filewatcher.edges.swmr.wire import Receiver, message

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import SpawnProcess

    import numpy as np
    from numpy.typing import NDArray

    from filewatcher.core.observations import Observation
    from filewatcher.edges.swmr.request import Request

SILENCE = 5.0
"""Seconds without a heartbeat after which a child is taken to hang in libhdf5, and killed."""
START = 60.0
"""Seconds that a child may take to say its first word: a loaded machine imports slowly."""
TAKEN = 1 << 14
"""Bytes taken from the socket at a time: much more than a look has to tell, little enough to be had at once."""


class Child:
    """One reader; made by `start`, for the event loop that runs. News is told the moment that it comes."""

    def __init__(self, tell: Callable[[list[Observation]], None], process: SpawnProcess, ours: socket.socket) -> None:
        self.effort = Effort()
        """What it has cost, as it said last."""
        self.pid = process.pid
        self._process = process
        self._socket = ours
        self._tell = tell
        self._receiver = Receiver()
        self._heard = time.monotonic()
        self._awake = False
        self._ending: asyncio.Task[int | None] | None = None
        self._loop = asyncio.get_running_loop()
        self._last: asyncio.Future[Exception | None] = self._loop.create_future()
        self._loop.add_reader(ours.fileno(), self._hear)
        self._watchdog = self._loop.call_later(START, self._doubt)

    @classmethod
    async def start(
        cls, request: Request, seen: dict[int, NDArray[np.bool_]], tell: Callable[[list[Observation]], None]
    ) -> Self:
        """Start a process; that takes a moment, which the event loop does not wait for."""
        return cls(tell, *await asyncio.to_thread(_spawn, request, seen))

    async def last_word(self) -> Exception | None:
        """Wait until it ends; returns why, as it says itself. None = it has ended, or is silent, without a word."""
        return await asyncio.shield(self._last)

    def tell(self, order: tuple[int, int] | float) -> bool:
        """Ask for a (file, row) again, or say what share of a core it may take; False = it is dead, or hangs."""
        try:
            self._socket.sendall(message(order))
        except OSError:
            return False
        return True

    def leave(self) -> None:
        """Listen to it no more."""
        self._deaf()

    async def end(self) -> int | None:
        """Kill it and wait until nothing of it is left; returns its exit code."""
        if self._ending is None:
            self._deaf()
            self._process.kill()
            self._ending = asyncio.create_task(asyncio.to_thread(self._bury))
        return await asyncio.shield(self._ending)

    # ---- how

    def _hear(self) -> None:
        """Take what has come; a child that hangs may have stopped in half a message."""
        try:
            taken = self._socket.recv(TAKEN)
        except BlockingIOError:
            return
        except OSError:
            taken = b""
        if not taken:
            self._deaf()
            return
        self._heard = time.monotonic()
        if not self._awake:
            self._awake = True
            self._watchdog.cancel()
            self._watchdog = self._loop.call_later(SILENCE, self._doubt)
        for word in self._receiver.feed(taken):
            if isinstance(word, list):
                self._tell(word)
            elif isinstance(word, Effort):
                self.effort = word
            else:
                self._deaf(word)

    def _doubt(self) -> None:
        """See whether it has been silent for too long; what has come while this process was busy counts."""
        if not self._last.done():
            self._hear()
        silent_at = self._heard + (SILENCE if self._awake else START)
        if self._last.done() or time.monotonic() >= silent_at:
            self._deaf()
        else:
            self._watchdog = self._loop.call_later(silent_at - time.monotonic(), self._doubt)

    def _deaf(self, last: Exception | None = None) -> None:
        """Nothing more is expected of it."""
        self._watchdog.cancel()
        self._loop.remove_reader(self._socket.fileno())
        if not self._last.done():
            self._last.set_result(last)

    def _bury(self) -> int | None:
        self._process.join()
        code = self._process.exitcode
        self._process.close()
        self._socket.close()
        return code


def _spawn(request: Request, seen: dict[int, NDArray[np.bool_]]) -> tuple[SpawnProcess, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    context = multiprocessing.get_context("spawn")
    process = context.Process(
        target=child.main, args=(theirs, request, seen), name=f"swmr {Path(request.master).name}", daemon=True
    )
    process.start()
    theirs.close()  # or the socket would never end
    return process, ours
