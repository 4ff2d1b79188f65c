"""The failure catalogue, part 2: another collection under the names of the one that is watched, and files that shrink.

Whatever the writer does to the files, no frame of the second collection may be taken for one of the first.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from filewatcher.core.observations import Writer
from filewatcher.core.scanwatch import SUPERSEDED
from filewatcher.edges.swmr import nursery
from filewatcher.testing.tinyfiles import write_data
from tests.edges.conftest import ROWS

if TYPE_CHECKING:
    from filewatcher.testing.stepwriter import StepWriter
    from tests.edges.conftest import Beamline

OTHER = 1000
"""Added to the pixels of the second collection."""


def begin_anew(beamline: Beamline, writer: StepWriter, how: str) -> None:
    """Both data files, as a second collection makes them; nothing else is touched."""
    for path in (beamline.a, beamline.b):
        if how == "new inode":
            path.unlink(missing_ok=True)
        writer.create(path, ROWS)  # else cut to nothing and begun anew: the same inode


@pytest.mark.parametrize("how", ["same inode", "new inode"])
@pytest.mark.parametrize("first_ended", ["killed", "closed", "complete"])
def test_a_second_collection_ends_the_first(
    beamline: Beamline, writer: StepWriter, other_writer: StepWriter, how: str, first_ended: str
) -> None:
    async def story() -> None:
        beamline.write_master()
        async with beamline.watching(progress=30.0, grace=30.0) as watching:
            rows = ROWS if first_ended == "complete" else 2
            writer.create(beamline.a, ROWS)
            for row in range(rows):
                writer.write(beamline.a, row, row)
            await watching.until(lambda: len(watching.frames) == rows)
            if first_ended == "killed":
                writer.kill()
            else:
                writer.close(beamline.a)
                await watching.until(lambda: watching.writers.states[0] is Writer.CLOSED)
            begin_anew(beamline, other_writer, how)
            other_writer.write(beamline.b, 0, ROWS + OTHER)
            other_writer.write(beamline.a, 0, OTHER)
            ended = await watching.end()
            assert str(beamline.a) in ended.reason
            assert SUPERSEDED in ended.reason
            assert watching.right
            assert sorted(watching.frames) == list(range(rows))
            assert set(watching.missing.values()) == {ended.reason}
        async with beamline.watching() as watching:  # who starts again gets the new one, and nothing else
            await watching.until(lambda: len(watching.frames) == 2)
            assert watching.frames == {0: {OTHER}, ROWS: {ROWS + OTHER}}

    asyncio.run(story())


@pytest.mark.parametrize("how", ["same inode", "new inode"])
def test_a_second_collection_while_the_reader_was_away(
    beamline: Beamline,
    writer: StepWriter,
    other_writer: StepWriter,
    how: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The child that saw the first frames is dead; the next one knows what they were seen in."""
    monkeypatch.setattr(nursery, "SILENCE", 1.5)

    async def story() -> None:
        beamline.write_master()
        async with beamline.watching(progress=30.0) as watching:
            writer.create(beamline.a, ROWS)
            writer.write(beamline.a, 0, 0)
            writer.write(beamline.a, 1, 1)
            await watching.until(lambda: len(watching.frames) == 2)
            assert watching.observer.pid is not None
            os.kill(watching.observer.pid, signal.SIGSTOP)
            begin_anew(beamline, other_writer, how)
            other_writer.write(beamline.a, 2, 2 + OTHER)
            other_writer.write(beamline.b, 0, ROWS + OTHER)
            assert SUPERSEDED in (await watching.end()).reason
            assert watching.right
            assert sorted(watching.frames) == [0, 1]

    asyncio.run(story())


def test_a_second_collection_before_any_frame_is_simply_the_collection(beamline: Beamline, writer: StepWriter) -> None:
    async def story() -> None:
        beamline.write_master()
        writer.create(beamline.a, ROWS)
        async with beamline.watching(progress=1.0) as watching:
            await watching.until(lambda: watching.writers.states == (Writer.WRITING, Writer.ABSENT))
            writer.close(beamline.a)
            begin_anew(beamline, writer, "new inode")
            writer.write(beamline.a, 0, 0)
            await watching.until(lambda: sorted(watching.frames) == [0])
            assert SUPERSEDED not in (await watching.end()).reason

    asyncio.run(story())


def test_a_file_that_is_cut_off_while_it_is_watched(beamline: Beamline, writer: StepWriter) -> None:
    async def story() -> None:
        beamline.write_master()
        writer.create(beamline.a, ROWS)
        writer.write(beamline.a, 0, 0)
        writer.write(beamline.a, 1, 1)
        async with beamline.watching(progress=30.0) as watching:
            await watching.until(lambda: sorted(watching.frames) == [0, 1])
            first = watching.observer.pid
            os.truncate(beamline.a, 1000)
            ended = await watching.end()
            assert "a.h5 was cut off or begun anew: it has 1000 bytes" in ended.reason
            assert watching.observer.pid == first

    asyncio.run(story())


def test_a_writer_that_gives_back_space_when_it_closes_is_no_second_collection(
    beamline: Beamline, writer: StepWriter
) -> None:
    """libhdf5 reserves room for what may come, and cuts it off in the end: the file becomes shorter."""

    async def story() -> None:
        beamline.write_master()
        writer.create(beamline.a, ROWS)
        writer.create(beamline.b, ROWS)
        async with beamline.watching() as watching:
            for row in range(ROWS):
                writer.write(beamline.a, row, row)
                writer.write(beamline.b, row, ROWS + row)
            before = beamline.a.stat().st_size
            await watching.until(lambda: 0 in watching.frames)
            writer.close(beamline.a)
            writer.close(beamline.b)
            assert beamline.a.stat().st_size <= before
            assert (await watching.end()).reason == "complete"
            assert watching.right

    asyncio.run(story())


def test_an_index_that_cannot_be_read_for_a_while_is_no_second_collection(
    beamline: Beamline, writer: StepWriter
) -> None:
    """Read half before and half after a write, its checksum is wrong, and libhdf5 calls chunks empty that are there."""

    async def story() -> None:
        beamline.write_master()
        write_data(beamline.b, list(range(ROWS, 2 * ROWS)))
        writer.create(beamline.a, ROWS)
        for row in range(2):
            writer.write(beamline.a, row, row)
        async with beamline.watching(progress=20.0) as watching:
            await watching.until(lambda: len(watching.frames) == ROWS + 2)
            entries = beamline.a.read_bytes().index(b"FADB") + 14
            with beamline.a.open("r+b", buffering=0) as file:
                right = os.pread(file.fileno(), 8, entries + 8 * (ROWS - 1))
                os.pwrite(file.fileno(), bytes(8), entries + 8 * (ROWS - 1))
                await watching.until(lambda: any("cannot be" in problem for problem in watching.problems))
                await watching.whole_scan()
                assert watching.watch.ended is None
                os.pwrite(file.fileno(), right, entries + 8 * (ROWS - 1))
            for row in range(2, ROWS):
                writer.write(beamline.a, row, row)
            assert (await watching.end()).reason == "complete"
            assert watching.right

    asyncio.run(story())
