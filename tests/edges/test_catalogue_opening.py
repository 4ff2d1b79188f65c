"""The failure catalogue, part 1: data files that cannot be read yet, or never.

Each state is made by a real writer in a process of its own, or by cutting what it wrote; none may hang the watcher, end
later than its time-out, or go unnamed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from filewatcher.core.observations import Writer
from filewatcher.errors import Broken
from filewatcher.testing.tinyfiles import image, write_data
from tests.edges.conftest import ROWS

if TYPE_CHECKING:
    from pathlib import Path

    from filewatcher.testing.stepwriter import StepWriter
    from tests.edges.conftest import Beamline, Watching

A = list(range(ROWS))
B = list(range(ROWS, 2 * ROWS))
SUPERBLOCK = 48
"""Bytes of version 3 (HDF5 File Format Specification, section II.A)."""


def written(path: Path, numbers: list[int]) -> bytes:
    """The bytes of a whole data file, which is not left there."""
    write_data(path, numbers)
    content = path.read_bytes()
    path.unlink()
    return content


async def never_whole(beamline: Beamline, content: bytes, problem: str) -> None:
    """With b.h5 whole and a.h5 as it is, the frames of b.h5 come, and those of a.h5 are missing for a reason."""
    write_data(beamline.b, B)
    beamline.a.write_bytes(content)
    async with beamline.watching() as watching:
        ended = await watching.end()
        assert sorted(watching.frames) == B
        assert watching.right
        assert sorted(watching.missing) == A
        assert problem in watching.missing[0]
        assert str(beamline.a) in watching.missing[0]
        assert ended.reason in watching.missing[0]


async def never_right(beamline: Beamline, content: bytes, frame: int) -> None:
    """Where one frame's place is wrong, it is missing, and no frame is announced that is not what it should be."""
    beamline.a.unlink(missing_ok=True)
    beamline.a.write_bytes(content)
    write_data(beamline.b, B)
    async with beamline.watching() as watching:
        await watching.end()
        assert watching.right
        assert set(B) <= set(watching.frames)
        assert str(beamline.a) in watching.missing[frame]


async def whole_at_last(beamline: Beamline, watching: Watching, content: bytes) -> None:
    """As if its writer had only been slow."""
    beamline.a.write_bytes(content)
    write_data(beamline.b, B)
    assert (await watching.end()).reason == "complete"
    assert sorted(watching.frames) == A + B
    assert watching.right


@pytest.mark.parametrize("bytes_there", [0, 8, 24, SUPERBLOCK - 1])
def test_a_superblock_that_is_cut_off(beamline: Beamline, bytes_there: int) -> None:
    """As a writer leaves it in the middle of creating the file."""

    async def story() -> None:
        content = written(beamline.a, A)
        beamline.write_master()
        beamline.a.write_bytes(content[:bytes_there])
        async with beamline.watching() as watching:
            await watching.until(lambda: watching.writers.states == (Writer.OPENING, Writer.ABSENT))
            await whole_at_last(beamline, watching, content)

    asyncio.run(story())


def test_a_superblock_of_which_half_is_written_does_not_hang(beamline: Beamline) -> None:
    """Its size is right and its checksum is not: by its default rules libhdf5 waits for that one for ever."""

    async def story() -> None:
        content = written(beamline.a, A)
        half = content[:24] + bytes(SUPERBLOCK - 24) + content[SUPERBLOCK:]
        beamline.write_master()
        beamline.a.write_bytes(half)
        async with beamline.watching() as watching:
            await watching.until(lambda: bool(watching.problems))
            first = watching.observer.pid
            await whole_at_last(beamline, watching, content)
            assert watching.observer.pid == first  # bounded attempts: it was not even silent
        beamline.b.unlink()
        await never_whole(beamline, half, "cannot be opened")

    asyncio.run(story())


def test_created_but_swmr_is_not_started(beamline: Beamline, writer: StepWriter) -> None:
    async def story() -> None:
        beamline.write_master()
        writer.create(beamline.a, ROWS, swmr=False)  # consistency flags: 1
        write_data(beamline.b, B)
        async with beamline.watching() as watching:
            await watching.end()
            assert "is held by a writer that lets nobody read it yet" in watching.missing[0]
            assert sorted(watching.frames) == B

    asyncio.run(story())


@pytest.mark.parametrize("flushed", [False, True])
def test_a_writer_without_swmr_holds_an_old_file(beamline: Beamline, writer: StepWriter, flushed: bool) -> None:
    """Superblock 0 says nothing of its writer: it is waited for until the file is whole and rests, or is given up."""

    async def story() -> None:
        beamline.write_master()
        writer.create(beamline.a, ROWS, old=True)
        for row in A:
            writer.write(beamline.a, row, row)
        write_data(beamline.b, B)
        if flushed:
            writer.flush(beamline.a)
        async with beamline.watching(progress=5.0) as watching:
            await watching.until(lambda: sorted(watching.frames)[-ROWS:] == B)
            if not flushed:
                await watching.until(lambda: any("without SWMR may still hold" in p for p in watching.problems))
                assert not set(A) & set(watching.frames)
            writer.close(beamline.a)
            assert (await watching.end()).reason == "complete"
            assert watching.right

    asyncio.run(story())


