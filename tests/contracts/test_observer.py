"""What every observer does, the script as the reader of real files."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import h5py
import pytest

from filewatcher.core.messages import ChunkLayout
from filewatcher.core.observations import OnDisk, StoredChunk
from filewatcher.edges.swmr import SwmrObserver
from filewatcher.errors import Broken
from filewatcher.testing.fakes import ScriptedObserver
from filewatcher.testing.stepwriter import StepWriter
from filewatcher.testing.tinyfiles import IMAGE, LIBVER, write_metadata, write_virtual

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from filewatcher.core.observations import Observation
    from filewatcher.ports import Observer

ROWS = 10


class Disk(Protocol):
    """What there is to be observed."""

    def watched(self) -> Observer:
        """Return who observes it, from inside of an event loop."""

    def write(self, row: int) -> None:
        """Write the next row."""


class Script:
    def __init__(self) -> None:
        self._observer = ScriptedObserver()
        self._observer.on_look_again = lambda _file, row: self.write(row)

    def watched(self) -> Observer:
        return self._observer

    def write(self, row: int) -> None:
        self._observer.say(OnDisk(0, [StoredChunk(row, 100 * row, 90, 0)], ChunkLayout(IMAGE, "<u2", ())))


class Files:
    def __init__(self, folder: Path, writer: StepWriter) -> None:
        self._master, self._data, self._writer = folder / "m.h5", folder / "m_1.h5", writer
        with h5py.File(self._master, "w", libver=LIBVER) as file:
            write_metadata(file, ROWS)
            rows = (0, 1, 1, ROWS)
            write_virtual(file, "entry/data/data", (ROWS, *IMAGE), [(rows, "m_1.h5", "data", rows)])
        writer.create(self._data, ROWS)

    def watched(self) -> Observer:
        return SwmrObserver(self._master)

    def write(self, row: int) -> None:
        self._writer.write(self._data, row, row)


@pytest.fixture(params=["script", "files"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    if request.param == "script":
        yield Script()
        return
    with StepWriter() as writer:
        yield Files(tmp_path, writer)


class Ear:
    """Who is told."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self._told = asyncio.Event()

    def tell(self, news: Sequence[Observation]) -> None:
        self.rows += [chunk.row for item in news if isinstance(item, OnDisk) for chunk in item.chunks]
        self._told.set()

    async def until(self, rows: list[int]) -> None:
        while self.rows != rows:
            self._told.clear()
            await asyncio.wait_for(self._told.wait(), 30.0)


async def ends(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def test_each_row_is_told_once_and_again_when_it_is_asked_for(disk: Disk) -> None:
    async def story() -> None:
        observer, ear = disk.watched(), Ear()
        report = asyncio.create_task(observer.report(ear.tell))
        disk.write(0)
        await ear.until([0])
        disk.write(1)
        await ear.until([0, 1])
        observer.look_again(0, 0)
        await ear.until([0, 1, 0])
        await ends(report)
        await observer.close()

    asyncio.run(story())


def test_what_comes_while_nobody_listens_is_kept_for_who_does_next(disk: Disk) -> None:
    async def story() -> None:
        observer, first, second = disk.watched(), Ear(), Ear()
        report = asyncio.create_task(observer.report(first.tell))
        disk.write(0)
        await first.until([0])
        await ends(report)
        disk.write(1)
        report = asyncio.create_task(observer.report(second.tell))
        await second.until([1])
        assert first.rows == [0]
        await ends(report)
        await observer.close()

    asyncio.run(story())


def test_a_listener_that_fails_ends_the_report(disk: Disk) -> None:
    """What it raised must not be lost in the event loop."""

    async def story() -> None:
        observer = disk.watched()

        def tell(_: Sequence[Observation]) -> None:
            raise Broken("these images cannot be analysed")

        disk.write(0)
        with pytest.raises(Broken, match="cannot be analysed"):
            await asyncio.wait_for(observer.report(tell), 30.0)
        await observer.close()

    asyncio.run(story())
