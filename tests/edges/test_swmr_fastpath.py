"""The fast path beside a live writer, and when it is not to be used."""

from __future__ import annotations

import os
from itertools import count
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from h5py import h5o

from filewatcher.core.framemap import DataFile
from filewatcher.core.observations import Writer
from filewatcher.edges.swmr import datafile, fastpath
from filewatcher.edges.swmr.datafile import ImageFile
from filewatcher.edges.swmr.index import ChunkIndex, Torn
from filewatcher.edges.swmr.index.checksum import lookup3
from filewatcher.edges.swmr.libhdf5 import open_for_swmr
from filewatcher.testing import oldwriter
from filewatcher.testing.streamwriter import payload, start_writing

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from filewatcher.core.observations import StoredChunk

ROWS = 3000
LIVE = 12_000


def crashed(path: Path, rows: int = ROWS, *, growing: bool = False, **more: Any) -> Path:
    """A file as a killed SWMR writer leaves it: its flags say for ever that it is open. Odd rows were never written."""
    chunks = [(row, 0, (row + 1).to_bytes(2, "little").hex() * (1 + row % 9), 0) for row in range(0, rows, 2)]
    recipe = {"libver": ["v110", "v110"], "rows": rows, "growing": growing, "filtered": True, "chunks": chunks,
              "channels": 0, "attributes": 0} | more  # fmt: skip
    oldwriter.write(str(path), recipe)
    content = bytearray(path.read_bytes())
    if content[8] == 3:  # superblock 3: flags at 11, checksum at 44
        content[11] = 5
        content[44:48] = lookup3(bytes(content[:44])).to_bytes(4, "little")
        path.write_bytes(content)
    return path


def watched(path: Path, wanted: NDArray[np.bool_], *, direct: bool = True) -> ImageFile:
    return ImageFile(DataFile(str(path), "data"), wanted, None, live=True, inode=None, direct=direct)


def opened(path: Path, rows: int = ROWS, *, direct: bool = True) -> ImageFile:
    file = watched(path, np.ones(rows, bool), direct=direct)
    file.check(0.0)
    return file


def table(found: list[StoredChunk]) -> list[StoredChunk]:
    return sorted(found)


def by_libhdf5(path: Path) -> list[tuple[int, int, int, int]]:
    found = []
    with open_for_swmr(str(path)) as file:
        file["data"].id.chunk_iter(lambda c: found.append((c.chunk_offset[0], c.byte_offset, c.size, c.filter_mask)))
    return sorted(found)


@pytest.mark.parametrize("growing", [False, True], ids=["fixed", "unlimited"])
def test_no_wrong_byte_beside_a_live_writer(tmp_path: Path, growing: bool) -> None:
    """Every frame is read the moment it is announced, and compared with what the writer wrote."""
    path = tmp_path / "a.h5"
    file = watched(path, np.ones(LIVE, bool))
    writer = start_writing(path, LIVE, growing=growing)
    seen: set[int] = set()
    slow = []
    for step in count():
        now = 0.001 * step
        if step % 100 == 0 or file.state is not Writer.WRITING:
            file.check(now)
        found = file.scan(now) if step % 1000 == 999 else file.look(now)
        slow.append(file.slow)
        handle = os.open(path, os.O_RDONLY) if len(found) else -1
        for row, offset, size, mask in table(found):
            assert os.pread(handle, size, offset) == payload(row)
            assert mask == 0
            assert row not in seen
            seen.add(row)
        if handle >= 0:
            os.close(handle)
        if file.complete:
            break
    writer.join()
    assert seen == set(range(LIVE))
    assert set(slow) == {""}


@pytest.mark.parametrize("growing", [False, True], ids=["fixed", "unlimited"])
@pytest.mark.parametrize("how", ["look", "scan"])
def test_a_file_that_rests_with_gaps(tmp_path: Path, growing: bool, how: str) -> None:
    path = crashed(tmp_path / "a.h5", growing=growing)
    file = opened(path)
    found = []
    for now in range(ROWS):
        news = table(getattr(file, how)(float(now)))
        found += news
        if not news:
            break
    assert sorted(found) == by_libhdf5(path)
    assert file.slow == ""
    assert not file.complete


def test_frames_beyond_an_extent_that_is_not_written_yet_are_not_gone(tmp_path: Path) -> None:
    """A writer held up between its index and its extent; the only look so far has seen many rows at once."""
    path, rows = tmp_path / "a.h5", 52
    with h5py.File(tmp_path / "writer.h5", "w", libver=("v110", "v110"), locking=False) as writer:
        images = writer.create_dataset("data", (1, 2, 3), "<u2", chunks=(1, 2, 3), maxshape=(None, 2, 3))
        place = h5o.get_info(images.id).addr
        writer.swmr_mode = True
        headers = []
        for row in range(rows):
            images.resize(row + 1, axis=0)
            images.id.write_direct_chunk((row, 0, 0), payload(row)[:12])
            images.flush()
            headers.append(header_at((tmp_path / "writer.h5").read_bytes(), place))
        content = bytearray((tmp_path / "writer.h5").read_bytes())
    content[place : place + len(headers[9])] = headers[9]
    assert headers[9] != headers[-1]
    path.write_bytes(content)
    file = watched(path, np.ones(2 * rows, bool))
    file.check(0.0)
    assert [row for row, *_ in table(file.look(0.0))] == list(range(rows))
    with open_for_swmr(str(path)) as opened_file:
        assert opened_file["data"].shape[0] == 10  # the rest is known to the index alone
    assert file.scan(1.0) == []  # and this is no other collection
    file.close()


