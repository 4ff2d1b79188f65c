"""The chunks of one dataset, by row, out of whichever index it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filewatcher.edges.swmr.index.blocks import UNDEFINED
from filewatcher.edges.swmr.index.entry import Entries, plausible
from filewatcher.edges.swmr.index.extensible import ExtensibleArray
from filewatcher.edges.swmr.index.fixed import FixedArray
from filewatcher.edges.swmr.index.header import EXTENSIBLE, find_index

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filewatcher.edges.swmr.index.blocks import Blocks

PAGE = 4096
"""Bytes that the kernel copies at a time: between two of them a writer may be held up for long."""
STRIDE = 8192
"""Elements read at a time."""


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

    @property
    def array(self) -> FixedArray | ExtensibleArray | None:
        """The index; None until the first chunk is written."""
        if self._array is None:
            place = find_index(self._blocks, self._header)
            if place.address is not None:
                kind = ExtensibleArray if place.kind == EXTENSIBLE else FixedArray
                self._array = kind(self._blocks, place.address, self._chunk_size)
        return self._array

    def read(self, first: int, stop: int) -> Entries:
        """Read the entries of rows first to stop, each shape (stop - first,), unchecked."""
        entries, _ = self._read(first, stop, positions=False)
        return entries

    def stored(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of these rows (ascending) that seem to be on disk: `locate` says for certain."""
        end = -1
        found = []
        for part in _spans(rows):
            first, stop = int(part[0]), int(part[-1]) + 1
            entries = self.read(first, stop)
            # a single pass decides the common case: nothing new
            if not ((entries.addresses + np.uint64(1)) > np.uint64(1)).any():
                continue
            end = self._blocks.end if end < 0 else end
            found.append(part[plausible(entries, end)[part - first]])
        return np.concatenate(found) if found else rows[:0]

    def locate(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], Entries, NDArray[np.bool_]]:
        """Return (rows, entries, doubtful): those of these rows (ascending) that two reads in a row agree on.

        Addresses are counted from the start of the file here. Doubtful = an entry that lies on two memory pages: its
        halves may stay apart for as long as the writer is held up between them, and both reads see the same.
        """
        kept, columns, doubts = [rows[:0]], [], []
        for part in _spans(rows):
            first, stop = int(part[0]), int(part[-1]) + 1
            once = self.read(first, stop)
            end = self._blocks.end
            twice, positions = self._read(first, stop, positions=True)
            sure = plausible(twice, end)
            for a, b in zip(once, twice, strict=True):
                sure &= a == b
            pick = part[sure[part - first]]
            at = pick - first
            kept.append(pick)
            columns.append(twice.at(at))
            doubts.append(positions[at])
        empty = Entries(np.zeros(0, np.uint64), np.zeros(0, np.uint64), np.zeros(0, np.uint32))
        entries = Entries(*(np.concatenate(c) for c in zip(empty, *columns, strict=True)))
        doubtful = np.concatenate([np.zeros(0, bool), *doubts])
        return (
            np.concatenate(kept),
            entries._replace(addresses=entries.addresses + np.uint64(self._blocks.base)),
            doubtful,
        )

    def _read(self, first: int, stop: int, *, positions: bool) -> tuple[Entries, NDArray[np.bool_]]:
        """Entries of rows first to stop, and which of them lie on two memory pages (only if `positions`)."""
        array = self.array
        first, stop = first * self._per_row, stop * self._per_row
        if array is None:
            n = stop - first
            entries = Entries(np.full(n, UNDEFINED, np.uint64), np.zeros(n, np.uint64), np.zeros(n, np.uint32))
            return self._pick(entries), np.zeros(n, bool)[self._chunk :: self._per_row]
        size = array.entry.size
        segments = array.segments(first, stop)
        raw = [
            array.entry.nothing * n if address is None else self._blocks.read(address, n * size)
            for n, address in segments
        ]
        entries = array.entry.decode(raw[0] if len(raw) == 1 else b"".join(raw))
        split = np.zeros(0, bool)
        if positions:
            split = np.concatenate(
                [
                    ((address or 0) + self._blocks.base + np.arange(n) * size) % PAGE > PAGE - size
                    for n, address in segments
                ]
            )[self._chunk :: self._per_row]
        return self._pick(entries), split

    def _pick(self, entries: Entries) -> Entries:
        return entries if self._per_row == 1 else entries.at(slice(self._chunk, None, self._per_row))


def _spans(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Cut ascending rows into groups that are read in one go."""
    if not len(rows):
        return []
    if rows[-1] - rows[0] < STRIDE:
        return [rows]
    cuts = np.flatnonzero(np.diff(rows // STRIDE)) + 1
    return np.split(rows, cuts)
