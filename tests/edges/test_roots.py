"""A collection whose files lead out of the allowed folders, from the start or later: nothing out there is read."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from filewatcher.core.observations import Described, OnDisk, Writers
from filewatcher.edges.swmr import SwmrObserver
from filewatcher.errors import Broken, Forbidden
from filewatcher.roots import Roots
from filewatcher.testing.stepwriter import StepWriter
from filewatcher.testing.tinyfiles import IMAGE, LIBVER, write_data, write_metadata, write_virtual
from spotfinding.chunks import Chunk, read_chunk
from spotfinding.errors import NotReadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROWS = 3


@pytest.fixture
def writer() -> Iterator[StepWriter]:
    with StepWriter() as started:
        yield started


class Visit:
    """A folder that may be read, and one beside it that may not; the master has links to a.h5 and b.h5 (DECTRIS)."""

    def __init__(self, folder: Path) -> None:
        self.inside, self.outside = folder / "mine", folder / "theirs"
        self.raw = self.inside / "raw"
        self.raw.mkdir(parents=True)
        self.outside.mkdir()
        self.master, self.a, self.b = self.inside / "scan_master.h5", self.raw / "a.h5", self.raw / "b.h5"
        with h5py.File(self.master, "w", libver=LIBVER) as file:
            write_metadata(file, 2 * ROWS)
            for number, name in ((1, "raw/a.h5"), (2, "../mine/raw/b.h5")):
                file[f"entry/data/data_{number:06d}"] = h5py.ExternalLink(name, "data")
        self.frames: dict[int, list[int]] = {}
        """Rows reported, by the number of their file."""

    async def watch(self, *, until: Callable[[], bool] = lambda: False, then: Callable[[], None] | None = None) -> None:
        """Watch for good; `then`: once something is true."""
        async with asyncio.timeout(30), SwmrObserver(self.master, roots=Roots([self.inside])) as observer:
            while True:
                for news in await observer.observe():
                    if isinstance(news, OnDisk):
                        self.frames.setdefault(news.file, []).extend(chunk.row for chunk in news.chunks)
                    if then is not None and until():
                        then = then()

    def trap(self) -> Path:
        """Return what holds up for ever whoever opens it, out there."""
        trap = self.outside / "trap.h5"
        os.mkfifo(trap)
        return trap

    def theirs(self) -> Path:
        """Return a collection's file of somebody else."""
        path = self.outside / "b.h5"
        write_data(path, range(ROWS))
        return path


def link_file(visit: Visit, target: Path) -> None:
    visit.b.symlink_to(target)


def link_inside(visit: Visit, target: Path) -> None:
    """A real data file, whose images are a link."""
    with h5py.File(visit.raw / "new.h5", "w", libver=LIBVER) as file:
        file["data"] = h5py.ExternalLink(str(target), "data")
    (visit.raw / "new.h5").rename(visit.b)


def soft_then_out(visit: Visit, target: Path) -> None:
    with h5py.File(visit.raw / "new.h5", "w", libver=LIBVER) as file:
        file["data"] = h5py.SoftLink("/there")
        file["there"] = h5py.ExternalLink(str(target), "data")
    (visit.raw / "new.h5").rename(visit.b)


def virtual(visit: Visit, target: Path) -> None:
    axis = (0, 1, 1, ROWS)
    with h5py.File(visit.raw / "new.h5", "w", libver=LIBVER) as file:
        write_virtual(file, "data", (ROWS, *IMAGE), [(axis, str(target), "data", axis)])
    (visit.raw / "new.h5").rename(visit.b)


def endless(visit: Visit, target: Path) -> None:
    """Without an end: libhdf5 looks into the sources for the size."""
    axis = (0, 1, 0, 1)
    with h5py.File(visit.raw / "new.h5", "w", libver=LIBVER) as file:
        write_virtual(file, "data", (0, *IMAGE), [(axis, str(target), "data", axis)])
    (visit.raw / "new.h5").rename(visit.b)


@pytest.mark.parametrize("live", [True, False], ids=["later", "from the start"])
@pytest.mark.parametrize("lead_out", [link_file, link_inside, soft_then_out, virtual, endless])
def test_a_later_file_that_leads_out_ends_it(
    lead_out: Callable[[Visit, Path], None], live: bool, tmp_path: Path, writer: StepWriter
) -> None:
    visit = Visit(tmp_path)
    trap = visit.trap()
    writer.create(visit.a, ROWS)
    writer.write(visit.a, 0, 0)
    if not live:
        lead_out(visit, trap)
    with pytest.raises(Forbidden, match="leads, outside the folders that this server may read"):
        asyncio.run(visit.watch(until=lambda: 0 in visit.frames, then=lambda: lead_out(visit, trap)))
    assert visit.frames == ({0: [0]} if live else {})


@pytest.mark.parametrize("part", ["file", "folder"])
def test_a_file_that_is_swapped_for_a_link_while_it_grows(part: str, tmp_path: Path, writer: StepWriter) -> None:
    visit = Visit(tmp_path)
    theirs = visit.theirs()

    def swap() -> None:
        link = visit.inside / "link"
        if part == "file":
            link.symlink_to(theirs)
            link.rename(visit.b)
        else:
            visit.raw.rename(visit.inside / "away")
            link.symlink_to(visit.outside)
            link.rename(visit.raw)

    write_data(visit.a, range(ROWS))
    writer.create(visit.b, ROWS)
    writer.write(visit.b, 0, ROWS)
    with pytest.raises(Forbidden, match=r"raw/b\.h5 is, or leads, outside"):
        asyncio.run(visit.watch(until=lambda: 1 in visit.frames, then=swap))
    assert visit.frames == {0: [0, 1, 2], 1: [0]}


