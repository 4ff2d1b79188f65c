"""What C++ reads of a chunk index is what the readable Python reads: any elements, any bitmaps, whole or torn."""

from __future__ import annotations

import socket
import tempfile
import time
from array import array
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.messages import ChunkLayout
from filewatcher.edges.swmr.frontier import OVERTAKEN, WIDEST, WINDOW, Frontier
from filewatcher.edges.swmr.index import Blocks, Torn, _entries, reference
from filewatcher.edges.swmr.index.entry import FILTERED, PLAIN, Entry, Piece
from filewatcher.edges.swmr.wire import LENGTH, NUMBERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType
    from typing import BinaryIO

CHUNK = 500
"""Bytes of a chunk that no filter touches."""
LONG = 3 * WIDEST
"""Bytes behind the elements: where chunks may be."""
entries = st.one_of(st.just(Entry(PLAIN, 8, CHUNK)), st.integers(1, 8).map(lambda n: Entry(FILTERED, 12 + n, CHUNK)))


@pytest.fixture(scope="module")
def file() -> Iterator[BinaryIO]:
    with tempfile.NamedTemporaryFile(buffering=0) as opened:  # a tail leaves a file that has lost its name
        yield cast("BinaryIO", opened.file)


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
    end = data.draw(st.sampled_from([0, 0, 1, LONG, 100 * LONG]))
    native = _entries.Tail(both.native, piece, *its, *counters, end)
    readable = reference.Tail(both.readable, piece, *others, *counters, end)
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


def heard(line: socket.socket) -> list[list[int]]:
    """The numbers of all messages that have come."""
    line.setblocking(False)
    data = b""
    with suppress(BlockingIOError):
        while some := line.recv(1 << 20):
            data += some
    words = []
    while data:
        end = LENGTH.size + LENGTH.unpack_from(data)[0]
        assert data.startswith(NUMBERS, LENGTH.size)
        words.append(list(array("q", data[LENGTH.size + len(NUMBERS) : end])))
        data = data[end:]
    return words


@given(
    entry=entries,
    rows=st.lists(st.integers(1, 60), max_size=3),
    until=st.sampled_from([-1.0, 0.0, 3600.0]),
    data=st.data(),
)
def test_a_look_is_told_in_the_same_words(
    file: BinaryIO, entry: Entry, rows: list[int], until: float, data: st.DataObject
) -> None:
    """One look at any number of files, which all lie in one here; a second one is due in an hour."""
    both = Both(file, entry, 0, 1)
    both.write(8, [element(entry, data.draw) for _ in range(60)], 0)
    numbers = data.draw(st.lists(st.integers(0, 2**40), min_size=len(rows), max_size=len(rows)))
    before = time.monotonic() - 3600.0
    answers = []
    twins: list[tuple[Any, Any]] = [(_entries, both.native), (reference, both.readable)]
    for twin, elements in twins:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            tails = [twin.Tail(elements, Piece(0, n, 8), bytearray([1] * n), bytearray(n), 0, -1, n, 0) for n in rows]
            end = before + 3600.0 + until
            why, looks, begun, gap = twin.follow(tails, numbers, theirs.fileno(), -1, before, 3600.0, end)
            assert looks == (until > 0)
            assert begun == (pytest.approx(time.monotonic(), abs=60.0) if looks else before)
            assert gap == (pytest.approx(3600.0, abs=60.0) if looks else 0.0)
            answers.append((why, looks, heard(ours), [(one.oldest, one.last, one.left, one.end) for one in tails]))
    assert answers[0] == answers[1]


words = st.lists(st.tuples(st.integers(0, 3), st.lists(st.lists(st.integers(0, 2**62), min_size=4, max_size=4))))


@given(words, st.sampled_from([0, 1, 7, 8, 16, -1, -8]), st.integers(0, 2), st.data())
def test_words_are_read_alike(
    said: list[tuple[int, list[list[int]]]], cut: int, unknown: int, data: st.DataObject
) -> None:
    """Also those that have lost their end, and of files that nothing is known of."""
    word = array("q")
    for number, chunks in said:
        word.extend([number, len(chunks), *chain.from_iterable(chunks)])
    before = data.draw(st.binary(max_size=9))
    said_so = before + word.tobytes()
    end = len(said_so) - cut
    told = {number: (number, 100 + number, ChunkLayout((4, 5 + number), "<u2", ())) for number in range(unknown, 4)}
    outcomes: list[object] = []
    twins: list[Any] = [_entries, reference]
    for twin in twins:
        try:
            outcomes.append(twin.on_disk(said_so, len(before), end, told))
        except (KeyError, ValueError) as error:
            outcomes.append([type(error)])
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("numbers", [(7, -1), (7, 2**60), (7, 1, 2, 3, 4)])
def test_a_word_that_promises_what_it_has_not_is_refused(twin: ModuleType, numbers: tuple[int, ...]) -> None:
    data = array("q", numbers).tobytes()
    with pytest.raises(ValueError, match="without its end"):
        twin.on_disk(data, 0, len(data), {7: (7, 1, ChunkLayout((4, 5), "<u2", ()))})


