"""How a dataset of images is stored, and where the bytes of its images are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from h5py import h5d

from filewatcher.core.messages import ChunkLayout, Filter
from filewatcher.edges.swmr.libhdf5 import stored_chunks
from filewatcher.errors import Broken

if TYPE_CHECKING:
    from collections.abc import Iterable

    import h5py
    from numpy.typing import NDArray

SINGLE = 8
"""Chunks asked for one by one; for more, one walk over the whole index is cheaper."""


class Found:
    """Rows of one data file, and where their bytes are; columns as in `OnDisk`."""

    __slots__ = ("masks", "offsets", "rows", "sizes")

    def __init__(self, table: Iterable[tuple[int, int, int, int]]) -> None:
        """`table`: (row, offset, size, filter mask)."""
        columns = np.array(list(table), np.int64).reshape(-1, 4)
        self.rows: NDArray[np.int64] = columns[:, 0].copy()
        self.offsets: NDArray[np.int64] = columns[:, 1].copy()
        self.sizes: NDArray[np.int64] = columns[:, 2].copy()
        self.masks: NDArray[np.uint32] = columns[:, 3].astype(np.uint32)

    def __len__(self) -> int:
        return len(self.rows)

    def within(self, size: int) -> Found:
        """Those whose bytes lie within a file of `size` bytes."""
        inside = (self.offsets + self.sizes <= size).tolist()
        table = zip(self.rows.tolist(), self.offsets.tolist(), self.sizes.tolist(), self.masks.tolist(), strict=True)
        return self if all(inside) else Found(one for one, keep in zip(table, inside, strict=True) if keep)


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
    def grows(self) -> bool:
        """Rows may be added."""
        space = self.id.get_space()
        return len(self.id.shape) > 2 and space.get_simple_extent_dims(True)[0] != space.get_simple_extent_dims()[0]

    def _place(self, row: int) -> tuple[int, ...]:
        lead = (row, self.channel or 0)[: len(self.id.shape) - 2]
        return (*lead, 0, 0)

    def stored(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of these rows that are on disk."""
        if self.start is not None:
            return rows[rows < self.rows]
        if len(self.id.shape) == 2:
            return rows if self.id.get_num_chunks() else rows[:0]
        return np.array(stored_chunks(self.id, rows.tolist(), self._place(0)[1:]), np.int64)

    def locate(self, rows: NDArray[np.int64]) -> Found:
        """Where the bytes of rows are that are `stored`; libhdf5's chunk index is the authority."""
        if self.start is not None or len(rows) > SINGLE:
            wanted = np.zeros(self.rows, bool)
            wanted[rows] = True
            return self.all_of(wanted)
        table = []
        for row in rows.tolist():
            chunk = self.id.get_chunk_info_by_coord(self._place(row))
            if chunk.size and chunk.byte_offset is not None:
                table.append((row, chunk.byte_offset, chunk.size, chunk.filter_mask))
        return Found(table)

    def all_of(self, wanted: NDArray[np.bool_]) -> Found:
        """Walk over the whole index: every row on disk that is wanted (bitmap over the rows)."""
        if self.start is not None:
            size = int(np.prod(self.layout.shape)) * np.dtype(self.layout.dtype).itemsize
            channels = int(self.id.shape[1]) if len(self.id.shape) == 4 else 1
            first = self.start + size * (self.channel or 0)
            rows = np.flatnonzero(wanted[: self.rows]).tolist()
            return Found((row, first + row * channels * size, size, 0) for row in rows)
        table: list[tuple[int, int, int, int]] = []
        rank, channel, n = len(self.id.shape), self.channel or 0, len(wanted)

        def visit(chunk: h5py.h5d.StoreInfo) -> None:
            place = chunk.chunk_offset
            row = place[0] if rank > 2 else 0
            if row < n and wanted[row] and (rank < 4 or place[1] == channel) and chunk.size:
                table.append((row, chunk.byte_offset, chunk.size, chunk.filter_mask))

        self.id.chunk_iter(visit)
        return Found(table)


def storage_of(dataset: h5py.Dataset, channel: int | None) -> Storage:
    """Return how the images of a dataset are stored. Raises `Broken` if they cannot be read one by one."""
    name = f"{dataset.file.filename}:{dataset.name}"
    if dataset.ndim not in (2, 3, 4) or dataset.dtype.kind not in "iuf":
        raise Broken(f"{name} has shape {dataset.shape} and type {dataset.dtype}: these are no images")
    if dataset.ndim == 4 and (channel or 0) >= dataset.shape[1]:
        raise Broken(f"{name} has {dataset.shape[1]} channels, and number {channel} (counted from 0) is asked for")
    plist = dataset.id.get_create_plist()
    image = (int(dataset.shape[-2]), int(dataset.shape[-1]))
    filters = tuple(
        Filter(int(code), tuple(int(v) for v in values))
        for code, _flags, values, _name in map(plist.get_filter, range(plist.get_nfilters()))
    )
    start = None
    if plist.get_layout() == h5d.CHUNKED:
        if dataset.chunks != (1,) * (dataset.ndim - 2) + image:
            raise Broken(
                f"{name} is stored in chunks of {dataset.chunks}, images have {image} pixels: only chunks of exactly "
                "one image can be read while the file grows; have the writer store one image per chunk"
            )
    else:
        start = dataset.id.get_offset()
        if start is None:
            raise Broken(f"{name} is stored inside its object header or not at all: no image can be read from it")
    return Storage(
        id=dataset.id,
        layout=ChunkLayout(image, dataset.dtype.str, filters),
        channel=channel if dataset.ndim == 4 else None,
        start=start,
        early=start is None and plist.get_alloc_time() == h5d.ALLOC_TIME_EARLY,
    )
