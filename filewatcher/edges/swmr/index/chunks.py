"""The chunks of one dataset, by row, out of whichever index it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filewatcher.edges.swmr.index._entries import Entries, Tail
from filewatcher.edges.swmr.index.entry import Piece
from filewatcher.edges.swmr.index.extensible import ExtensibleArray
from filewatcher.edges.swmr.index.fixed import FixedArray
from filewatcher.edges.swmr.index.header import EXTENSIBLE, find_index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from filewatcher.core.observations import StoredChunk
    from filewatcher.edges.swmr.frontier import Frontier
    from filewatcher.edges.swmr.index.blocks import Blocks

STRIDE = 8192
"""Rows read at a time."""


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
        self._entries: Entries | None = None
        self._step = 0
        self._piece = Piece(0, 0, 0)  # where the last answer was: blocks never move

    @property
    def array(self) -> FixedArray | ExtensibleArray | None:
        """The index; None until the first chunk is written."""
        if self._array is None:
            place = find_index(self._blocks, self._header)
            if place.address is not None:
                kind = ExtensibleArray if place.kind == EXTENSIBLE else FixedArray
                self._array = array = kind(self._blocks, place.address, self._chunk_size)
                entry, self._step = array.entry, array.entry.size * self._per_row
                self._entries = Entries(
                    self._blocks.fd, self._blocks.base, entry.size, entry.mask_at, entry.chunk_size, self._step
                )
        return self._array

    def locate(self, rows: Sequence[int]) -> tuple[list[StoredChunk], list[int]]:
        """Find the chunks of these rows (ascending); as `find`."""
        wanted = bytearray(rows[-1] + 1 if rows else 0)
        for row in rows:
            wanted[row] = 1
        return self.find(wanted, rows[0] if rows else 0, len(wanted))

    def tail(self, frontier: Frontier, end: int) -> Tail | None:
        """Return what follows the file from here on, for as long as nothing else marks rows; None = not yet.

        `end`: where the chunks seen so far end, in bytes from the start of the file.
        """
        if self._entries is None:
            return None
        counters = frontier.oldest, frontier.last, frontier.left
        return Tail(self._entries, self._piece, frontier.missing, frontier.seen, *counters, end)

    def find(self, wanted: bytearray, first: int, stop: int) -> tuple[list[StoredChunk], list[int]]:
        """Find those chunks that two reads in a row agree on; `wanted`: bitmap over all rows, of which first to stop.

        Returns them, ascending, and those rows whose entry lies on two memory pages: its halves may stay apart for as
        long as the writer is held up between them, and both reads see the same.
        """
        entries = self._entries
        begin, end, address = self._piece
        if entries is not None and begin <= first and stop <= end:
            return entries.find(address + (first - begin) * self._step, wanted, first, stop)
        return self._find_in_pieces(wanted, first, stop)

    def _find_in_pieces(self, wanted: bytearray, first: int, stop: int) -> tuple[list[StoredChunk], list[int]]:
        found: list[StoredChunk] = []
        doubtful: list[int] = []
        array = self.array
        if array is None:
            return found, doubtful
        assert self._entries is not None
        while first < stop:
            upto, address = self._piece_of(array, first)
            upto = min(upto, first + STRIDE, stop)
            if address is not None:
                some, doubts = self._entries.find(address, wanted, first, upto)
                found += some
                doubtful += doubts
            first = upto
        return found, doubtful

    def _piece_of(self, array: FixedArray | ExtensibleArray, first: int) -> tuple[int, int | None]:
        """Where rows end whose entries follow that of the first one, and where that is; None = they are not written."""
        number, address = array.piece(first * self._per_row + self._chunk)
        stop = first - (-number // self._per_row)
        if address is not None:
            self._piece = Piece(first, stop, address)
        return stop, address
