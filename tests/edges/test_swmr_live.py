"""Real SWMR writers in other processes, moved on one step at a time: what the watcher says after each."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import zlib
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from filewatcher.core.observations import Described, DetectorRead, MasterBlocked, OnDisk, Superseded, Writer, Writers
from filewatcher.edges.swmr import SwmrObserver, nursery
from filewatcher.edges.swmr.reader import MasterReader
from filewatcher.edges.swmr.request import Request
from filewatcher.errors import Broken
from filewatcher.testing.stepwriter import StepWriter
from filewatcher.testing.tinyfiles import IMAGE, LIBVER, write_metadata, write_virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from numpy.typing import NDArray

    from filewatcher.core.observations import Observation


def write_master(folder: Path, rows: int = 100, mask: bool = False) -> Path:
    """Two data files of `rows` frames each, a.h5 and b.h5."""
    path = folder / "scan_master.h5"
    with h5py.File(path, "w", libver=LIBVER) as file:
        write_metadata(file, 2 * rows)
        write_virtual(file, "entry/data/data", (2 * rows, *IMAGE), [
            ((0, 1, 1, rows), "a.h5", "data", (0, 1, 1, rows)), ((rows, 1, 1, rows), "b.h5", "data", (0, 1, 1, rows)),
        ])  # fmt: skip
        if mask:
            file["entry/instrument/detector/pixel_mask"] = h5py.ExternalLink("scan_meta.h5", "mask")
    return path


@pytest.fixture
def writer() -> Iterator[StepWriter]:
    with StepWriter() as started:
        yield started


class Watch:
    """An observer, and all that it has said."""

    observer: SwmrObserver

    def __init__(self) -> None:
        self.rows: dict[int, list[int]] = {}
        self.pixels: dict[tuple[int, int], set[int]] = {}
        self.writers = Writers((), was_writing=False, full_scan=False)
        self.described: list[Described] = []
        self.warnings: tuple[str, ...] = ()
        self.mask_pixels: int | None = None
        """None = the detector has not been said yet."""

    def seen(self) -> dict[int, NDArray[np.bool_]]:
        return {file: np.isin(np.arange(max(rows) + 1), rows) for file, rows in self.rows.items()}

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                for item in await self.observer.observe():
                    self._take(item)

    def _take(self, item: object) -> None:
        if isinstance(item, Described):
            self.described.append(item)
        elif isinstance(item, DetectorRead):
            self.warnings = item.warnings
            packed = zlib.decompress(item.detector.mask) if item.detector.mask else b""
            self.mask_pixels = sum(byte.bit_count() for byte in packed)
        elif isinstance(item, Writers):
            self.writers = item
        elif isinstance(item, OnDisk):
            self.rows.setdefault(item.file, []).extend(chunk.row for chunk in item.chunks)
            data = Path(self.described[-1].frame_map.files[item.file].path).read_bytes()
            for row, offset, size, _ in item.chunks:
                values = np.frombuffer(data[offset : offset + size], "<u2")
                self.pixels[item.file, row] = set(values.tolist())

    async def whole_scan(self) -> None:
        """Wait for a full scan that starts after now (of two in a row the second one does)."""
        for _ in range(2):
            last = self.writers
            await self.until(lambda last=last: self.writers is not last and self.writers.full_scan)  # type: ignore[misc]


@asynccontextmanager
async def watching(master: Path, mask_wait: float = 10.0) -> AsyncIterator[Watch]:
    watch = Watch()
    async with SwmrObserver(master, mask_wait=mask_wait, seen=watch.seen) as watch.observer:
        yield watch


def test_frames_are_seen_as_they_come_in_any_order(tmp_path: Path, writer: StepWriter) -> None:
    async def story() -> None:
        a, b = tmp_path / "a.h5", tmp_path / "b.h5"
        async with watching(write_master(tmp_path)) as watch:
            await watch.until(lambda: bool(watch.described and watch.writers.states))
            assert watch.writers.states == (Writer.ABSENT, Writer.ABSENT)
            writer.create(a, 100)
            await watch.until(lambda: watch.writers.states == (Writer.WRITING, Writer.ABSENT))
            for step, row in enumerate([0, 1, 5, 3, 99], 1):
                writer.write(a, row, row)
                await watch.until(lambda step=step: len(watch.rows.get(0, [])) == step)  # type: ignore[misc]
            writer.create(b, 100)  # the second file grows while the first one has gaps
            writer.write(b, 0, 100)
            await watch.until(lambda: watch.rows.get(1) == [0])
            assert watch.rows[0] == [0, 1, 5, 3, 99]
            writer.close(a)
            writer.close(b)
            await watch.until(lambda: watch.writers.states == (Writer.CLOSED, Writer.CLOSED))
            await watch.until(lambda: watch.writers.full_scan)
            assert watch.writers.was_writing
            assert watch.pixels == {(0, r): {r} for r in (0, 1, 5, 3, 99)} | {(1, 0): {100}}
            assert watch.writers.problems == ()

    asyncio.run(story())


def test_a_wide_gap_holds_up_nobody(tmp_path: Path, writer: StepWriter) -> None:
    async def story() -> None:
        a = tmp_path / "a.h5"
        writer.create(a, 1000)
        async with watching(write_master(tmp_path, 1000)) as watch:
            writer.write(a, 500, 500)
            await watch.until(lambda: watch.rows.get(0) == [500])
            for row in range(501, 700):
                writer.write(a, row, row)
            await watch.until(lambda: len(watch.rows[0]) == 200)
            assert sorted(watch.rows[0]) == list(range(500, 700))

    asyncio.run(story())


def test_a_dataset_that_grows(tmp_path: Path, writer: StepWriter) -> None:
    async def story() -> None:
        a = tmp_path / "a.h5"
        writer.create(a, 0, growing=True)
        async with watching(write_master(tmp_path)) as watch:
            for row in range(3):
                writer.write(a, row, row)
                await watch.until(lambda row=row: watch.rows.get(0) == list(range(row + 1)))  # type: ignore[misc]

    asyncio.run(story())


def test_a_writer_that_is_killed_leaves_its_frames(tmp_path: Path, writer: StepWriter) -> None:
    async def story() -> None:
        a = tmp_path / "a.h5"
        async with watching(write_master(tmp_path)) as watch:
            writer.create(a, 100)
            writer.write(a, 0, 0)
            await watch.until(lambda: watch.rows.get(0) == [0])
            writer.write(a, 1, 1)
            writer.kill()
            await watch.until(lambda: watch.rows[0] == [0, 1])
            await watch.whole_scan()
            assert watch.writers.states == (Writer.WRITING, Writer.ABSENT)
        async with watching(tmp_path / "scan_master.h5") as watch:  # the one who comes after it sees the same
            await watch.until(lambda: watch.rows.get(0) == [0, 1])

    asyncio.run(story())


def test_a_file_without_swmr_is_waited_for(tmp_path: Path, writer: StepWriter) -> None:
    async def story() -> None:
        a = tmp_path / "a.h5"
        writer.create(a, 100, swmr=False)
        writer.write(a, 0, 0)
        async with watching(write_master(tmp_path)) as watch:
            await watch.until(lambda: watch.writers.states == (Writer.OPENING, Writer.ABSENT))
            ((file, sentence),) = watch.writers.problems
            assert file == 0
            assert "a.h5" in sentence
            writer.close(a)
            await watch.until(lambda: watch.rows.get(0) == [0])
            await watch.until(lambda: watch.writers.states[0] is Writer.CLOSED)
            assert not watch.writers.was_writing

    asyncio.run(story())


def test_a_file_that_is_replaced_is_opened_anew(tmp_path: Path, writer: StepWriter) -> None:
    async def story() -> None:
        a = tmp_path / "a.h5"
        writer.create(a, 100)
        async with watching(write_master(tmp_path)) as watch:
            await watch.until(lambda: bool(watch.writers.states) and watch.writers.states[0] is Writer.WRITING)
            a.unlink()
            writer.close(a)
            writer.create(a, 100)
            writer.write(a, 2, 2)
            await watch.until(lambda: watch.pixels == {(0, 2): {2}})

    asyncio.run(story())


def test_space_allocated_early_is_refused(tmp_path: Path, writer: StepWriter) -> None:
    async def story() -> None:
        writer.create(tmp_path / "a.h5", 100, early=True)
        async with watching(write_master(tmp_path)) as watch:
            with pytest.raises(Broken, match="ALLOC_TIME_EARLY"):
                await watch.until(lambda: False)
            with pytest.raises(Broken, match="ALLOC_TIME_EARLY"):
                await watch.observer.observe()

    asyncio.run(story())


def test_a_master_that_comes_bit_by_bit(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    whole = write_master(tmp_path / "elsewhere").read_bytes()
    master = tmp_path / "scan_master.h5"
    reader = MasterReader(Request(str(master)))
    now = 0.0
    for part in (None, b"", whole[:30], whole[:2000], whole[:-1]):
        if part is not None:
            master.write_bytes(part)
        for _ in range(3):
            now += 1.0
            assert all(isinstance(item, MasterBlocked) for item in reader.step(now))
    master.write_bytes(whole)
    assert reader.step(now + 1) == []  # whole, but it may still be changed
    os.utime(master)
    assert reader.step(now + 2) == []
    assert [type(item) for item in reader.step(now + 3)] == [Described]
    reader.close()


def test_a_master_without_images_is_given_up_once_it_rests(tmp_path: Path) -> None:
    master = tmp_path / "scan_master.h5"
    with h5py.File(master, "w", libver=LIBVER) as file:
        write_metadata(file, 3)
    reader = MasterReader(Request(str(master)))
    (blocked,) = reader.step(0.0)
    assert isinstance(blocked, MasterBlocked)
    assert "has no images" in blocked.problem
    assert reader.step(2.0) == []
    os.utime(master)  # somebody is still at it
    assert reader.step(4.0) == []
    with pytest.raises(Broken, match="has no images"):
        reader.step(8.0)


def test_the_mask_is_waited_for(tmp_path: Path, writer: StepWriter) -> None:
    async def story() -> None:
        master = write_master(tmp_path, mask=True)
        writer.create(tmp_path / "a.h5", 100)
        writer.write(tmp_path / "a.h5", 0, 0)
        async with watching(master) as watch:
            await watch.whole_scan()
            assert watch.rows == {0: [0]}
            assert watch.mask_pixels is None
            mask = np.zeros(IMAGE, np.int32)
            mask[1, 2] = 4
            with h5py.File(tmp_path / "part.h5", "w", libver=LIBVER) as file:
                file["mask"] = mask
            (tmp_path / "part.h5").rename(tmp_path / "scan_meta.h5")
            await watch.until(lambda: watch.mask_pixels == 1)
            assert watch.warnings == ()

    asyncio.run(story())


def test_a_mask_that_never_comes_is_done_without(tmp_path: Path, writer: StepWriter) -> None:
    async def story() -> None:
        master = write_master(tmp_path, mask=True)
        async with watching(master, mask_wait=0.5) as watch:
            await watch.whole_scan()
            assert watch.mask_pixels is None  # without frames there is no hurry
            writer.create(tmp_path / "a.h5", 100)
            writer.write(tmp_path / "a.h5", 0, 0)
            await watch.until(lambda: watch.mask_pixels == 0)
            assert "pixel_mask is to come from scan_meta.h5" in watch.warnings[0]

    asyncio.run(story())


def test_a_killed_child_is_replaced_and_goes_on_where_it_was(tmp_path: Path, writer: StepWriter) -> None:
    async def story() -> None:
        a = tmp_path / "a.h5"
        async with watching(write_master(tmp_path)) as watch:
            writer.create(a, 100)
            writer.write(a, 0, 0)
            await watch.until(lambda: watch.rows.get(0) == [0])
            first = watch.observer.pid
            assert first is not None
            os.kill(first, signal.SIGKILL)
            writer.write(a, 1, 1)
            await watch.until(lambda: len(watch.rows[0]) > 1)
            await watch.whole_scan()
            assert watch.rows[0] == [0, 1]  # the first one is not reported again
            assert watch.observer.pid != first

    asyncio.run(story())


def test_a_silent_child_is_replaced(tmp_path: Path, writer: StepWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nursery, "SILENCE", 1.5)

    async def story() -> None:
        a = tmp_path / "a.h5"
        async with watching(write_master(tmp_path)) as watch:
            await watch.until(lambda: bool(watch.writers.states))
            first = watch.observer.pid
            assert first is not None
            os.kill(first, signal.SIGSTOP)  # as if it hung in a read
            writer.create(a, 100)
            writer.write(a, 0, 0)
            await watch.until(lambda: watch.rows.get(0) == [0])
            assert watch.observer.pid != first

    asyncio.run(story())


@pytest.mark.parametrize("direct", [True, False], ids=["followed", "by libhdf5"])
def test_a_file_that_is_cut_while_another_one_grows_is_noticed_within_a_tenth_of_a_second(
    tmp_path: Path, writer: StepWriter, direct: bool
) -> None:
    """Also where the kernel tells of so much that files are checked less often."""
    a, b = tmp_path / "a.h5", tmp_path / "b.h5"
    for path in (a, b):
        writer.create(path, 100)
        writer.write(path, 0, 0)
    reader = MasterReader(Request(str(write_master(tmp_path)), direct=direct))
    now = 0.0
    while not reader.folders:
        reader.step(now := now + 1.0)
    reader.hinted(folders=True)

    def grown(row: int, later: float) -> list[Observation]:
        nonlocal now
        writer.write(b, row, row)
        return reader.step(now := now + later)

    for row in range(1, 6):
        assert any(isinstance(item, OnDisk) for item in grown(row, 0.3))
    os.truncate(a, 0)
    said = [*grown(6, 0.008), *grown(7, 0.1)]
    assert any(isinstance(item, Superseded) for item in said)
    reader.close()


def test_children_that_keep_dying_end_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with SwmrObserver(tmp_path / "never.h5") as watcher, asyncio.timeout(60):
            waiting = asyncio.create_task(watcher.observe())
            killed = set()
            while not waiting.done():
                if watcher.pid is not None and watcher.pid not in killed:
                    killed.add(watcher.pid)
                    os.kill(watcher.pid, signal.SIGKILL)
                await asyncio.sleep(0)
            with pytest.raises(Broken, match="died 5 times in a row"):
                await waiting
            assert len(killed) == 5

    asyncio.run(story())


def test_a_row_is_looked_at_again(tmp_path: Path, writer: StepWriter) -> None:
    async def story() -> None:
        a = tmp_path / "a.h5"
        writer.create(a, 100)
        writer.write(a, 0, 0)
        writer.write(a, 1, 1)
        async with watching(write_master(tmp_path)) as watch:
            await watch.until(lambda: watch.rows.get(0) == [0, 1])
            watch.observer.look_again(0, 0)
            await watch.until(lambda: watch.rows[0] == [0, 1, 0])
        writer.close(a)
        async with SwmrObserver(tmp_path / "scan_master.h5", wait=False) as watcher:
            watch = Watch()
            watch.observer = watcher
            await watch.until(lambda: watch.rows.get(0) == [0, 1])
            watch.observer.look_again(0, 1)
            await watch.until(lambda: watch.rows[0] == [0, 1, 1])

    asyncio.run(story())


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    def descriptors() -> set[str]:
        # the tracker that multiprocessing starts once per process stays
        return {f"{fd} {fd.readlink()}" for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()}

    async def story() -> int:
        async with watching(write_master(tmp_path)) as watch:
            await watch.until(lambda: bool(watch.writers.states))
            assert watch.observer.pid is not None
            return watch.observer.pid

    asyncio.run(story())
    before, threads = descriptors(), set(threading.enumerate())
    pid = asyncio.run(story())
    assert descriptors() == before
    assert set(threading.enumerate()) == threads
    assert not Path(f"/proc/{pid}").exists()
