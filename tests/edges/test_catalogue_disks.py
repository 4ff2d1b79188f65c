"""The failure catalogue, part 4: file systems that lie, die or go away.

They are real ones, through FUSE (bindfs, which `make env` installs), so that nobody has to be root; what is missing
fails the test. A frame that is announced has been read by `read_chunk`, as a worker does it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from filewatcher.core.observations import Writer
from filewatcher.edges.journal import refuse_shared
from filewatcher.edges.swmr import inspect_master
from filewatcher.errors import Refused
from filewatcher.mounts import file_system
from filewatcher.testing.tinyfiles import IMAGE, image, write_data
from spotfinding.chunks import Chunk, Decoder, Layout, read_chunk, read_frame
from tests.edges.conftest import ROWS, Beamline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from filewatcher.testing.stepwriter import StepWriter
    from tests.edges.conftest import Mount, Watching

A = list(range(ROWS))
B = list(range(ROWS, 2 * ROWS))
BELIEVES = ("attr_timeout=1", "entry_timeout=1", "negative_timeout=1")
"""Close-to-open, as NFS: what was read of an open file is believed until it is opened again, a size for a second."""
BELIEVES_ALL = (*BELIEVES, "kernel_cache")
"""Worse: opening a file again does not help either."""

NAIVE = """
import sys, h5py
with h5py.File(sys.argv[1], "r", libver="latest", swmr=True, locking=False) as file:
    images = file["data"]
    print("open", flush=True)
    for _ in sys.stdin:
        images.refresh()
        print(images.id.get_num_chunks(), flush=True)
