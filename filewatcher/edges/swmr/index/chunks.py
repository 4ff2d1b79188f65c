"""The chunks of one dataset, by row, out of whichever index it has.

Numbers here are Python's: a look finds a frame or two in each of a few files, and numpy's first touch costs ten times
as much as those after a sleep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from filewatcher.core.observations import StoredChunk
from filewatcher.edges.swmr.index.extensible import ExtensibleArray
from filewatcher.edges.swmr.index.fixed import FixedArray
from filewatcher.edges.swmr.index.header import EXTENSIBLE, find_index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from filewatcher.edges.swmr.index.blocks import Blocks
    from filewatcher.edges.swmr.index.entry import Entry

PAGE = 4096
"""Bytes that the kernel copies at a time: between two of them a writer may be held up for long."""
STRIDE = 8192
"""Rows read at a time."""
FEW = 64
"""Rows up to which a loop over all is cheaper than numpy."""


class Piece(NamedTuple):
    """Elements of the index that follow each other in the file."""

    first: int
    stop: int
    address: int | None
    """Of the first; None = not written."""


class ChunkIndex:
    """Rows of a dataset and their chunks.

    `header`: address of its object header. `chunk_size`: bytes of a chunk that no filter touches. `per_row`: chunks per
    row, of which number `chunk` is meant.

    Every method raises `Unusual` (libhdf5 has to do it), `Torn` (ask again) or OSError.
    """

    def __init__(self, blocks: Blocks, header: int, chunk_size: int, per_row: int = 1, chunk: int = 0) -> None:
        self._blocks = blocks
        self._header = header
        self._chunk_size = chunk_size
        self._per_row = per_row
        self._chunk = chunk
        self._array: FixedArray | ExtensibleArray | None = None
        self._piece = Piece(0, 0, None)  # where the last answer was: blocks never move

    @property
    def array(self) -> FixedArray | ExtensibleArray | None:
        """The index; None until the first chunk is written."""
        if self._array is None:
            place = find_index(self._blocks, self._header)
            if place.address is not None:
                kind = ExtensibleArray if place.kind == EXTENSIBLE else FixedArray
                self._array = kind(self._blocks, place.address, self._chunk_size)
        return self._array

    def locate(self, rows: Sequence[int]) -> tuple[list[StoredChunk], list[int]]:
        """Find the chunks of these rows (ascending); as `find`."""
        wanted = bytearray(rows[-1] + 1 if rows else 0)
        for row in rows:
            wanted[row] = 1
        return self.find(wanted, rows[0] if rows else 0, len(wanted))

    def find(self, wanted: bytearray, first: int, stop: int) -> tuple[list[StoredChunk], list[int]]:
        """Find those chunks that two reads in a row agree on; `wanted`: bitmap over all rows, of which first to stop.

        Returns them, ascending, and those rows whose entry lies on two memory pages: its halves may stay apart for as
        long as the writer is held up between them, and both reads see the same.
        """
        found: list[StoredChunk] = []
        doubtful: list[int] = []
        while first < stop:
            upto = min(first + STRIDE, stop)
            if wanted.find(1, first, upto) >= 0:
                some, doubts = self._find(wanted, first, upto)
                found += some
                doubtful += doubts
            first = upto
        return found, doubtful

    def _find(self, wanted: bytearray, first: int, stop: int) -> tuple[list[StoredChunk], list[int]]:
        array = self.array
        if array is None:
            return [], []
        entry, size, step = array.entry, array.entry.size, array.entry.size * self._per_row
        once = self._bytes(array, self._pieces(array, first, stop))
        rows = self._written(once, entry, wanted, first, stop)
        if not rows:
            return [], []
        end = self._blocks.end
        pieces = self._pieces(array, rows[0], rows[-1] + 1)
        twice = self._bytes(array, pieces)
        ahead = (rows[0] - first) * step
        base = self._blocks.base
        found = []
        for row in rows:
            at = (row - rows[0]) * step + self._chunk * size
            raw = twice[at : at + size]
            if raw == once[ahead + at : ahead + at + size] and (chunk := entry.decode(raw, end)):
                address, stored, mask = chunk
                found.append(StoredChunk(row, base + address, stored, mask))
        split = self._on_two_pages(pieces, size)
        return found, [chunk.row for chunk in found if chunk.row in split] if split else []

    def _written(self, raw: bytes, entry: Entry, wanted: bytearray, first: int, stop: int) -> list[int]:
        """Wanted rows whose entries are not empty."""
        size, nothing = entry.size, entry.nothing
        step, at = size * self._per_row, size * self._chunk
        if stop - first <= FEW:
            places = zip(range(first, stop), range(at, len(raw), step), strict=True)
            return [row for row, place in places if wanted[row] and raw[place : place + size] != nothing]
        table = np.frombuffer(raw, np.uint8).reshape(stop - first, step)[:, at : at + size]
        written = (table != np.frombuffer(nothing, np.uint8)).any(axis=1)
        written &= np.frombuffer(wanted, bool, stop - first, first)
        rows: list[int] = (written.nonzero()[0] + first).tolist()
        return rows

    def _pieces(self, array: FixedArray | ExtensibleArray, first: int, stop: int) -> list[Piece]:
        """Pieces that together are the elements of rows first to stop."""
        first, stop = first * self._per_row, stop * self._per_row
        known = self._piece
        if known.first <= first and stop <= known.stop:
            assert known.address is not None
            return [Piece(first, stop, known.address + (first - known.first) * array.entry.size)]
        pieces = []
        while first < stop:
            n, address = array.piece(first)
            if address is not None:
                self._piece = Piece(first, first + n, address)
            pieces.append(Piece(first, min(first + n, stop), address))
            first += n
        return pieces

    def _bytes(self, array: FixedArray | ExtensibleArray, pieces: list[Piece]) -> bytes:
        size, nothing = array.entry.size, array.entry.nothing
        raw = [
            nothing * (stop - first) if address is None else self._blocks.read(address, (stop - first) * size)
            for first, stop, address in pieces
        ]
        return raw[0] if len(raw) == 1 else b"".join(raw)

    def _on_two_pages(self, pieces: list[Piece], size: int) -> set[int]:
        """Rows whose entry begins on one memory page and ends on the next."""
        rows = set()
        for first, stop, address in pieces:
            if address is None:
                continue
            begin = address + self._blocks.base
            for page in range((begin // PAGE + 1) * PAGE, begin + (stop - first) * size, PAGE):
                before, within = divmod(page - begin, size)
                if within:
                    rows.add((first + before) // self._per_row)
        return rows
