"""The daemon's application in a process of its own, with a grid scan that fills as fast as is asked for.

Everything between a result and the browser is the product's: service, log of cells, routes, WebSocket, metrics. Only
detector and workers are not there, because two cores analyse some hundred frames a second and a browser is to be shown
twenty thousand: their results are told here, on the loop on which the daemon's collector would tell them.
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING

import numpy as np
import uvicorn
import uvloop

from filewatcher.core.asks import Ask
from filewatcher.core.framemap import DataFile, FrameMap
from filewatcher.core.grid import Grid
from filewatcher.core.gridinfo import GridInfo
from filewatcher.core.messages import FrameResult, Statistics
from filewatcher.core.observations import Described, MasterFile
from filewatcher.core.run import Run
from filewatcher.core.selection import Selection
from filewatcher.edges.web import Doorway, Metrics, Tokens, create_app
from filewatcher.ports import Opened, Progress
from filewatcher.service import Service
from filewatcher.testing.apart import Apart
from filewatcher.testing.fakes import MemoryJournal
from filewatcher.testing.works import MemoryRegistry, ScriptedWork, ScriptedWorks

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from numpy.typing import NDArray

    from filewatcher.ports import Listener

MASTER, OTHER = "/data/bench/grid.nxs", "/data/bench/other.nxs"
EVERY = 0.01
"""Seconds between two groups of results, as a collector has them."""
GROUP = 10
"""Results told at a time by a collector at its limit."""
OTHERS = Grid(250, 200, snaked=True)
AT_ONCE = 10_000
"""Results told at a time of what is known before."""


class Fed(Apart):
    """The server. `before`: share of the cells that are known when it begins."""

    def __init__(self, columns: int, rows: int, before: float) -> None:
        super().__init__(_serve, columns, rows, before)
        self.url, self.collection, self.known = self.answer()

    def fill(self, rate: int, seconds: float) -> NDArray[np.float64]:
        """Have so many cells a second end for so long; returns when each was known, seconds since the epoch."""
        self.pipe.send((rate, seconds, False))
        known: NDArray[np.float64] = self.answer()
        return known

    def collect(self, rate: int, seconds: float) -> tuple[float, float]:
        """Fill, and beside it tell the results of another collection, at which nobody looks, as fast as they are taken.

        Returns how many of the others a second, and what share of its CPU time the loop had for them: the collector
        at its limit.
        """
        self.pipe.send((rate, seconds, True))
        collected: tuple[float, float] = self.answer()
        return collected


def _serve(pipe: Connection, columns: int, rows: int, before: float) -> None:
    uvloop.run(_live(pipe, Grid(columns, rows, snaked=True), before))


async def _live(pipe: Connection, grid: Grid, before: float) -> None:
    works = _Works(grid)
    metrics = Metrics(lambda: 0, lambda: 0)
    service = Service(works, MemoryRegistry(), time.monotonic, lambda: "2026-01-01T00:00:00+00:00")
    service.follow(metrics)
    doorway = Doorway(Tokens({}), ("127.0.0.1",), secure=False, largest_body=65536)
    app = create_app(service, doorway, lambda _: None, lambda: {"version": "bench"}, metrics)
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # as the daemon's own, in filewatcher/cli/serving/server.py
    settings = uvicorn.Config(
        app, http="httptools", ws="websockets-sansio", ws_per_message_deflate=False, lifespan="off", log_level="error"
    )
    serving = asyncio.create_task(uvicorn.Server(settings).serve(sockets=[listening]))
    asked = await service.ask(Ask((MASTER,)))
    work = await works.begun.get()
    await service.ask(Ask((OTHER,)))
    other = await works.begun.get()
    work.describe()
    for first in range(0, int(before * len(grid)), AT_ONCE):
        work.tell_results(first, min(first + AT_ONCE, int(before * len(grid))))
    pipe.send((f"http://127.0.0.1:{listening.getsockname()[1]}/", asked.id, work.known))
    while not serving.done():
        rate, seconds, collecting = await asyncio.to_thread(pipe.recv)
        filling = asyncio.create_task(work.fill(rate, seconds))
        collected = await other.collect(seconds) if collecting else None
        times = await filling
        pipe.send(times if collected is None else collected)


class _Works(ScriptedWorks):
    """Makes the collection that is looked at, and the other one."""

    def __init__(self, grid: Grid) -> None:
        super().__init__()
        self.grid = grid
        self.begun: asyncio.Queue[_Work] = asyncio.Queue()

    def open(self, name: str, ask: Ask, listener: Listener) -> _Work:
        work = _Work(name, ask, listener, self.grid if ask.masters == (MASTER,) else OTHERS)
        self.begun.put_nowait(work)
        return work


class _Work(ScriptedWork):
    """A grid scan of which results are told in the order of its frames."""

    def __init__(self, name: str, ask: Ask, listener: Listener, grid: Grid) -> None:
        super().__init__(name, ask, listener)
        self.grid, self.known = grid, 0
        self._values = numbers(grid)

    def describe(self) -> None:
        frames = len(self.grid)
        frame_map = FrameMap((DataFile("/data/bench/1.h5", "/data"),), np.zeros(frames, np.int32), np.arange(frames))
        described = [Described(MasterFile(self.ask.masters[0], 1, 2, 3, 4), frame_map, 0.01, None)]
        self.opened = Opened(MemoryJournal(), (GridInfo(self.grid),))
        self.progress = [Progress(frames, 0, 0, 0, 0)]
        self._listener.described(described, Run((), Selection(), {}, "native"), 0)

    def tell_results(self, first: int, last: int) -> None:
        """Let frames have ended."""
        self._listener.outcomes(self._results(first, last))
        self.known = last

    async def fill(self, rate: int, seconds: float) -> NDArray[np.float64]:
        """Go on; what is late is made up for. Returns when each was known."""
        begun_at = self.known
        results = self._results(begun_at, min(len(self.grid), begun_at + int(rate * seconds)))
        times = np.zeros(len(results))
        began = time.monotonic()
        while self.known - begun_at < len(results):
            first, last = self.known - begun_at, min(len(results), int(rate * (time.monotonic() - began)))
            if last > first:
                times[first:last] = time.time()
                self._listener.outcomes(results[first:last])
                self.known = begun_at + last
            await asyncio.sleep(EVERY)
        return times

    async def collect(self, seconds: float) -> tuple[float, float]:
        """Tell all results again and again, each time as of another scan.

        Returns how many a second of CPU time, and the share of that time in which they were told. The loop never rests,
        so that its CPU time is all the time that it has; the clock would count other processes.
        """
        results = self._results(0, len(self.grid))
        told, telling, until, began = 0, 0.0, time.monotonic() + seconds, time.thread_time()
        while time.monotonic() < until:
            if told % len(results) == 0:
                self.describe()
            first, at = told % len(results), time.thread_time()
            self._listener.outcomes(results[first : first + GROUP])
            telling += time.thread_time() - at
            told += GROUP
            await asyncio.sleep(0)
        spent = time.thread_time() - began
        return told / spent, telling / spent

    def _results(self, first: int, last: int) -> list[FrameResult]:
        return [FrameResult(0, first + i, _statistics(row), "native") for i, row in enumerate(self._values[first:last])]


def _statistics(spots: float) -> Statistics:
    n = int(spots)
    return Statistics(n, n, n, spots, spots, spots, spots, spots, spots, n)


def numbers(grid: Grid) -> NDArray[np.float64]:
    """Spots by frame: two crystals on a noisy ground, growing stronger: the scale follows."""
    rows, columns = grid.cells(np.arange(len(grid)))
    x, y = columns / grid.columns, rows / grid.rows
    spots = 400 * np.exp(-(((x - 0.6) / 0.08) ** 2) - ((y - 0.75) / 0.1) ** 2)
    spots += np.random.default_rng(0).poisson(2, len(grid))
    found: NDArray[np.float64] = np.floor(spots)
    return found
