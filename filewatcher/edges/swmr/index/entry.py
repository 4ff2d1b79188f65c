"""One element of a chunk index, in bytes and in numbers.

Specification: VII.C and VII.D, "Data Block Element for Non-filtered Dataset Chunk" (client 0: an address) and "...
for Filtered Dataset Chunk" (client 1: address, stored size, filter mask). How many bytes the size has is what the
element's size leaves for it: 1 + (log2(bytes of a chunk) + 8) // 8 with layout message 4, always 8 with 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from filewatcher.edges.swmr.index.blocks import OFFSETS, Unusual

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLAIN = 0
FILTERED = 1
MASK = 4
"""Bytes of a filter mask."""


class Entries(NamedTuple):
    """Columns of the index, shape (elements,) each, as they are in the file.

    Signed: what no file has, an undefined address among it, is negative.
    """

    addresses: NDArray[np.int64]
    sizes: NDArray[np.int64]
    """Stored bytes; 0 or an undefined address = no chunk."""
    masks: NDArray[np.uint32]

    def at(self, where: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Entries:
        """Some of them."""
        return Entries(self.addresses[where], self.sizes[where], self.masks[where])

    def written(self) -> NDArray[np.bool_]:
        """Which of them are chunks, shape (elements,).

        Half an entry has an address without a size, a size without an address, or an address in no file.
        """
        return (self.addresses > 0) & (self.sizes > 0)


class Entry:
    """How elements are stored; `size`: bytes of one; `chunk_size`: bytes of a chunk that no filter touches."""

    def __init__(self, client: int, size: int, chunk_size: int) -> None:
        self.size = size
        self._chunk_size = chunk_size
        width = size - OFFSETS - MASK
        if client == FILTERED and 1 <= width <= 8:
            # read as a whole word, what does not belong to it is cut off
            word, wide = ("<u4", 4) if width <= 4 else ("<i8", 8)
            self._dtype: np.dtype[Any] = np.dtype(
                {
                    "names": ["address", "size", "mask"],
                    "formats": ["<i8", word, "<u4"],
                    "offsets": [0, OFFSETS, OFFSETS + width],
                    "itemsize": size,
                }
            )
            self._cut = (1 << 8 * width) - 1 if width < wide else None
            self.nothing = b"\xff" * OFFSETS + bytes(width + MASK)
        elif client == PLAIN and size == OFFSETS:
            self._dtype = np.dtype("<i8")
            self.nothing = b"\xff" * OFFSETS
        else:
            raise Unusual(f"an index of client {client} with elements of {size} bytes")

    def decode(self, raw: bytes) -> Entries:
        """Elements as they follow each other in a file."""
        table: NDArray[Any] = np.frombuffer(raw, self._dtype)
        if self._dtype.names is None:
            n = len(table)
            return Entries(table, np.full(n, self._chunk_size), np.zeros(n, np.uint32))
        sizes = table["size"].astype(np.int64)
        return Entries(table["address"], sizes if self._cut is None else sizes & self._cut, table["mask"])
