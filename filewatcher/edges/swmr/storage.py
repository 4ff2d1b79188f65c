"""How a dataset of images is stored, and where the bytes of its images are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from h5py import h5d, h5i

from filewatcher.core.messages import ChunkLayout, Filter
from filewatcher.core.observations import StoredChunk
from filewatcher.edges.swmr.libhdf5 import chunk_sizes
from filewatcher.errors import Broken

if TYPE_CHECKING:
    from collections.abc import Sequence

    import h5py

SINGLE = 8
"""Chunks asked for one by one; for more, one walk over the whole index is cheaper."""


@dataclass(frozen=True, slots=True)
class Storage:
    """One dataset of images that is open; dead once its file is closed.

    Images lie in chunks of exactly one image, or one after the other without chunks.
    """

    id: h5py.h5d.DatasetID
    layout: ChunkLayout
    channel: int | None
    """Of a dataset ``[image, channel, slow, fast]``."""
    start: int | None
    """Bytes to row 0, without chunks; None = chunked."""
    early: bool
    """Space was allocated for all images at once: that there is a chunk says nothing."""

    @property
    def rows(self) -> int:
        """Rows now (after a refresh)."""
        shape = self.id.shape
        return int(shape[0]) if len(shape) > 2 else 1

    @property
    def fd(self) -> int:
        """libhdf5's own descriptor of the file; it stays libhdf5's."""
        return int(h5i.get_file_id(self.id).get_vfd_handle())

    @property
    def end(self) -> int:
        """Bytes of the file now."""
        return os.fstat(self.fd).st_size

    def _place(self, row: int) -> tuple[int, ...]:
        lead = (row, self.channel or 0)[: len(self.id.shape) - 2]
        return (*lead, 0, 0)

    def stored(self, rows: Sequence[int]) -> Sequence[int]:
        """Those of these rows that are on disk; they lie within the dataset now."""
        if self.start is not None:
            return [row for row in rows if row < self.rows]
        if len(self.id.shape) == 2:
            return rows if self.id.get_num_chunks() else []
        return [row for row, size in zip(rows, self.sizes(rows), strict=True) if size]

    def locate(self, rows: Sequence[int]) -> list[StoredChunk]:
        """Where the bytes of rows (ascending) are that are `stored`; libhdf5's chunk index is the authority."""
        if self.start is not None or len(rows) > SINGLE:
            wanted = bytearray(self.rows)
            for row in rows:
                wanted[row] = 1
            return self.all_of(wanted)
        found = []
        for row in rows:
            chunk = self.id.get_chunk_info_by_coord(self._place(row))
            if chunk.size and chunk.byte_offset is not None:
                found.append(StoredChunk(row, chunk.byte_offset, chunk.size, chunk.filter_mask))
        return found

    def all_of(self, wanted: bytearray) -> list[StoredChunk]:
        """Walk over the whole index: every row on disk that is wanted (bitmap over the rows), ascending."""
        if self.start is not None:
            size = int(np.prod(self.layout.shape)) * np.dtype(self.layout.dtype).itemsize
            channels = int(self.id.shape[1]) if len(self.id.shape) == 4 else 1
            first = self.start + size * (self.channel or 0)
            rows = [row for row in range(min(self.rows, len(wanted))) if wanted[row]]
            return [StoredChunk(row, first + row * channels * size, size, 0) for row in rows]
        chunks: list[h5py.h5d.StoreInfo] = []
        self.id.chunk_iter(chunks.append)  # no Python of ours while libhdf5 holds everything up
        found = []
        for place, mask, offset, size in chunks:
            row = place[0] if len(place) > 2 else 0
            other = len(place) == 4 and place[1] != (self.channel or 0)
            if size and not other and row < len(wanted) and wanted[row]:
                found.append(StoredChunk(row, offset, size, mask))
        return sorted(found)

    def sizes(self, rows: Sequence[int]) -> list[int]:
        """Stored bytes of rows that lie within the dataset now; 0 = not on disk."""
        return chunk_sizes(self.id, rows, self._place(0)[1:])


def within(found: Sequence[StoredChunk], end: int) -> list[StoredChunk]:
    """Those whose bytes lie within a file of `end` bytes: of others there is nothing to be read yet."""
    return [chunk for chunk in found if chunk.offset + chunk.size <= end]


def storage_of(dataset: h5py.h5d.DatasetID, name: str, channel: int | None) -> Storage:
    """Return how the images of a dataset, called `name`, are stored. Raises `Broken` if they cannot be read singly."""
    shape: tuple[int, ...] = dataset.shape or ()  # a null dataspace has none
    dtype = dataset.dtype
    if len(shape) not in (2, 3, 4) or dtype.kind not in "iuf":
        raise Broken(f"{name} has shape {shape} and type {dtype}: these are no images")
    if len(shape) == 4 and (channel or 0) >= shape[1]:
        raise Broken(f"{name} has {shape[1]} channels, and number {channel} (counted from 0) is asked for")
    plist = dataset.get_create_plist()
    image = (int(shape[-2]), int(shape[-1]))
    filters = tuple(
        Filter(int(code), tuple(int(v) for v in values))
        for code, _flags, values, _name in map(plist.get_filter, range(plist.get_nfilters()))
    )
    start = None
    if plist.get_layout() == h5d.CHUNKED:
        chunk = plist.get_chunk()
        if chunk != (1,) * (len(shape) - 2) + image:
            raise Broken(
                f"{name} is stored in chunks of {chunk}, images have {image} pixels: only chunks of exactly "
                "one image can be read while the file grows; have the writer store one image per chunk"
            )
    else:
        start = dataset.get_offset()
        if start is None:
            raise Broken(f"{name} is stored inside its object header or not at all: no image can be read from it")
    return Storage(
        id=dataset,
        layout=ChunkLayout(image, dtype.str, filters),
        channel=channel if len(shape) == 4 else None,
        start=start,
        early=start is None and plist.get_alloc_time() == h5d.ALLOC_TIME_EARLY,
    )