def test_dectris_renames_each_file_when_it_is_whole(beamline: Beamline, writer: StepWriter) -> None:
    async def story() -> None:
        beamline.write_master()
        hidden = beamline.folder / "a.h5.part"
        writer.create(hidden, ROWS, swmr=False)
        for row in A:
            writer.write(hidden, row, row)
        async with beamline.watching() as watching:
            await watching.until(lambda: watching.writers.states == (Writer.ABSENT, Writer.ABSENT))
            writer.close(hidden)
            hidden.rename(beamline.a)
            await watching.until(lambda: sorted(watching.frames) == A)
            await watching.whole_scan()
            assert watching.watch.ended is None  # the next file may come any moment
            write_data(beamline.b, B)
            assert (await watching.end()).reason == "complete"
            assert watching.right

    asyncio.run(story())


def test_a_copy_that_was_cut_off(beamline: Beamline) -> None:
    async def story() -> None:
        beamline.write_master()
        content = written(beamline.a, A)
        await never_whole(beamline, content[:-10], f"has {len(content) - 10} of the {len(content)} bytes")
        beamline.b.unlink()
        beamline.a.write_bytes(content[:-10])
        async with beamline.watching() as watching:  # it was only slow
            await watching.until(lambda: bool(watching.problems))
            await whole_at_last(beamline, watching, content)

    asyncio.run(story())


def test_an_index_whose_checksum_is_wrong(beamline: Beamline) -> None:
    async def story() -> None:
        beamline.write_master()
        content = bytearray(written(beamline.a, A))
        content[content.index(b"FAHD") + 8] ^= 0xFF  # the header of the fixed array that is the chunk index
        await never_whole(beamline, bytes(content), "cannot be read")

    asyncio.run(story())


def test_a_torn_index_entry_is_not_believed(beamline: Beamline) -> None:
    """Half of an address is another one, far beyond the end; libhdf5 sees it by its checksum, we by the file's size."""

    async def story() -> None:
        beamline.write_master()
        content = bytearray(written(beamline.a, A))
        entries = content.index(b"FADB") + 14  # signature, version, client, address of the header: then the entries
        content[entries + 8 * 2 + 4] = 0xFF  # the upper half of the third address
        await never_right(beamline, bytes(content), 2)

    asyncio.run(story())


def test_an_index_that_knows_more_than_the_file_holds(beamline: Beamline, writer: StepWriter) -> None:
    """A copy of a file that was still growing: nothing at its beginning says how long it should be."""

    async def story() -> None:
        beamline.write_master()
        writer.create(beamline.a, ROWS)
        for row in A:
            writer.write(beamline.a, row, row)
        content = beamline.a.read_bytes()
        last = content.rindex(image(ROWS - 1).tobytes())
        await never_right(beamline, content[: last + 10], ROWS - 1)

    asyncio.run(story())


def test_space_allocated_early_is_refused_at_once(beamline: Beamline, writer: StepWriter) -> None:
    async def story() -> None:
        beamline.write_master()
        writer.create(beamline.a, ROWS, early=True)
        async with beamline.watching() as watching:
            with pytest.raises(Broken, match=r"a\.h5:/data was created with all of its space .* filewatcher reprocess"):
                await watching.end()

    asyncio.run(story())


def test_a_data_file_that_never_comes(beamline: Beamline, writer: StepWriter) -> None:
    async def story() -> None:
        beamline.write_master()
        writer.create(beamline.a, ROWS)
        for row in A:
            writer.write(beamline.a, row, row)
        async with beamline.watching() as watching:
            await watching.end()
            assert sorted(watching.frames) == A
            assert set(watching.missing.values()) == {"b.h5 does not exist: no new frame came for 2 s (--timeout)"}

    asyncio.run(story())


def test_an_abort_with_fewer_frames_ends_when_all_is_closed(beamline: Beamline, writer: StepWriter) -> None:
    async def story() -> None:
        beamline.write_master()
        async with beamline.watching(progress=30.0) as watching:
            for path in (beamline.a, beamline.b):
                writer.create(path, ROWS)
            writer.write(beamline.a, 0, 0)
            await watching.until(lambda: sorted(watching.frames) == [0])
            for path in (beamline.a, beamline.b):
                writer.close(path)
            assert (await watching.end()).reason == "all writers have closed their files"
            assert sorted(watching.missing) == [*A[1:], *B]
            assert watching.missing[1].startswith("not written in a.h5")

    asyncio.run(story())


def test_nothing_ever_comes(beamline: Beamline) -> None:
    async def story() -> None:
        beamline.write_master()
        async with beamline.watching(first=2.0) as watching:
            assert (await watching.end()).reason == "no frame came within 2 s (--timeout-first)"
            assert sorted(watching.missing) == A + B

    asyncio.run(story())
