"""The fast path: what is new in an open dataset, asked of its chunk index without libhdf5.

libhdf5 stays the authority. It reads the index instead when that is of another kind, when something in it is not as
it must be, and from time to time to compare: when they disagree, it is right, and the fast path is not used again.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from h5py import h5o

from filewatcher.edges.swmr.frontier import WINDOW
from filewatcher.edges.swmr.index import Blocks, ChunkIndex, Tail, Torn, Unusual

if TYPE_CHECKING:
    from collections.abc import Callable

    from filewatcher.core.observations import StoredChunk
    from filewatcher.edges.swmr.frontier import Frontier
    from filewatcher.edges.swmr.storage import Storage

PATIENCE = 20
"""Times in a row that something may be half written before it counts as broken."""
SAMPLE = 128
"""Rows in the spot check before the last word of a file: a quarter of a millisecond of libhdf5..."""
SURVEYED = 32
"""...and in that of every survey."""
ENDLESS = 1 << 62
"""Rows that an index can say: it need not know the extent of its dataset."""


class FastPath:
    """The chunk index of one open dataset, as long as it is as expected; dead once the file is closed.

    What it answers is None when libhdf5 has to be asked instead, this once or (`reason`) for good. `base`: bytes of
    the file before its HDF5 data. `reason`: why not to begin with it at all.
    """

    def __init__(self, storage: Storage, base: int, reason: str = "") -> None:
        self.reason = reason
        """Why libhdf5 reads the index, in words; empty = it does not."""
        self._storage = storage
        self._torn = 0
        self._index: ChunkIndex | None = None
        if not reason:
            try:
                self._index = _index_of(storage, base)
                self._index.array  # noqa: B018  whether this index is known shows when it is read
            except Unusual as unknown:
                self.reason = str(unknown)
            except Torn:
                self._torn = 1

    @property
    def usable(self) -> bool:
        """libhdf5 is not needed."""
        return not self.reason

    def look(self, frontier: Frontier) -> list[StoredChunk] | None:
        """What is new near the first missing row and near the last seen one."""

        def ask(index: ChunkIndex) -> list[StoredChunk]:
            missing = frontier.missing
            return frontier.near(lambda first, stop: self._find(index, missing, first, stop), ENDLESS, WINDOW)

        return self._try(ask)

    def tail(self, frontier: Frontier, end: int) -> Tail | None:
        """What follows the file from here on without us, for as long as nothing else marks rows; see `ChunkIndex`."""
        return self._index.tail(frontier, end) if self._index is not None else None

    def scan(self, frontier: Frontier) -> list[StoredChunk] | None:
        """Every missing row that is on disk."""
        return self._try(lambda index: self._find(index, frontier.missing, 0, len(frontier.missing)))

    def differences(self, theirs: list[StoredChunk], wanted: bytearray) -> list[int]:
        """Compare with all rows that libhdf5 has found a moment ago, among those wanted; returns rows that differ.

        A row that differs is looked at again from both sides, as the writer may have moved it in between.
        """
        ours = self._try(lambda index: index.find(wanted, 0, len(wanted))[0])
        if ours is None or not (differ := set(ours) ^ set(theirs)):
            return []
        self._storage.id.refresh()
        # the extent is written after the index: libhdf5 may know of no more yet
        rows = self._storage.rows
        suspects = sorted({chunk.row for chunk in differ if chunk.row < rows})
        again = self._storage.locate(suspects)
        ours = self._try(lambda index: index.locate(suspects)[0])
        return [] if ours is None else sorted({chunk.row for chunk in set(ours) ^ set(again)})

    def spot_check(self, last: int, count: int = SAMPLE) -> list[int]:
        """Compare the sizes of so many rows up to the last seen one with libhdf5's; returns rows that differ."""
        differ = list(range(max(0, last + 1 - count), last + 1))
        for _ in range(2):  # the writer may have written one anew between the two reads
            self._storage.id.refresh()
            rows = self._storage.rows
            inside = [row for row in differ if row < rows]
            theirs = {row: n for row, n in zip(inside, self._storage.sizes(inside), strict=True) if n}
            ours = self._try(lambda index, rows=list(theirs): index.locate(rows)[0])  # type: ignore[misc]
            if ours is None:
                return []
            sizes = {chunk.row: chunk.size for chunk in ours}
            differ = [row for row, n in theirs.items() if sizes.get(row) != n]
            if not differ:
                break
        return differ

    def give_up(self, reason: str) -> None:
        """Leave it to libhdf5 from now on."""
        self.reason = reason
        self._index = None

    def _try(self, ask: Callable[[ChunkIndex], list[StoredChunk]]) -> list[StoredChunk] | None:
        if self._index is None:
            return None
        try:
            found = ask(self._index)
        except Unusual as unknown:
            self.give_up(str(unknown))
        except Torn as torn:
            self._torn += 1
            if self._torn >= PATIENCE:
                self.give_up(str(torn))
        else:
            self._torn = 0
            return found
        return None

    def _find(self, index: ChunkIndex, missing: bytearray, first: int, stop: int) -> list[StoredChunk]:
        found, doubtful = index.find(missing, first, stop)
        return self._confirmed(index, found, doubtful) if doubtful else found

    def _confirmed(self, index: ChunkIndex, found: list[StoredChunk], doubtful: list[int]) -> list[StoredChunk]:
        """Keep doubtful rows that are the same before and after libhdf5 has read their block with a right checksum."""
        self._storage.id.refresh()
        rows = self._storage.stored([row for row in doubtful if row < self._storage.rows])
        again, doubts = set(index.locate(rows)[0]), set(doubtful)
        return [chunk for chunk in found if chunk.row not in doubts or chunk in again]


def _index_of(storage: Storage, base: int) -> ChunkIndex:
    """Return the index of a dataset; rows are its slowest dimension, and a row has a chunk per channel."""
    most = storage.id.get_space().get_simple_extent_dims(True)
    if storage.start is not None or len(most) < 3:
        raise Unusual("it is not stored in chunks of several images")
    if any(n is None or n > 1 << 48 for n in most[1:]):
        raise Unusual("more than its number of images may grow")
    chunk = (1,) * (len(most) - 2) + storage.layout.shape
    counts = [-(-n // c) for n, c in zip(most, chunk, strict=True)][1:]
    header = h5o.get_info(storage.id).addr
    per_row, per_channel = math.prod(counts), math.prod(counts[-2:])
    size = math.prod(storage.layout.shape) * np.dtype(storage.layout.dtype).itemsize
    return ChunkIndex(Blocks(storage.fd, base), header, size, per_row, (storage.channel or 0) * per_channel)
