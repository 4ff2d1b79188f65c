"""The chunks of one dataset, by row, out of whichever index it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filewatcher.edges.swmr.index.blocks import OFFSETS
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
        return self._decode(self._raw(first, stop)[0])

    def stored(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of these rows (ascending) that seem to be on disk: `locate` says for certain."""
        found = []
        for part in _spans(rows):
            first, stop = int(part[0]), int(part[-1]) + 1
            entries = self.read(first, stop)
            there = (entries.addresses > 0) & (entries.sizes > 0)
            if there.any():
                found.append(part[there[part - first]])
        if not found:
            return rows[:0]
        return found[0] if len(found) == 1 else np.concatenate(found)

    def locate(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], Entries, NDArray[np.bool_]]:
        """Return (rows, entries, doubtful): those of these rows (ascending) that two reads in a row agree on.

        Addresses are counted from the start of the file here. Doubtful = an entry that lies on two memory pages: its
        halves may stay apart for as long as the writer is held up between them, and both reads see the same.
        """
        parts = [self._locate(part) for part in _spans(rows)]
        if not parts:
            return rows[:0], NOTHING, np.zeros(0, bool)
        if len(parts) == 1:
            return parts[0]
        kept, entries, doubtful = zip(*parts, strict=True)
        addresses, sizes, masks = (np.concatenate(column) for column in zip(*entries, strict=True))
        return np.concatenate(kept), Entries(addresses, sizes, masks), np.concatenate(doubtful)

    def _locate(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], Entries, NDArray[np.bool_]]:
        first, stop = int(rows[0]), int(rows[-1]) + 1
        once, _ = self._raw(first, stop)
        end = self._blocks.end
        twice, segments = self._raw(first, stop)
        entries = self._decode(twice)
        sure = plausible(entries, end)
        if once != twice:
            for a, b in zip(self._decode(once), entries, strict=True):
                sure &= a == b
        rows = rows[sure[rows - first]]
        chosen = entries.at(rows - first)
        from_start = chosen.addresses + self._blocks.base
        return rows, chosen._replace(addresses=from_start), self._split(rows - first, segments)

    def _split(self, rows: NDArray[np.int64], segments: list[tuple[int, int | None]]) -> NDArray[np.bool_]:
        """Which entries of rows (counted from the first one read) lie on two memory pages."""
        if self._array is None:
            return np.zeros(len(rows), bool)
        size = self._array.entry.size
        elements = rows * self._per_row + self._chunk
        starts, before = [], 0
        for n, address in segments:
            starts.append((address or 0) + self._blocks.base - before * size)
            before += n
        if len(segments) == 1:
            positions = starts[0] + elements * size
        else:
            ends = np.cumsum([n for n, _ in segments])
            positions = np.array(starts)[np.searchsorted(ends, elements, side="right")] + elements * size
        split: NDArray[np.bool_] = positions % PAGE > PAGE - size
        return split

    def _raw(self, first: int, stop: int) -> tuple[bytes, list[tuple[int, int | None]]]:
        """Bytes of the elements of rows first to stop, and where they are; none while there is no index."""
        array = self.array
        first, stop = first * self._per_row, stop * self._per_row
        if array is None:
            return b"\xff" * OFFSETS * (stop - first), []
        segments = array.segments(first, stop)
        size, nothing = array.entry.size, array.entry.nothing
        raw = [nothing * n if at is None else self._blocks.read(at, n * size) for n, at in segments]
        return raw[0] if len(raw) == 1 else b"".join(raw), segments

    def _decode(self, raw: bytes) -> Entries:
        if self._array is None:
            addresses = np.frombuffer(raw, "<i8")
            entries = Entries(addresses, np.zeros(len(addresses), np.int64), np.zeros(len(addresses), np.uint32))
        else:
            entries = self._array.entry.decode(raw)
        return entries if self._per_row == 1 else entries.at(slice(self._chunk, None, self._per_row))


NOTHING = Entries(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.uint32))


def _spans(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Cut ascending rows into groups that are read in one go."""
    if not len(rows):
        return []
    if rows[-1] - rows[0] < STRIDE:
        return [rows]
    cuts = np.flatnonzero(np.diff(rows // STRIDE)) + 1
    return np.split(rows, cuts)