@pytest.fixture(params=[_entries, reference], ids=["compiled", "readable"])
def twin(request: pytest.FixtureRequest) -> ModuleType:
    module: ModuleType = request.param
    return module


class Following:
    """A file of one element per row, followed by one of the twins every millisecond."""

    def __init__(self, file: BinaryIO, twin: ModuleType, rows: int, end: int = 0) -> None:
        self.rows, self.written = rows, 0
        self.both = Both(file, Entry(PLAIN, 8, 1), 0, 1)
        self.put(1)
        elements = self.both.native if twin is _entries else self.both.readable
        self.tail = twin.Tail(elements, Piece(0, rows, 8), bytearray([1] * rows), bytearray(rows), 0, -1, rows, end)
        self.twin = twin

    def put(self, rows: int) -> None:
        """Write so many more rows."""
        self.written += rows
        written, nothing = (1).to_bytes(8, "little"), self.both.entry.nothing
        self.both.write(8, [written] * self.written + [nothing] * (self.rows - self.written), 0)

    def run(self, line: int, hints: int = -1, seconds: float = 60.0) -> tuple[str, int]:
        now = time.monotonic()
        why, looks, _, _ = self.twin.follow([self.tail], [7], line, hints, now - 1.0, 0.001, now + seconds)
        return why, looks


def test_it_ends_with_the_first_look_that_finds_nothing(file: BinaryIO, twin: ModuleType) -> None:
    following = Following(file, twin, 10)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert following.run(theirs.fileno()) == ("nothing", 2)
        assert heard(ours) == [[7, 1, 0, 1, 1, 0]]


def test_it_leaves_the_last_rows_of_a_file_to_others(file: BinaryIO, twin: ModuleType) -> None:
    following = Following(file, twin, 10)
    following.put(9)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert following.run(theirs.fileno()) == ("other", 1)
        assert heard(ours) == []
    assert following.tail.left == 10


@pytest.mark.parametrize("waker", ["line", "hints"])
def test_an_order_or_a_hint_ends_it_before_the_next_look(file: BinaryIO, twin: ModuleType, waker: str) -> None:
    following = Following(file, twin, 10)
    (ours, theirs), (hint, hinted) = socket.socketpair(), socket.socketpair()
    with ours, theirs, hint, hinted:
        (ours if waker == "line" else hint).send(b"!")
        assert following.run(theirs.fileno(), hinted.fileno()) == ("time", 0)


def test_it_ends_when_the_parent_has_gone(file: BinaryIO, twin: ModuleType) -> None:
    following = Following(file, twin, 10)
    ours, theirs = socket.socketpair()
    with theirs:
        ours.close()
        assert following.run(theirs.fileno()) == ("time", 0)  # there is the end of what it says to be read


def test_it_says_when_nothing_can_be_told(file: BinaryIO, twin: ModuleType) -> None:
    following = Following(file, twin, 10)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(BrokenPipeError):
            following.run(theirs.fileno())


def test_a_tail_keeps_overtaken_rows_in_sight(file: BinaryIO) -> None:
    """One row is late: those that overtake it are found, and then it."""
    entry = Entry(PLAIN, 8, 1)
    both = Both(file, entry, 0, 1)
    rows = 2 * (WINDOW + OVERTAKEN)
    frontier = Frontier(np.ones(rows + 1, bool))
    written = (1).to_bytes(8, "little")
    tail = _entries.Tail(both.native, Piece(0, rows + 1, 8), frontier.missing, frontier.seen, 0, -1, rows + 1, 0)
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


@pytest.mark.parametrize("fate", ["unlinked", "shorter"])
def test_a_tail_leaves_a_file_that_may_be_another_collections(tmp_path: Path, twin: ModuleType, fate: str) -> None:
    """It has lost its name, or ends before frames that were seen in it."""
    path = tmp_path / "m_1.h5"
    with path.open("w+b", buffering=0) as file:
        following = Following(cast("BinaryIO", file), twin, 10, LONG)
        ((_, found),) = twin.look_at([following.tail])
        assert [chunk.row for chunk in found] == [0]
        following.put(1)
        if fate == "unlinked":
            path.unlink()
        else:
            file.truncate(LONG - 1)
        assert twin.look_at([following.tail]) == [(0, None)]


@pytest.mark.parametrize("wrong", [(8, 8, 12), (16, 7, 16), (16, 12, 8), (12, 0, 12)])
def test_elements_of_no_index_are_refused(wrong: tuple[int, int, int]) -> None:
    size, mask_at, step = wrong
    with pytest.raises(ValueError, match="no element of a chunk index"):
        _entries.Entries(0, 0, size, mask_at, CHUNK, step)
