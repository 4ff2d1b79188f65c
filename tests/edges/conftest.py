"""A watcher as the loop runs it (real observer, real `ScanWatch`, real clock), and mounts of our own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import h5py
import numpy as np
import pytest

from filewatcher.core.messages import FrameMissing, FrameReady
from filewatcher.core.observations import Described, DetectorRead, Writers
from filewatcher.core.scanwatch import ScanWatch, TimeOuts
from filewatcher.edges.swmr import SwmrObserver
from filewatcher.testing.stepwriter import StepWriter
from filewatcher.testing.tinyfiles import IMAGE, LIBVER, write_metadata, write_virtual
from spotfinding.chunks import Chunk, read_chunk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from filewatcher.core.messages import ScanEnded
    from filewatcher.core.observations import Observation

ROWS = 4
"""Frames per data file: frame k is row k of a.h5, frame `ROWS` + k is row k of b.h5."""
LATE = 1.0
"""Seconds that an end may come after its time-out."""


class Beamline:
    """A master over a.h5 and b.h5, and a watcher that is moved on until something is true."""

    def __init__(self, folder: Path, rows: int = ROWS) -> None:
        self.folder, self.rows = folder, rows
        self.master = folder / "scan_master.h5"
        self.a, self.b = folder / "a.h5", folder / "b.h5"

    def write_master(self, path: Path | None = None) -> Path:
        target = path or self.master
        with h5py.File(target, "w", libver=LIBVER) as file:
            write_metadata(file, 2 * self.rows)
            axis = (0, 1, 1, self.rows)
            write_virtual(file, "entry/data/data", (2 * self.rows, *IMAGE), [
                (axis, "a.h5", "data", axis), ((self.rows, 1, 1, self.rows), "b.h5", "data", axis),
            ])  # fmt: skip
        return target

    def watching(self, **timeouts: float) -> Watching:
        return Watching(self.master, TimeOuts(**{"first": 20.0, "progress": 2.0, "grace": 0.5} | timeouts))


class Watching:
    """What the loop does without its workers; the bytes of each frame are read the moment it is announced."""

    def __init__(self, master: Path, timeouts: TimeOuts) -> None:
        self.timeouts = timeouts
        self.frames: dict[int, set[int]] = {}
        self.missing: dict[int, str] = {}
        self.said: list[Observation] = []
        self.problems: set[str] = set()
        self.writers = Writers((), was_writing=False, full_scan=False)
        self.armed_at = self.progress_at = time.monotonic()
        self.watch = ScanWatch(timeouts=timeouts, now=self.armed_at)
        self.observer = SwmrObserver(master, seen=self.watch.rows_seen)
        self._news: asyncio.Task[list[Observation]] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.observer.close()
        if self._news is not None:
            self._news.cancel()
            await asyncio.gather(self._news, return_exceptions=True)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(40):
            while not condition():
                await self._step()

    async def end(self) -> ScanEnded:
        """Wait for the end, which must not come later than its time-out."""
        await self.until(lambda: self.watch.ended is not None)
        ended, now = self.watch.ended, time.monotonic()
        assert ended is not None
        limit = self.timeouts.first if not self.frames else self.timeouts.progress or 0.0
        assert now - (self.progress_at if self.frames else self.armed_at) <= limit + LATE
        assert ended.expected == len(self.frames) + len(self.missing)
        return ended

    async def whole_scan(self) -> None:
        """Wait for a full scan that starts after now (of two in a row the second one does)."""
        for _ in range(2):
            last = self.writers
            await self.until(lambda last=last: self.writers is not last and self.writers.full_scan)  # type: ignore[misc]

    @property
    def right(self) -> bool:
        """Every frame announced was the one that it was announced as."""
        return all(pixels == {frame} for frame, pixels in self.frames.items())

    async def _step(self) -> None:
        if self._news is None:
            self._news = asyncio.create_task(self.observer.observe())
        done, _ = await asyncio.wait({self._news}, timeout=0.05)
        news: list[Any] = [None]
        if done:
            news, self._news = self._news.result(), None
        for item in news:
            self._take(item)

    def _take(self, item: Observation | None) -> None:
        now = time.monotonic()
        if item is not None and not isinstance(item, DetectorRead):
            self.said.append(item)
        if isinstance(item, Writers):
            self.writers = item
        for event in self.watch.observe(None if isinstance(item, DetectorRead) else item, now):
            if isinstance(event, FrameReady):
                self.progress_at = now
                data = read_chunk(Chunk(event.path, event.offset, event.size))
                self.frames[event.frame] = set(np.frombuffer(data, "<u2").tolist())
            elif isinstance(event, FrameMissing):
                self.missing[event.frame] = event.reason
        self.problems.update(self.watch.problems)

    @property
    def described(self) -> bool:
        return any(isinstance(item, Described) for item in self.said)


@pytest.fixture
def beamline(tmp_path: Path) -> Beamline:
    return Beamline(tmp_path)


@pytest.fixture
def writer() -> Iterator[StepWriter]:
    with StepWriter() as started:
        yield started


@pytest.fixture
def other_writer() -> Iterator[StepWriter]:
    """Of another collection."""
    with StepWriter() as started:
        yield started


class Mount:
    """A folder seen through FUSE, as over a network: the kernel believes what it has read for a second and longer."""

    def __init__(self, source: Path, place: Path, *options: str) -> None:
        self.place = place
        with Path("/proc/self/mountinfo").open(encoding="utf-8") as mounts:
            changes = select.poll()
            changes.register(mounts, select.POLLPRI)
            self.server = subprocess.Popen(
                ["bindfs", "-f", "--no-allow-other", "-o", ",".join(options), str(source), str(place)]
            )
            while not os.path.ismount(place):
                assert self.server.poll() is None, "bindfs did not mount: is /dev/fuse there?"
                changes.poll(100)

    def unmount(self) -> None:
        """As when the disk goes away under those who use it; files that are open stay readable."""
        subprocess.run(["fusermount", "-u", "-z", str(self.place)], check=True)

    def end(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):  # it is unmounted already
            self.unmount()
        self.server.kill()
        self.server.wait()


@pytest.fixture
def mount() -> Iterator[Callable[..., Mount]]:
    """Mount a folder at another one, with FUSE's options."""
    mounts: list[Mount] = []

    def make(source: Path, place: Path, *options: str) -> Mount:
        source.mkdir(exist_ok=True)
        place.mkdir(exist_ok=True)
        mounts.append(Mount(source, place, *options))
        return mounts[-1]

    yield make
    for one in mounts:
        one.end()
