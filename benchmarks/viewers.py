"""Viewers of a daemon: one that notes when each cell arrives, and a crowd that only looks."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from filewatcher.core.cells import HEADER
from filewatcher.testing.apart import Apart

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from numpy.typing import NDArray

    from filewatcher.testing.daemon import Daemon


class Witness:
    """Notes by frame when its cell arrived: CLOCK_MONOTONIC, seconds, 0 = not yet."""

    def __init__(self, daemon: Daemon, collection: str, frames: int) -> None:
        self.arrived: NDArray[np.float64] = np.zeros(frames)
        self._daemon, self._collection = daemon, collection
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Wait until all have arrived, or that long."""
        self._thread.join(seconds)

    def _look(self) -> None:
        with self._daemon.viewer(self._collection) as told:
            for message in told:
                now = time.monotonic()
                if isinstance(message, bytes):
                    n = HEADER.unpack_from(message)[4]
                    self.arrived[np.frombuffer(message, "<u4", n, HEADER.size)] = now
                    if self.arrived.all():
                        return


class Crowd(Apart):
    """So many viewers in a process of their own, who come and go."""

    def __init__(self, url: str, viewers: int) -> None:
        super().__init__(_crowd, url, viewers)
        self.answer()

    def come(self) -> None:
        """Have all of them look; returns when each has been told what there was."""
        self.pipe.send(True)
        self.answer()

    def go(self) -> int:
        """Have nobody look; returns how many messages they got."""
        self.pipe.send(False)
        return int(self.answer())


def _crowd(pipe: Connection, url: str, viewers: int) -> None:
    with suppress(EOFError):
        asyncio.run(_come_and_go(pipe, url, viewers))


async def _come_and_go(pipe: Connection, url: str, viewers: int) -> None:
    from websockets.asyncio.client import connect  # noqa: PLC0415  only in processes that look

    pipe.send(0)
    while True:
        await asyncio.to_thread(pipe.recv)
        messages = [0] * viewers
        greeted = [asyncio.Event() for _ in range(viewers)]
        async with AsyncExitStack() as house:
            for one in range(viewers):
                socket = await house.enter_async_context(connect(url, max_size=None, proxy=None, compression=None))
                house.callback(asyncio.create_task(_look(socket, one, messages, greeted[one])).cancel)
            await asyncio.gather(*(one.wait() for one in greeted))
            pipe.send(0)
            await asyncio.to_thread(pipe.recv)
        pipe.send(sum(messages))


async def _look(socket: Any, one: int, messages: list[int], greeted: asyncio.Event) -> None:
    async for message in socket:
        messages[one] += 1
        if isinstance(message, bytes):
            greeted.set()
