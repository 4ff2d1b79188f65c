"""The Fixed Array: one element per chunk of a dataset whose extent is known.

Specification: VII.C "The Fixed Array Index". Up to ``2**bits`` elements follow the prefix of the data block; more are
in pages of as many elements, each with its checksum, one after the other behind prefix and checksum of the data
block, and a bitmap in the prefix says which pages have been written::

    FADB  header address  elements ...  checksum
    FADB  header address  bitmap  checksum  | elements ... checksum | elements ... checksum | ...
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from filewatcher.edges.swmr.index.blocks import ENDLESS, OFFSETS, UNDEFINED, Unusual, prefix
from filewatcher.edges.swmr.index.entry import Entry

if TYPE_CHECKING:
    from filewatcher.edges.swmr.index.blocks import Blocks

HEADER = 28
"""Bytes of a FAHD."""
MOST = 1 << 32
"""Elements that no dataset of images has: so many chunks need more than any disk."""
SUM = 4
"""Bytes of a checksum."""


class FixedArray:
    """Where the elements of one Fixed Array are; `address`: of its header."""

    def __init__(self, blocks: Blocks, address: int, chunk_size: int) -> None:
        self._blocks = blocks
        self._address = address
        version, client, size, bits, self.count, block = struct.unpack_from(
            "<4xBBBBQQ", blocks.checked(address, HEADER, b"FAHD")
        )
        if version != 0 or not 0 < bits < 32 or self.count > MOST:
            raise Unusual(f"a Fixed Array of version {version}, {self.count} elements in pages of 2**{bits}")
        self.entry = Entry(client, size, chunk_size)
        self._page = 1 << bits
        self._pages = -(-self.count // self._page) if self.count > self._page else 0
        self._bitmap = bytes((self._pages + 7) // 8)
        self._prefix = prefix(b"FADB", client, address)
        self._block: int | None = None
        if block != UNDEFINED:
            self._open(block)

    def _open(self, block: int) -> None:
        self._blocks.expect(block, self._prefix)
        self._block = block

    def piece(self, first: int) -> tuple[int, int | None]:
        """Return how many elements from this one on follow each other in the file, and where; None = not written."""
        if self._block is None:
            pointer = self._blocks.pointer(self._address + HEADER - SUM - OFFSETS)
            if pointer is None:
                return ENDLESS, None
            self._open(pointer)
        assert self._block is not None
        start = self._block + len(self._prefix)
        if first >= self.count:
            return ENDLESS, None
        if not self._pages:
            return self.count - first, start + first * self.entry.size
        page, within = divmod(first, self._page)
        if not self._written(page):
            self._bitmap = self._blocks.read(start, len(self._bitmap))
        if not self._written(page):
            after = next((p for p in range(page + 1, self._pages) if self._written(p)), self._pages)
            return after * self._page - first, None
        start += len(self._bitmap) + SUM + page * (self._page * self.entry.size + SUM)
        return min(self._page - within, self.count - first), start + within * self.entry.size

    def _written(self, page: int) -> bool:
        """The first page is the highest bit of the first byte."""
        return bool(self._bitmap[page // 8] & (0x80 >> page % 8))
