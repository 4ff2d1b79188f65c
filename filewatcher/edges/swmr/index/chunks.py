"""The chunks of one dataset, by row, out of whichever index it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from filewatcher.edges.swmr.index.entry import Entries
from filewatcher.edges.swmr.index.extensible import ExtensibleArray
from filewatcher.edges.swmr.index.fixed import FixedArray
from filewatcher.edges.swmr.index.header import EXTENSIBLE, find_index

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filewatcher.edges.swmr.index.blocks import Blocks

PAGE = 4096
"""Bytes that the kernel copies at a time: between two of them a writer may be held up for long."""
STRIDE = 8192
"""Rows read at a time."""
NONE = np.zeros(0, np.int64)


class Chunks(NamedTuple):
    """Chunks of rows, columns of shape (n,)."""

    rows: NDArray[np.int64]
    """Ascending."""
    entries: Entries
    """Addresses are counted from the start of the file here."""
    doubtful: NDArray[np.int64]
    """Indices into the columns: entries that lie on two memory pages. Their halves may stay apart for as long as the
    writer is held up between them, and two reads in a row see the same."""


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

    def locate(self, rows: NDArray[np.int64]) -> Chunks:
        """Find the chunks of these rows (ascending)."""
        if not len(rows):
            return NOTHING
        first = int(rows[0])
        wanted = np.zeros(int(rows[-1]) + 1 - first, bool)
        wanted[rows - first] = True
        return self.find(wanted, first)

    def find(self, wanted: NDArray[np.bool_], first: int = 0) -> Chunks:
        """Find those chunks that two reads in a row agree on; `wanted`: bitmap over the rows from `first` on."""
        if len(wanted) <= STRIDE:
            return self._find(wanted, first)
        parts = [
            self._find(wanted[start : start + STRIDE], first + start)
            for start in range(0, len(wanted), STRIDE)
            if wanted[start : start + STRIDE].any()
        ]
        parts = [part for part in parts if len(part.rows)]
        if len(parts) < 2:
            return parts[0] if parts else NOTHING
        before = np.cumsum([0] + [len(part.rows) for part in parts])
        return Chunks(
            np.concatenate([part.rows for part in parts]),
            Entries(*(np.concatenate(column) for column in zip(*(part.entries for part in parts), strict=True))),
            np.concatenate([part.doubtful + n for part, n in zip(parts, before.tolist(), strict=False)]),
        )

    def _find(self, wanted: NDArray[np.bool_], first: int) -> Chunks:
        array = self.array
        if array is None:
            return NOTHING
        per_row, size = self._per_row, array.entry.size
        pieces = self._pieces(array, first * per_row, (first + len(wanted)) * per_row)
        if all(piece.address is None for piece in pieces):
            return NOTHING
        once = self._bytes(array, pieces)
        entries = self._decode(array, once)
        hit = (wanted & entries.written()).nonzero()[0]
        if not len(hit):
            return NOTHING
        end = self._blocks.end
        a, z = int(hit[0]), int(hit[-1]) + 1
        pieces = self._pieces(array, (first + a) * per_row, (first + z) * per_row)
        twice = self._bytes(array, pieces)
        chosen = entries.at(hit)
        sure = chosen.addresses <= end - chosen.sizes  # not their sum: half an address may be anything
        if once[a * per_row * size : z * per_row * size] != twice:
            again = self._decode(array, twice).at(hit - a)
            for one, other in zip(chosen, again, strict=True):
                sure &= one == other
        if not sure.all():
            hit, chosen = hit[sure], chosen.at(sure)
        if base := self._blocks.base:
            chosen = chosen._replace(addresses=chosen.addresses + base)
        return Chunks(hit + first, chosen, self._on_two_pages(pieces, size, hit + first))

    def _pieces(self, array: FixedArray | ExtensibleArray, first: int, stop: int) -> list[Piece]:
        """Pieces that together are elements first to stop."""
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

    def _decode(self, array: FixedArray | ExtensibleArray, raw: bytes) -> Entries:
        entries = array.entry.decode(raw)
        return entries if self._per_row == 1 else entries.at(slice(self._chunk, None, self._per_row))

    def _on_two_pages(self, pieces: list[Piece], size: int, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which of the rows have an entry that begins on one memory page and ends on the next: indices."""
        base = self._blocks.base
        there = [(p.first, p.stop, p.address + base) for p in pieces if p.address is not None]
        if all(at // PAGE == (at + (stop - first) * size - 1) // PAGE for first, stop, at in there):
            return NONE
        elements = rows * self._per_row + self._chunk
        starts = np.array([first for first, _, _ in there])
        which = np.searchsorted(starts, elements, side="right") - 1
        positions = np.array([at for _, _, at in there])[which] + (elements - starts[which]) * size
        split: NDArray[np.int64] = (positions % PAGE > PAGE - size).nonzero()[0]
        return split


NOTHING = Chunks(NONE, Entries(NONE, NONE, np.zeros(0, np.uint32)), NONE)