def test_links_that_stay_inside_are_followed(tmp_path: Path) -> None:
    visit = Visit(tmp_path)
    for number, path in enumerate((visit.a, visit.b)):
        real = visit.inside / f"elsewhere_{number}.h5"
        write_data(real, range(ROWS))
        path.symlink_to(real)
    visit.master.rename(visit.inside / "real.h5")
    visit.master.symlink_to("real.h5")

    async def story() -> None:
        async with SwmrObserver(visit.master, wait=False, roots=Roots([visit.inside])) as observer:
            rows = 0
            while rows < 2 * ROWS:
                rows += sum(len(news.chunks) for news in await observer.observe() if isinstance(news, OnDisk))

    asyncio.run(asyncio.wait_for(story(), 30))


def test_a_master_that_leads_out_is_not_opened(tmp_path: Path) -> None:
    visit = Visit(tmp_path)
    visit.master.unlink()
    visit.master.symlink_to(visit.trap())
    with pytest.raises(Forbidden, match=re.escape(f"{visit.master} is, or leads, outside")):
        asyncio.run(visit.watch())


def mask_by_link(file: h5py.File, trap: Path) -> None:
    file["entry/instrument/detector/pixel_mask"] = h5py.ExternalLink("mask.h5", "mask")
    (Path(file.filename).parent / "mask.h5").symlink_to(trap)


def mask_virtual(file: h5py.File, trap: Path) -> None:
    layout = h5py.VirtualLayout(IMAGE, "<u4")
    layout[:] = h5py.VirtualSource(str(trap), "mask", IMAGE)
    file.create_virtual_dataset("entry/instrument/detector/pixel_mask", layout)


def mask_stored_outside(file: h5py.File, trap: Path) -> None:
    where = ((str(trap), 0, int(np.prod(IMAGE)) * 4),)
    file.create_dataset("entry/instrument/detector/pixel_mask", IMAGE, "<u4", external=where)


@pytest.mark.parametrize("lead_out", [mask_by_link, mask_virtual, mask_stored_outside])
def test_values_that_lie_outside_are_not_read(lead_out: Callable[[h5py.File, Path], None], tmp_path: Path) -> None:
    visit = Visit(tmp_path)
    trap = visit.trap()
    with h5py.File(visit.master, "r+", libver=LIBVER) as file:
        lead_out(file, trap)
    write_data(visit.a, range(ROWS))
    with pytest.raises(Forbidden, match=r"that this server may read|takes only values stored in a file"):
        asyncio.run(visit.watch())


def test_images_stored_outside_are_not_read(tmp_path: Path) -> None:
    visit = Visit(tmp_path)
    write_data(visit.a, range(ROWS))
    with h5py.File(visit.b, "w", libver=LIBVER) as file:
        size = ROWS * int(np.prod(IMAGE)) * 2
        file.create_dataset("data", (ROWS, *IMAGE), "<u2", external=((str(visit.trap()), 0, size),))
    with pytest.raises(Broken, match="not at all: no image can be read from it"):
        asyncio.run(visit.watch())


def test_a_worker_does_not_follow_a_link_that_was_swapped_in_since(tmp_path: Path) -> None:
    visit = Visit(tmp_path)
    write_data(visit.a, [1])
    allowed = Chunk(str(visit.a), 0, 8, roots=(str(visit.inside),))
    assert bytes(read_chunk(allowed)) == b"\x89HDF\r\n\x1a\n"
    visit.a.unlink()
    visit.a.symlink_to(visit.theirs())
    with pytest.raises(NotReadable, match="it now leads outside the folders that may be read"):
        read_chunk(allowed)
    assert bytes(read_chunk(Chunk(str(visit.a), 0, 8))) == b"\x89HDF\r\n\x1a\n", "whoever has no roots reads all"


def test_what_is_open_is_what_counts(tmp_path: Path) -> None:
    visit = Visit(tmp_path)
    theirs, roots = visit.theirs(), Roots([visit.inside])
    write_data(visit.a, [1])
    with theirs.open("rb") as opened, pytest.raises(Forbidden, match=re.escape(f"{visit.a} is, or leads, outside")):
        roots.check_open(opened.fileno(), str(visit.a))
    with visit.a.open("rb") as opened:
        roots.check_open(opened.fileno(), str(visit.a))


def test_without_roots_nothing_is_refused(tmp_path: Path) -> None:
    visit = Visit(tmp_path)
    write_data(visit.a, range(ROWS))
    visit.b.symlink_to(visit.theirs())
    said: list[object] = []

    async def story() -> None:
        async with SwmrObserver(visit.master, wait=False) as observer:
            while not any(isinstance(news, Writers) and news.full_scan for news in said):
                said.extend(await observer.observe())

    asyncio.run(asyncio.wait_for(story(), 30))
    assert len(next(news for news in said if isinstance(news, Described)).frame_map) == 2 * ROWS
