"""The chunk index read by ourselves: element by element the same as libhdf5 reads it, and nothing from broken bytes."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import pytest
from h5py import h5o
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filewatcher.edges.swmr.index import Blocks, ChunkIndex, Torn, Unusual
from filewatcher.edges.swmr.index.checksum import intact, lookup3
from filewatcher.testing import oldwriter

if TYPE_CHECKING:
    from collections.abc import Sequence

DEBIAN = "/usr/bin/python3"
"""With Debian's h5py (python3-h5py), which DIALS brings: HDF5 1.10."""
Row = tuple[int, int, int, int]
"""row, offset, size, filter mask."""
PLAIN = 12
"""Bytes of a chunk that no filter touches."""


def recipe(
    rows: int, order: Sequence[int], *, growing: bool = False, filtered: bool = True, libver: str = "v110", **more: Any
) -> dict[str, Any]:
    """Chunks in this order; where there are filters, of random sizes and with filters skipped now and then."""
    rng = random.Random(rows)
    chunks = []
    for row in order:
        size = rng.randrange(1, 60) if filtered else PLAIN
        chunks.append((row, more.get("channel", 0), rng.randbytes(size).hex(), row % 3 if filtered else 0))
    return {
        "libver": [libver, libver], "rows": rows, "growing": growing, "filtered": filtered, "chunks": chunks,
        "channels": more.get("channels", 0), "attributes": more.get("attributes", 0),
    }  # fmt: skip


def by_libhdf5(file: h5py.File, channel: int = 0) -> list[Row]:
    found: list[Row] = []

    def visit(chunk: h5py.h5d.StoreInfo) -> None:
        if len(chunk.chunk_offset) == 3 or chunk.chunk_offset[1] == channel:
            found.append((chunk.chunk_offset[0], chunk.byte_offset, chunk.size, chunk.filter_mask))

    file["data"].id.chunk_iter(visit)
    return sorted(found)


def index_of(file: h5py.File, channels: int = 1, channel: int = 0) -> ChunkIndex:
    blocks = Blocks(file.id.get_vfd_handle(), file.userblock_size)
    return ChunkIndex(blocks, h5o.get_info(file["data"].id).addr, PLAIN, channels, channel)


def by_ourselves(index: ChunkIndex, rows: int) -> list[Row]:
    found, _ = index.locate(range(rows))
    return list(found)


def shuffled(rows: int, share: float = 1.0) -> list[int]:
    order = list(range(rows))
    random.Random(rows).shuffle(order)
    return order[: max(1, int(rows * share))]


@pytest.mark.parametrize("libver", ["v110", "v112", "v114", "latest"])
@pytest.mark.parametrize("filtered", [False, True], ids=["plain", "filtered"])
@pytest.mark.parametrize("growing", [False, True], ids=["fixed", "unlimited"])
def test_the_same_as_chunk_iter(tmp_path: Path, libver: str, filtered: bool, growing: bool) -> None:
    """Within one block, at the edges of pages, over pages; in order, out of order, with gaps."""
    for rows in (2, 5, 1023, 1024, 1025, 2049, 5000):
        for order in (range(rows), shuffled(rows), shuffled(rows, 0.3), [rows - 1]):
            path = str(tmp_path / f"{rows}.h5")
            oldwriter.write(path, recipe(rows, order, growing=growing, filtered=filtered, libver=libver))
            with h5py.File(path) as file:
                expected = by_libhdf5(file)
                assert len(expected) == len(order)
                assert by_ourselves(index_of(file), rows) == expected


@pytest.mark.parametrize("growing", [False, True], ids=["fixed", "unlimited"])
def test_every_kind_of_block_is_passed(tmp_path: Path, growing: bool) -> None:
    """More than 120,000 rows: an Extensible Array then has paged data blocks on several levels."""
    rows = 130_000
    path = str(tmp_path / "a.h5")
    oldwriter.write(path, recipe(rows, range(rows), growing=growing))
    with h5py.File(path) as file:
        assert by_ourselves(index_of(file), rows) == by_libhdf5(file)


@pytest.mark.parametrize("growing", [False, True], ids=["fixed", "unlimited"])
@pytest.mark.parametrize("filtered", [False, True], ids=["plain", "filtered"])
def test_files_of_an_old_libhdf5(tmp_path: Path, growing: bool, filtered: bool) -> None:
    for rows in (7, 1500, 9000):
        path = tmp_path / f"{rows}.h5"
        what = recipe(rows, shuffled(rows, 0.9), growing=growing, filtered=filtered)
        command = [DEBIAN, oldwriter.__file__, str(path)]
        subprocess.run(command, input=json.dumps(what), text=True, check=True, timeout=60)
        with h5py.File(path) as file:
            expected = by_libhdf5(file)
            assert len(expected) == len(what["chunks"])
            assert by_ourselves(index_of(file), rows) == expected