def header_at(content: bytes, place: int) -> bytes:
    """The version 2 object header at an address, with its checksum."""
    flags = content[place + 5]
    begin = place + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    size = int.from_bytes(content[begin : begin + width], "little")
    return content[place : begin + width + size + 4]


@pytest.mark.parametrize(
    ("more", "says"),
    [({"libver": ["v108", "v108"]}, "layout message has version 3"), ({"rows": 1, "chunks": []}, "a single chunk")],
)
def test_other_indexes_are_read_by_libhdf5(tmp_path: Path, more: dict[str, Any], says: str) -> None:
    more.setdefault("chunks", [(0, 0, "aa", 0), (5, 0, "bb", 0)])
    file = opened(crashed(tmp_path / "a.h5", **more), 10)
    file.look(0.0)
    assert says in file.slow
    assert [row for row, *_ in table(file.scan(1.0))] == []  # what there is, a look has said
    assert file.started == bool(more["chunks"])


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    path = crashed(tmp_path / "a.h5")
    file = opened(path, direct=False)
    assert table(file.scan(0.0)) == by_libhdf5(path)
    assert file.slow == datafile.OFF


class Lying(ChunkIndex):
    """An index that this code understands wrongly, in one row."""

    row = 4

    def find(self, wanted: Any, first: int, stop: int) -> Any:
        found, doubtful = super().find(wanted, first, stop)
        return [chunk._replace(size=chunk.size + (chunk.row == self.row)) for chunk in found], doubtful


def test_libhdf5_wins_and_is_asked_from_then_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastpath, "ChunkIndex", Lying)
    path = crashed(tmp_path / "a.h5", 100)
    right = by_libhdf5(path)
    file = opened(path, 100)
    wrong = table(file.scan(0.0))
    assert [row for row, *_ in wrong] == [row for row, *_ in right]
    assert wrong != right
    again = table(file.scan(1.0))  # the file rests: libhdf5 walks over all of it
    assert "libhdf5 reads row 4 otherwise" in file.slow
    assert again == [right[2]]


def test_a_lie_about_the_last_frame_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastpath, "ChunkIndex", Lying)
    path = crashed(tmp_path / "a.h5", 100)
    file = watched(path, np.arange(99) % 2 == 0)
    file.check(0.0)
    assert table(file.scan(0.0)) == by_libhdf5(path)
    assert file.complete
    assert file.slow


def test_a_lie_about_the_first_frame_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastpath, "ChunkIndex", Lying)
    monkeypatch.setattr(Lying, "row", 0)
    path = crashed(tmp_path / "a.h5", 6)
    file = opened(path, 6)
    assert table(file.look(0.0)) == by_libhdf5(path)
    assert "libhdf5 reads row 0 otherwise" in file.slow


class Breaking(ChunkIndex):
    """An index that stays half written."""

    def find(self, *_: Any) -> Any:
        raise Torn("no EADB of this index at 4711")


def test_what_stays_half_written_is_left_to_libhdf5(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastpath, "ChunkIndex", Breaking)
    path = crashed(tmp_path / "a.h5", 6)
    file = opened(path, 6)
    found = []
    for look in range(fastpath.PATIENCE):
        assert file.slow == ""
        found += table(file.look(float(look)))
    assert found == by_libhdf5(path)
    assert "no EADB" in file.slow


def test_a_broken_index_is_a_problem_that_names_the_file(tmp_path: Path) -> None:
    path = crashed(tmp_path / "a.h5")
    content = bytearray(path.read_bytes())
    content[content.find(b"FADB")] ^= 1
    path.write_bytes(content)
    file = opened(path)
    assert len(file.look(0.0)) == 0
    assert len(file.scan(1.0)) == 0
    assert f"{path}:data cannot be read" in file.problem


def test_a_row_that_could_not_be_read_is_asked_of_libhdf5(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = crashed(tmp_path / "a.h5", 100)
    file = opened(path, 100)
    before = table(file.scan(0.0))
    monkeypatch.setattr(fastpath.FastPath, "look", lambda *_: pytest.fail("it was asked again"))
    file.forget(4)
    assert table(file.look(1.0)) == [before[2]]


def test_frames_beyond_the_end_of_the_file_are_not_there(tmp_path: Path) -> None:
    path = crashed(tmp_path / "a.h5", 100)
    rows = by_libhdf5(path)
    end = max(offset + size for _, offset, size, _ in rows)
    os.truncate(path, end - 1)
    for direct in (True, False):
        assert table(opened(path, 100, direct=direct).scan(0.0)) == [r for r in rows if r[1] + r[2] < end]
