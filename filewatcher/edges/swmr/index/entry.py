"""One element of a chunk index, in bytes and in numbers.

Specification: VII.C and VII.D, "Data Block Element for Non-filtered Dataset Chunk" (client 0: an address) and "...
for Filtered Dataset Chunk" (client 1: address, stored size, filter mask). How many bytes the size has is what the
element's size leaves for it: 1 + (log2(bytes of a chunk) + 8) // 8 with layout message 4, always 8 with 5.
"""

from __future__ import annotations

from typing import NamedTuple

from filewatcher.edges.swmr.index.blocks import OFFSETS, Unusual

PLAIN = 0
FILTERED = 1
MASK = 4
"""Bytes of a filter mask."""


class Piece(NamedTuple):
    """Rows whose elements follow each other in the file."""

    first: int
    stop: int
    address: int
    """Of the first one's element."""


class Entry:
    """How elements are stored; `size`: bytes of one; `chunk_size`: bytes of a chunk that no filter touches."""

    def __init__(self, client: int, size: int, chunk_size: int) -> None:
        self.size = size
        self.chunk_size = chunk_size
        width = size - OFFSETS - MASK
        if client == FILTERED and 1 <= width <= 8:
            self.nothing = b"\xff" * OFFSETS + bytes(width + MASK)
            self.mask_at = OFFSETS + width
            """Byte at which the mask begins, behind the size; 0 = an address is all there is."""
        elif client == PLAIN and size == OFFSETS:
            self.nothing = b"\xff" * OFFSETS
            self.mask_at = 0
        else:
            raise Unusual(f"an index of client {client} with elements of {size} bytes")

    def decode(self, raw: bytes, end: int) -> tuple[int, int, int] | None:
        """Address, stored size and filter mask of one element; None = no chunk within a file of `end` bytes.

        Half an entry has an address without a size, a size without an address, or an address in no file.
        """
        address, size, mask = int.from_bytes(raw[:OFFSETS], "little"), self.chunk_size, 0
        if self.mask_at:
            size = int.from_bytes(raw[OFFSETS : self.mask_at], "little")
            mask = int.from_bytes(raw[self.mask_at :], "little")
        return (address, size, mask) if size and 0 < address <= end - size else None
