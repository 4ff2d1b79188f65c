"""Ten collections of 1 to 100 data files, watched at once by one process: ten loops on one event loop."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from filewatcher.core.collection import Collection
from filewatcher.core.messages import FrameReady, FrameResult, State, Statistics
from filewatcher.core.run import Finished, Order
from filewatcher.core.scanwatch import ScanWatch, TimeOuts
from filewatcher.core.selection import Selection
from filewatcher.daemon import CollectionLoop
from filewatcher.edges.swmr import Budget, SwmrObserver
from filewatcher.ports import Opened
from filewatcher.testing.fakes import InlinePool, MemoryJournal, Recording
from filewatcher.testing.stepwriter import StepWriter
from filewatcher.testing.tinyfiles import IMAGE, LIBVER, write_metadata, write_virtual
from spotfinding.chunks import Chunk, read_chunk

if TYPE_CHECKING:
    from pathlib import Path

FILES = (1, 2, 3, 5, 8, 13, 21, 34, 55, 100)
"""Data files of each collection."""
ROWS = 2
"""Frames per data file."""


class Scan:
    """One of them, with all that its loop needs; the bytes of a frame are read when it is handed out."""

    def __init__(self, folder: Path, files: int, first: int, budget: Budget) -> None:
        folder.mkdir()
        self.data = [folder / f"scan_{number:06d}.h5" for number in range(files)]
        self.first = first
        self.frames = files * ROWS
        self.master = self._write_master(folder / "scan_master.h5")
        watch = ScanWatch(timeouts=TimeOuts(first=60.0, progress=60.0), now=time.monotonic())
        self.observer = SwmrObserver(self.master, seen=watch.rows_seen, budget=budget)
        self.listener, self.pool = Recording(), InlinePool(self._analyse)
        order = Order((str(self.master),), Selection(), {}, "dials")
        opened = Opened(MemoryJournal(), (None,))
        self.loop = CollectionLoop(
            order,
            Collection([watch]),
            self.observer,
            self.pool,
            lambda _run, _described: opened,
            self.listener,
            time.monotonic,
        )

    def _write_master(self, path: Path) -> Path:
        axis = (0, 1, 1, ROWS)
        pieces = [((number * ROWS, 1, 1, ROWS), file.name, "data", axis) for number, file in enumerate(self.data)]
        with h5py.File(path, "w", libver=LIBVER) as file:
            write_metadata(file, self.frames)
            write_virtual(file, "entry/data/data", (self.frames, *IMAGE), pieces)
        return path

    def _analyse(self, frame: FrameReady, attempts: int) -> FrameResult:
        pixels = np.frombuffer(read_chunk(Chunk(frame.path, frame.offset, frame.size)), "<u2")
        assert (pixels == self.first + frame.frame).all()
        return FrameResult(0, frame.frame, Statistics(frame.frame, 0, 0, 1, -1, -1, -1, -1, -1, 9), "dials", attempts)


def record(collections: list[Scan]) -> None:
    """Write all at once: the first files of all, then the second ones, as long as there are any."""
    with StepWriter() as writer:
        for number in range(max(FILES)):
            growing = [collection for collection in collections if number < len(collection.data)]
            for one in growing:
                writer.create(one.data[number], ROWS)
            for row in range(ROWS):
                for one in growing:
                    writer.write(one.data[number], row, one.first + number * ROWS + row)
            for one in growing:
                writer.close(one.data[number])


@pytest.mark.timeout(240)
def test_ten_collections_at_once(tmp_path: Path) -> None:
    async def story() -> list[Finished]:
        budget = Budget(0.2)
        shares: list[float] = []
        budget.join(shares.append)
        async with AsyncExitStack() as house:
            collections = []
            for number, files in enumerate(FILES):
                one = Scan(tmp_path / str(number), files, 1000 * number, budget)
                house.push_async_callback(one.observer.close)
                collections.append(one)
            assert shares[-1] == pytest.approx(0.2 / (1 + len(FILES)))
            running = [asyncio.create_task(one.loop.run()) for one in collections]
            while not all(one.listener.runs for one in collections):
                for one in collections:
                    one.listener.told.clear()
                    await one.listener.told.wait()
            assert len({one.observer.pid for one in collections}) == len(FILES)
            await asyncio.to_thread(record, collections)
            finished = await asyncio.gather(*running)
            assert all(one.observer.effort.looks > 0 for one in collections)
            for one in collections:
                assert sorted(outcome.frame for outcome in one.listener.frames) == list(range(one.frames))
        assert shares[-1] == pytest.approx(0.2)
        return finished

    for one, files in zip(asyncio.run(story()), FILES, strict=True):
        assert one.scans[0].results.states.tolist() == [State.DONE] * files * ROWS
        assert one.scans[0].ended.reason == "complete"
