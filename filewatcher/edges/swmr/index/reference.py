"""What `_entries` does, to be read: it is to give the same answers, many times sooner.

A look finds a frame or two in each of a few files, a hundred times a second, and what Python then needs from memory
has been pushed out of the caches by the detector's writers since the last time.
"""

from __future__ import annotations

import os
import select
import socket
import time
from array import array
from itertools import chain, islice
from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.observations import OnDisk, StoredChunk
from filewatcher.edges.swmr.frontier import WINDOW, Frontier
from filewatcher.edges.swmr.index.blocks import Torn
from filewatcher.edges.swmr.wire import message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from filewatcher.core.messages import ChunkLayout
    from filewatcher.core.observations import Observation
    from filewatcher.edges.swmr.index.blocks import Blocks
    from filewatcher.edges.swmr.index.entry import Entry, Piece

PAGE = 4096
"""Bytes that the kernel copies at a time: between two of them a writer may be held up for long."""


class Entries:
    """Elements of the index that follow each other in the file, one for each row, `step` bytes from one to the next."""

    def __init__(self, blocks: Blocks, entry: Entry, step: int) -> None:
        self._blocks, self._entry, self.step = blocks, entry, step

    def find(self, address: int, wanted: bytearray, first: int, stop: int) -> tuple[list[StoredChunk], list[int]]:
        """Find chunks of wanted rows (bitmap) from first to stop; `address`: of the first one's element.

        Returns those on which two reads in a row agree, and rows among them whose element lies on two memory pages.
        Raises `Torn` or OSError.
        """
        size, step, base = self._entry.size, self.step, self._blocks.base
        if stop > len(wanted) or first > stop:
            raise ValueError("rows beyond the bitmap")
        once = self._read(address, first, stop, wanted)
        written = {row: raw for row, raw in once.items() if raw != self._entry.nothing}
        if not written:
            return [], []
        end = self._blocks.end
        rows = list(written)
        twice = self._read(address + (rows[0] - first) * step, rows[0], rows[-1] + 1, wanted)
        found, doubtful = [], []
        for row, raw in written.items():
            chunk = self._entry.decode(twice[row], end)
            if raw == twice[row] and chunk is not None:
                offset, stored, mask = chunk
                found.append(StoredChunk(row, base + offset, stored, mask))
                begin = base + address + (row - first) * step
                if begin // PAGE != (begin + size - 1) // PAGE:
                    doubtful.append(row)
        return found, doubtful

    def still(self, end: int) -> bool:
        """Whether the file has a name, and goes on to there (bytes from its start)."""
        status = os.fstat(self._blocks.fd)
        return status.st_nlink > 0 and status.st_size >= end

    def _read(self, address: int, first: int, stop: int, wanted: bytearray) -> dict[int, bytes]:
        """Elements of the wanted rows, all of one read that begins with the first wanted one."""
        rows = [row for row in range(first, stop) if wanted[row]]
        if not rows:
            return {}
        size, step = self._entry.size, self.step
        begin = address + (rows[0] - first) * step
        raw = self._blocks.read(begin, (stop - 1 - rows[0]) * step + size)
        return {row: raw[(row - rows[0]) * step :][:size] for row in rows}