def test_one_channel_of_several(tmp_path: Path) -> None:
    path = str(tmp_path / "a.h5")
    what = recipe(2000, shuffled(2000), channels=3, channel=1)
    what["chunks"] += [(row, 2, "ff", 0) for row in range(0, 2000, 2)]
    oldwriter.write(path, what)
    with h5py.File(path) as file:
        for channel in range(3):
            assert by_ourselves(index_of(file, 3, channel), 2000) == by_libhdf5(file, channel)


def test_a_user_block_and_alignment(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w", libver=("v110", "v110"), userblock_size=8192,
                   alignment_threshold=1, alignment_interval=4096) as file:  # fmt: skip
        images = file.create_dataset("data", (50, 2, 3), "<u2", chunks=(1, 2, 3), compression=1)
        for row in shuffled(50, 0.8):
            images[row] = row
    with h5py.File(tmp_path / "a.h5") as file:
        stored = by_ourselves(index_of(file), 50)
        assert [row[0] for row in stored] == sorted(shuffled(50, 0.8))
        raw = (tmp_path / "a.h5").read_bytes()
        for row, offset, size, _ in stored:
            assert raw[offset : offset + size] == file["data"].id.read_direct_chunk((row, 0, 0))[1]


def test_an_object_header_that_goes_on_elsewhere(tmp_path: Path) -> None:
    path = str(tmp_path / "a.h5")
    oldwriter.write(path, recipe(20, range(20), attributes=7))
    assert b"OCHK" in Path(path).read_bytes()
    with h5py.File(path) as file:
        assert by_ourselves(index_of(file), 20) == by_libhdf5(file)


def test_a_frame_that_is_written_again(tmp_path: Path) -> None:
    path = str(tmp_path / "a.h5")
    what = recipe(30, range(30))
    what["chunks"] += [(3, 0, "aa" * 100, 0), (4, 0, "bb", 1), (3, 0, "cc" * 300, 2)]
    oldwriter.write(path, what)
    with h5py.File(path) as file:
        found = by_ourselves(index_of(file), 30)
        assert found == by_libhdf5(file)
        assert found[3][2:] == (300, 2)


@pytest.mark.parametrize(
    ("shape", "maxshape", "libver", "says"),
    [
        ((1, 2, 3), None, "v110", "a single chunk"),
        ((9, 2, 3), (None, None, 3), "v110", "a version 2 B-tree"),
        ((9, 2, 3), None, "v108", "layout message has version 3"),
        ((9, 2, 3), None, "earliest", "a version 1 object header"),
    ],
)
def test_other_indexes_are_left_to_libhdf5(tmp_path: Path, shape: Any, maxshape: Any, libver: str, says: str) -> None:
    high = libver if libver != "earliest" else "v110"
    with h5py.File(tmp_path / "a.h5", "w", libver=(libver, high)) as file:
        file.create_dataset("data", shape, "<u2", chunks=(1, 2, 3), maxshape=maxshape)[0] = 1
    with h5py.File(tmp_path / "a.h5") as file, pytest.raises(Unusual, match=says):
        index_of(file).locate(range(2))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_shape_and_order(tmp_path: Path, data: st.DataObject) -> None:
    rows = data.draw(st.integers(2, 3000))
    order = data.draw(st.lists(st.integers(0, rows - 1), min_size=1, max_size=80))
    path = str(tmp_path / "any.h5")
    oldwriter.write(path, recipe(rows, order, growing=data.draw(st.booleans()), filtered=data.draw(st.booleans())))
    with h5py.File(path) as file:
        assert by_ourselves(index_of(file), rows) == by_libhdf5(file)


BROKEN_ROWS = 3000


