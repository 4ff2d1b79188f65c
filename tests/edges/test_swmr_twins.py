"""What C++ reads of a chunk index is what the readable Python reads: any elements, any bitmaps, whole or torn."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.edges.swmr.frontier import OVERTAKEN, WIDEST, WINDOW, Frontier
from filewatcher.edges.swmr.index import Blocks, Torn, _entries, reference
from filewatcher.edges.swmr.index.entry import FILTERED, PLAIN, Entry, Piece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

CHUNK = 500
"""Bytes of a chunk that no filter touches."""
LONG = 3 * WIDEST
"""Bytes behind the elements: where chunks may be."""
entries = st.one_of(st.just(Entry(PLAIN, 8, CHUNK)), st.integers(1, 8).map(lambda n: Entry(FILTERED, 12 + n, CHUNK)))


@pytest.fixture(scope="module")
def file() -> Iterator[BinaryIO]:
    with tempfile.TemporaryFile(buffering=0) as opened:
        yield opened


class Both:
    """The same elements, read by both; `base` bytes before all; of `per_row` elements per row the first counts."""

    def __init__(self, file: BinaryIO, entry: Entry, base: int, per_row: int) -> None:
        self.entry, self.step = entry, entry.size * per_row
        self.file, self.base = file, base
        fd = file.fileno()
        self.native = _entries.Entries(fd, base, entry.size, entry.mask_at, entry.chunk_size, self.step)
        self.readable = reference.Entries(Blocks(fd, base), entry, self.step)

    def write(self, address: int, elements: list[bytes], cut: int) -> None:
        """Put elements into a file otherwise of bytes that are no chunk's; `cut`: bytes that it lacks in the end."""
        block = b"".join(element.ljust(self.step, b"\xee") for element in elements)
        content = bytes(self.base + address) + block + bytes(LONG)
        self.file.seek(0)
        self.file.truncate()
        self.file.write(content[: max(0, len(content) - cut)])


def element(entry: Entry, draw: Callable[..., int]) -> bytes:
    """Of a chunk, of none, or half written."""
    whole = draw(st.integers(0, 4 * LONG)).to_bytes(8, "little")
    if entry.mask_at:
        whole += draw(st.integers(0, min(LONG, 256 ** (entry.mask_at - 8) - 1))).to_bytes(entry.mask_at - 8, "little")
        whole += draw(st.integers(0, 3)).to_bytes(4, "little")
    torn = draw(st.integers(1, entry.size - 1))
    kinds = [
        whole,
        whole,
        whole,
        entry.nothing,
        whole[:torn] + entry.nothing[torn:],
        entry.nothing[:torn] + whole[torn:],
    ]
    return kinds[draw(st.integers(0, len(kinds) - 1))]


def outcome(ask: Callable[[], object]) -> object:
    try:
        return ask()
    except (Torn, OSError, ValueError) as error:
        return type(error)


@given(entry=entries, per_row=st.integers(1, 3), base=st.sampled_from([0, 512, 4000]), data=st.data())
def test_find_is_the_same(file: BinaryIO, entry: Entry, per_row: int, base: int, data: st.DataObject) -> None:
    both = Both(file, entry, base, per_row)
    rows = data.draw(st.integers(1, 80))
    address = data.draw(st.integers(1, 5000))
    cut = data.draw(st.sampled_from([0, 0, 0, LONG // 2, LONG + 1, LONG + 30 * entry.size]))
    both.write(address, [element(entry, data.draw) for _ in range(rows)], cut)
    wanted = bytearray(data.draw(st.binary(min_size=rows, max_size=rows)).translate(bytes(i % 2 for i in range(256))))
    first, stop = data.draw(st.integers(0, rows)), data.draw(st.integers(0, rows + 1))
    found = outcome(lambda: both.native.find(address, wanted, first, stop))
    assert found == outcome(lambda: both.readable.find(address, wanted, first, stop))


@given(entry=entries, rows=st.integers(1, 150), data=st.data())
def test_tails_are_the_same_from_look_to_look(file: BinaryIO, entry: Entry, rows: int, data: st.DataObject) -> None:
    """And what a tail has marked is what a `Frontier` would have marked."""
    both = Both(file, entry, 0, 1)
    address = data.draw(st.integers(1, 5000))
    frontier = Frontier(np.array(data.draw(st.lists(st.integers(0, 9), min_size=rows, max_size=rows)), bool))
    first, stop = sorted((data.draw(st.integers(0, rows)), data.draw(st.sampled_from([rows, rows, rows, rows // 2]))))
    elements = [entry.nothing] * rows
    piece = Piece(first, stop, address + first * entry.size)

    counters = frontier.oldest, frontier.last, frontier.left
    its = bytearray(frontier.missing), bytearray(frontier.seen)
    others = bytearray(frontier.missing), bytearray(frontier.seen)
    native = _entries.Tail(both.native, piece, *its, *counters)
    readable = reference.Tail(both.readable, piece, *others, *counters)
    for _ in range(data.draw(st.integers(1, 6))):
        for row in data.draw(st.lists(st.integers(0, rows - 1), max_size=WINDOW)):
            elements[row] = element(entry, data.draw)
        burst = data.draw(st.integers(0, rows))
        if data.draw(st.booleans()):
            elements[:burst] = [(100).to_bytes(8, "little") + entry.nothing[8:].replace(b"\0", b"\1", 1)] * burst
        both.write(address, elements, data.draw(st.sampled_from([0, 0, 0, LONG + entry.size])))
        found = _entries.look_at([native])
        assert found == reference.look_at([readable])
        assert its == others
        for name in ("oldest", "last", "left", "newest", "end"):
            assert getattr(native, name) == getattr(readable, name)
        for _, chunks in found:
            frontier.mark(chunks or [])
        assert (frontier.missing, frontier.seen) == its
        assert (frontier.last, frontier.left) == (native.last, native.left)
        assert 1 not in its[0][: native.oldest]


def test_a_tail_keeps_overtaken_rows_in_sight(file: BinaryIO) -> None:
    """One row is late: those that overtake it are found, and then it."""
    entry = Entry(PLAIN, 8, 1)
    both = Both(file, entry, 0, 1)
    rows = 2 * (WINDOW + OVERTAKEN)
    frontier = Frontier(np.ones(rows + 1, bool))
    written = (1).to_bytes(8, "little")
    tail = _entries.Tail(both.native, Piece(0, rows + 1, 8), frontier.missing, frontier.seen, 0, -1, rows + 1)
    for row in range(1, rows):
        both.write(8, [entry.nothing, *[written] * row, *[entry.nothing] * (rows - row)], 0)
        ((_, found),) = _entries.look_at([tail])
        assert found is not None
        assert [chunk.row for chunk in found] == [row]
    both.write(8, [written] * rows + [entry.nothing], 0)
    ((_, found),) = _entries.look_at([tail])
    assert found is not None
    assert [chunk.row for chunk in found] == [0]
    assert (tail.oldest, tail.last, tail.left) == (rows, rows - 1, 1)
    both.write(8, [written] * (rows + 1), 0)
    assert _entries.look_at([tail]) == [(0, None)]  # the last row of a file goes out with more care


@pytest.mark.parametrize("wrong", [(8, 8, 12), (16, 7, 16), (16, 12, 8), (12, 0, 12)])
def test_elements_of_no_index_are_refused(wrong: tuple[int, int, int]) -> None:
    size, mask_at, step = wrong
    with pytest.raises(ValueError, match="no element of a chunk index"):
        _entries.Entries(0, 0, size, mask_at, CHUNK, step)