class Tail:
    """What is new of one growing file while all goes as it mostly does; anything else is left to others.

    `missing`, `seen`: the bitmaps of a `Frontier`, in which what is found is marked; `oldest`, `last`, `left`: its
    counters, kept here from then on; `end`: where the chunks seen so far end, in bytes from the start of the file.
    """

    def __init__(
        self,
        entries: Entries,
        piece: Piece,
        missing: bytearray,
        seen: bytearray,
        oldest: int,
        last: int,
        left: int,
        end: int,
    ) -> None:
        self.oldest, self.last, self.left, self.end = oldest, last, left, end
        self.newest = -1
        """Row that was found last."""
        self._entries, self._piece = entries, piece
        self._missing, self._seen = missing, seen

    def look(self) -> list[StoredChunk] | None:
        """Find and mark what is new where `Frontier.near` looks for it.

        None = nothing is marked, and somebody else has to look: that goes beyond the elements that follow each other,
        an element lies on two pages, the file has been cut or its name taken away, or these would be its last rows.
        """
        frontier = Frontier(np.frombuffer(bytes(self._missing), bool))
        frontier.oldest, frontier.last = self.oldest, self.last
        try:
            found = frontier.near(self._ask, len(self._missing), WINDOW)
        except (_Beyond, Torn):
            return None
        if len(found) >= self.left or (found and not self._entries.still(self.end)):
            return None
        for row, offset, size, _ in found:
            self._seen[row], self._missing[row] = 1, 0
            self.last, self.newest, self.end = max(self.last, row), row, max(self.end, offset + size)
        self.left -= len(found)
        self.oldest = next((row for row, missing in enumerate(self._missing) if missing), len(self._missing))
        return found

    def _ask(self, first: int, stop: int) -> list[StoredChunk]:
        begin, end, address = self._piece
        if first < begin or stop > end:
            raise _Beyond
        address += (first - begin) * self._entries.step
        found, doubtful = self._entries.find(address, self._missing, first, stop)
        if doubtful:
            raise _Beyond
        return found


def look_at(tails: Sequence[Tail]) -> list[tuple[int, list[StoredChunk] | None]]:
    """Return which of these have news, by place, and what; None = somebody else has to look."""
    news: list[tuple[int, list[StoredChunk] | None]] = []
    for place, tail in enumerate(tails):
        try:
            found = tail.look()
        except OSError:
            found = None
        if found is None or found:
            news.append((place, found))
    return news


def on_disk(data: bytes, begin: int, end: int, told: Mapping[int, tuple[int, int, ChunkLayout]]) -> list[Observation]:
    """Return what the numbers in these bytes say; `told`: of each data file its number, inode and layout.

    Raises `KeyError` for a file that nothing was told of, `ValueError` for numbers that have lost their end.
    """
    news: list[Observation] = []
    if not 0 <= begin <= end <= len(data) or (end - begin) % 8:
        raise ValueError("a word without its end")
    each = iter(array("q", data[begin:end]))
    for file in each:
        count = next(each, -1)
        chunks = list(map(StoredChunk, *(islice(each, 4 * max(count, 0)),) * 4))
        if len(chunks) != count:
            raise ValueError("a word without its end")
        _, inode, layout = told[file]
        news.append(OnDisk(file, chunks, layout, inode))
    return news


def follow(
    tails: Sequence[Tail], files: Sequence[int], line: int, hints: int, begun: float, period: float, until: float
) -> tuple[str, int, float, float]:
    """Look at tails every `period` and tell at once what is new, for as long as every look finds something.

    `files`: their numbers. `line`: the socket to the parent; `hints`: -1 = none; either ends it when there is something
    to be read. `begun`: when they were last looked at; no look is due from `until` on; all in seconds, monotonic.
    Returns why it has ended, how many looks there were, when the last one began, and the longest time between two.
    Why: ``time`` or a waker, ``nothing`` found by the last look, ``other`` = a tail has to be looked at otherwise.
    Raises OSError when nobody listens any more.
    """
    wakers = select.poll()
    for fd in (line, hints):
        if fd >= 0:
            wakers.register(fd, select.POLLIN)
    looks, gap = 0, 0.0
    while begun + period < until:
        if wakers.poll(max(0.0, 1000 * (begun + period - time.monotonic()))):
            break
        now = time.monotonic()
        looks, gap, begun = looks + 1, max(gap, now - begun), now
        numbers, other = array("q"), False
        for place, found in look_at(tails):
            other = other or found is None
            if found:
                numbers.extend((files[place], len(found), *chain.from_iterable(found)))
        if numbers:
            with socket.socket(fileno=os.dup(line)) as opened:
                opened.sendall(message(numbers.tobytes()))
        if other or not numbers:
            return "other" if other else "nothing", looks, begun, gap
    return "time", looks, begun, gap


class _Beyond(Exception):
    """What is asked for is not at hand, or in doubt."""