@pytest.fixture(scope="module", params=[False, True], ids=["fixed", "unlimited"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, int, Path]:
    """A file with paged blocks, the address of its dataset's header, and a place for a broken copy."""
    path = tmp_path_factory.mktemp("whole") / "a.h5"
    oldwriter.write(str(path), recipe(BROKEN_ROWS, shuffled(BROKEN_ROWS, 0.5), growing=request.param))
    with h5py.File(path) as file:
        address = h5o.get_info(file["data"].id).addr
    return path.read_bytes(), address, path.with_name("broken.h5")


def metadata(content: bytes) -> list[int]:
    """Positions in and behind all blocks of metadata."""
    places = []
    for signature in (b"OHDR", b"FAHD", b"FADB", b"EAHD", b"EAIB", b"EASB", b"EADB"):
        at = content.find(signature)
        while at >= 0:
            places += list(range(at, min(at + 80, len(content))))
            at = content.find(signature, at + 1)
    return places


def mend_headers(content: bytearray, original: bytes, address: int) -> None:
    """Give the headers of dataset and index the right checksums again."""
    flags = original[address + 5]
    begin = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    size = begin + width + int.from_bytes(original[address + begin : address + begin + width], "little")
    places = [(address, size), (original.find(b"FAHD"), 28 - 4), (original.find(b"EAHD"), 72 - 4)]
    for at, length in places:
        if at >= 0:
            content[at + length : at + length + 4] = lookup3(bytes(content[at : at + length])).to_bytes(4, "little")


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_broken_bytes_announce_nothing_outside_the_file(whole: tuple[bytes, int, Path], data: st.DataObject) -> None:
    original, address, path = whole
    content = bytearray(original)
    places = st.one_of(st.sampled_from(metadata(original)), st.integers(0, len(content) - 1))
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=12)):
        content[place] = value
    if data.draw(st.booleans()):  # somebody means it
        mend_headers(content, original, address)
    del content[data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content)))) :]
    path.write_bytes(content)
    with path.open("rb") as file:
        index = ChunkIndex(Blocks(file.fileno()), address, PLAIN)
        try:
            found = by_ourselves(index, BROKEN_ROWS + 100)
        except (Torn, Unusual):
            return
    assert all(offset > 0 and size > 0 and offset + size <= len(content) for _, offset, size, _ in found)


def test_headers_with_a_wrong_checksum_are_torn(whole: tuple[bytes, int, Path]) -> None:
    original, address, path = whole
    header = max(original.find(b"FAHD"), original.find(b"EAHD"))
    for place in (address + 20, header + 8):
        content = bytearray(original)
        content[place] ^= 1
        path.write_bytes(content)
        with path.open("rb") as file, pytest.raises(Torn, match="no whole"):
            ChunkIndex(Blocks(file.fileno()), address, PLAIN).locate(range(3))


def test_half_entries_are_not_chunks(whole: tuple[bytes, int, Path]) -> None:
    """An address without a size, a size without an address, and what lies beyond the end of the file."""
    original, address, path = whole
    path.write_bytes(original)
    with path.open("rb") as file:
        index = ChunkIndex(Blocks(file.fileno()), address, PLAIN)
        row, offset, _size, _ = by_ourselves(index, BROKEN_ROWS)[0]
        array = index.array
        assert array is not None
        place = array.piece(row)[1]
        assert place is not None
        width = array.entry.size - 12
    halves = [
        (place, b"\xff" * 8),
        (place, bytes(8)),
        (place + 7, b"\x7f"),
        (place + 8, bytes(width)),
        (place + 8, (len(original) - offset + 1).to_bytes(width, "little")),
    ]
    for at, half in halves:
        content = bytearray(original)
        content[at : at + len(half)] = half
        path.write_bytes(content)
        with path.open("rb") as file:
            index = ChunkIndex(Blocks(file.fileno()), address, PLAIN)
            assert index.locate([row]) == ([], [])


def test_entries_on_two_memory_pages_are_doubtful(whole: tuple[bytes, int, Path]) -> None:
    original, address, path = whole
    path.write_bytes(original)
    with path.open("rb") as file:
        index = ChunkIndex(Blocks(file.fileno()), address, PLAIN)
        found, doubtful = index.locate(range(BROKEN_ROWS))
        array = index.array
        assert array is not None
        for row, *_ in found:
            place = array.piece(row)[1]
            assert place is not None
            assert (row in doubtful) == (place // 4096 != (place + array.entry.size - 1) // 4096)
        assert doubtful


def test_checksums_are_libhdf5s(whole: tuple[bytes, int, Path]) -> None:
    content = whole[0]
    at = max(content.find(b"FAHD"), content.find(b"EAHD"))
    size = 28 if content[at : at + 2] == b"FA" else 72
    assert intact(content[at : at + size])
    assert not intact(content[at : at + size - 1])
    assert lookup3(b"") == 0xDEADBEEF  # lookup3.c, driver5()