"""
"""A reader as most are written: it keeps the file open and refreshes the dataset."""


@pytest.fixture
def naive() -> Iterator[Callable[[Path], subprocess.Popen[str]]]:
    """Start such a reader on a file; it looks for each line that it is sent."""
    running: list[subprocess.Popen[str]] = []

    def start(path: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", NAIVE, str(path)]
        running.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert running[-1].stdout is not None
        assert running[-1].stdout.readline() == "open\n"
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("options", [BELIEVES, BELIEVES_ALL], ids=["close-to-open", "kernel_cache"])
def test_all_frames_are_seen_where_a_naive_reader_sees_none(
    tmp_path: Path,
    writer: StepWriter,
    mount: Callable[..., Mount],
    naive: Callable[[Path], subprocess.Popen[str]],
    options: tuple[str, ...],
) -> None:
    async def story() -> None:
        there = Beamline(tmp_path / "server")
        here = Beamline(mount(there.folder, tmp_path / "client", *options).place)
        elsewhere = mount(there.folder, tmp_path / "other client", *options).place  # with a cache of its own
        there.write_master()
        for path in (there.a, there.b):
            writer.create(path, ROWS)
        other = naive(elsewhere / "a.h5")
        async with here.watching(progress=10.0) as watching:
            for number in (*A, *B):
                path = there.a if number in A else there.b
                writer.write(path, number % ROWS, number)
                await watching.until(lambda number=number: number in watching.frames)  # type: ignore[misc]
            assert (await watching.end()).reason == "complete"
            assert watching.right
        seen_by_it, _ = other.communicate("look\n")
        assert int(seen_by_it) == 0

    asyncio.run(story())


@pytest.mark.parametrize("options", [BELIEVES, BELIEVES_ALL], ids=["close-to-open", "kernel_cache"])
def test_a_burst_is_seen_whole(
    tmp_path: Path, writer: StepWriter, mount: Callable[..., Mount], options: tuple[str, ...]
) -> None:
    """As fast as the writer can, so that many blocks of the index are read half before and half after a write."""

    async def story() -> None:
        rows = 1500
        there = Beamline(tmp_path / "server", rows)
        here = Beamline(mount(there.folder, tmp_path / "client", *options).place, rows)
        there.write_master()
        writer.create(there.a, rows)
        writer.create(there.b, rows)
        async with here.watching(progress=10.0) as watching:
            for row in range(rows):
                writer.write(there.a, row, row)
                writer.write(there.b, row, rows + row)
                await asyncio.sleep(0)
            assert (await watching.end()).reason == "complete"
            assert watching.right

    asyncio.run(story())


def test_a_worker_reads_past_its_own_cache(tmp_path: Path, mount: Callable[..., Mount]) -> None:
    """Not compressed, old zeros look like pixels; what lies beyond the size that is believed looks cut off."""
    mounted = mount(tmp_path / "server", tmp_path / "client", *BELIEVES_ALL).place
    there, here = tmp_path / "server" / "a.h5", str(mounted / "a.h5")
    size = len(image(0).tobytes())
    there.write_bytes(image(0).tobytes() + bytes(4096 - size))
    decoder = Decoder(Layout(IMAGE, "<u2"))
    assert (read_frame(Chunk(here, 0, size), decoder) == 0).all()
    with there.open("r+b") as file:
        file.seek(size)
        file.write(image(7).tobytes())
        file.seek(4096)
        file.write(image(8).tobytes())
    assert read_chunk(Chunk(here, size, size)) == bytes(size)  # what everyone else would take for a frame
    for place, number in ((size, 7), (4096, 8)):
        assert (read_frame(Chunk(here, place, size), decoder, patience=2.0) == number).all()


def test_inspect_says_what_it_is_and_the_journal_refuses_it(tmp_path: Path, mount: Callable[..., Mount]) -> None:
    mounted = mount(tmp_path / "server", tmp_path / "client").place
    found = inspect_master(Beamline(mounted).write_master())
    assert (found.file_system, found.coherent) == ("fuse", False)
    assert file_system(mounted).attribute_timeout == 1.0
    with pytest.raises(Refused, match="is on fuse, but the journal needs a local file system"):
        refuse_shared(mounted / "state")
    refuse_shared(tmp_path)


async def half_seen(here: Beamline, there: Beamline, writer: StepWriter, watching: Watching) -> None:
    there.write_master()
    writer.create(there.a, ROWS)
    writer.write(there.a, 0, 0)
    await watching.until(lambda: sorted(watching.frames) == [0])
    assert here.a.exists()


def test_a_file_system_whose_server_dies(tmp_path: Path, writer: StepWriter, mount: Callable[..., Mount]) -> None:
    """Every call fails (ENOTCONN; with NFS it would be EIO or ESTALE): the same reader waits, and ends in time."""

    async def story() -> None:
        there = Beamline(tmp_path / "server")
        mounted = mount(tmp_path / "server", tmp_path / "client", *BELIEVES)
        here = Beamline(mounted.place)
        async with here.watching() as watching:
            await half_seen(here, there, writer, watching)
            first = watching.observer.pid
            mounted.server.kill()
            mounted.server.wait()
            await watching.end()
            assert watching.missing[1].startswith(f"{here.a} cannot be")
            assert "not connected" in watching.missing[1]
            assert watching.observer.pid == first

    asyncio.run(story())


def test_a_disk_that_goes_away_and_one_that_comes_back(
    tmp_path: Path, writer: StepWriter, mount: Callable[..., Mount]
) -> None:
    async def story(comes_back: bool) -> None:
        there = Beamline(tmp_path / f"server {comes_back}")
        mounted = mount(there.folder, tmp_path / f"client {comes_back}", *BELIEVES)
        here = Beamline(mounted.place)
        async with here.watching(progress=15.0 if comes_back else 2.0) as watching:
            await half_seen(here, there, writer, watching)
            mounted.unmount()
            await watching.until(lambda: watching.writers.states[0] is Writer.ABSENT)
            if comes_back:
                mount(there.folder, mounted.place, *BELIEVES)
                for row in A[1:]:
                    writer.write(there.a, row, row)
                write_data(there.b, B)
                assert (await watching.end()).reason == "complete"
                assert watching.right
            else:
                ended = await watching.end()
                gone = f"{here.a} has disappeared: frames had been seen in it"
                assert watching.missing[1] == f"{gone}: {ended.reason}"

    asyncio.run(story(comes_back=False))
    asyncio.run(story(comes_back=True))


def test_a_stopped_server_does_not_hold_up_the_end(
    tmp_path: Path, writer: StepWriter, mount: Callable[..., Mount]
) -> None:
    """As an NFS server that does not answer: the reader hangs in the kernel, and is replaced in vain."""

    async def story() -> None:
        there = Beamline(tmp_path / "server")
        mounted = mount(tmp_path / "server", tmp_path / "client", *BELIEVES)
        async with Beamline(mounted.place).watching() as watching:
            await half_seen(Beamline(mounted.place), there, writer, watching)
            os.kill(mounted.server.pid, signal.SIGSTOP)
            ended = await watching.end()
            assert ended.reason == "no new frame came for 2 s (--timeout)"
            os.kill(mounted.server.pid, signal.SIGCONT)

    asyncio.run(story())


def test_what_may_not_be_read(tmp_path: Path) -> None:
    """Root may read all: without the two capabilities that let it, it is as everyone else."""
    beamline = Beamline(tmp_path)
    beamline.write_master()
    write_data(beamline.a, A)
    write_data(beamline.b, B)
    command = [sys.executable, "-m", "filewatcher", "inspect", str(beamline.master)]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    beamline.a.chmod(0)
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"{beamline.a} cannot be opened: Permission denied" in ran.stdout
    assert "8, 4 there now" in ran.stdout
    beamline.master.chmod(0)
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr.strip().endswith(f"{beamline.master} cannot be opened: Permission denied")
