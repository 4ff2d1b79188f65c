"""The Extensible Array: one element per chunk of a dataset whose first dimension is unlimited.

Specification: VII.D "The Extensible Array Index". The first elements are in the index block itself; the others in data
blocks, which belong to levels ("secondary blocks") 0, 1, 2, ...; with m = the smallest data block (16 elements)::

    level  u                          0   1   2   3   4  ...
    data blocks  2**(u // 2)          1   1   2   2   4
    elements in each  m * 2**((u+1)//2)   m  2m  2m  4m  4m
    first element  m * (2**u - 1)     0   m  3m  7m 15m      (without those of the index block)

The first levels (4 by default) have no secondary block: the index block holds the addresses of their data blocks, and
behind them those of the secondary blocks. Data blocks of more than a page are stored in pages, as those of a Fixed
Array; which of them are written says the bitmap in the secondary block. The rule of the levels is in no section of
the specification: it follows from the creation parameters, and `chunk_iter` agrees with it in the tests.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filewatcher.edges.swmr.index.blocks import ENDLESS, OFFSETS, UNDEFINED, Unusual, prefix
from filewatcher.edges.swmr.index.entry import Entry

if TYPE_CHECKING:
    from filewatcher.edges.swmr.index.blocks import Blocks

HEADER = 72
"""Bytes of an EAHD."""
SUM = 4
"""Bytes of a checksum."""


@dataclass(frozen=True, slots=True)
class _Level:
    number: int
    blocks: int
    """Data blocks."""
    elements: int
    """In each of them."""
    first: int
    """Element; those of the index block are not counted."""
    before: int
    """Data blocks of lower levels."""
    pages: int
    """Per data block; 0 = it is not paged."""

    @property
    def bitmap(self) -> int:
        """Bytes of the bitmap in the secondary block."""
        return self.blocks * ((self.pages + 7) // 8)


class ExtensibleArray:
    """Where the elements of one Extensible Array are; `address`: of its header."""

    def __init__(self, blocks: Blocks, address: int, chunk_size: int) -> None:
        self._blocks = blocks
        self._address = address
        version, client, size, bits, self._direct, least, pointers, page, index = struct.unpack_from(
            "<4xBBBBBBBB48xQ", blocks.checked(address, HEADER, b"EAHD")
        )
        powers = all(n > 0 and n & (n - 1) == 0 for n in (least, pointers))
        if version != 0 or not powers or not least.bit_length() <= bits <= 40 or not 0 < page < 32:
            raise Unusual(f"an Extensible Array of version {version} with parameters {bits, least, pointers, page}")
        self.count = 1 << bits
        self.entry = Entry(client, size, chunk_size)
        self._client = client
        self._least = least
        self._page = 1 << page
        self._offset_size = (bits + 7) // 8
        self._levels = self._all_levels(1 + bits - (least.bit_length() - 1))
        self._without = min(2 * (pointers.bit_length() - 1), len(self._levels))
        self._index: int | None = None
        self._secondary: dict[int, int] = {}
        self._data: dict[tuple[int, int], int] = {}
        self._pages: set[tuple[int, int, int]] = set()
        if index != UNDEFINED:
            self._open(index)

    def _all_levels(self, count: int) -> list[_Level]:
        levels = []
        before = 0
        for u in range(count):
            elements = self._least << ((u + 1) // 2)
            pages = elements // self._page if elements > self._page else 0
            levels.append(_Level(u, 1 << (u // 2), elements, self._least * ((1 << u) - 1), before, pages))
            before += levels[-1].blocks
        return levels

    def _open(self, index: int) -> None:
        self._blocks.expect(index, prefix(b"EAIB", self._client, self._address))
        self._index = index

    def piece(self, first: int) -> tuple[int, int | None]:
        """Return how many elements from this one on follow each other in the file, and where; None = not written."""
        if self._index is None:
            pointer = self._blocks.pointer(self._address + HEADER - SUM - OFFSETS)
            if pointer is None:
                return ENDLESS, None
            self._open(pointer)
        assert self._index is not None
        if first < self._direct:
            return self._direct - first, self._index + 6 + OFFSETS + first * self.entry.size
        return self._in_data_block(first - self._direct)

    def _in_data_block(self, element: int) -> tuple[int, int | None]:
        """The same of an element that is not in the index block; counted from the first of those."""
        u = (element // self._least + 1).bit_length() - 1
        if u >= len(self._levels):
            return ENDLESS, None
        level = self._levels[u]
        number, within = divmod(element - level.first, level.elements)
        block = self._data_block(level, number)
        rest = level.elements - within
        if block is None:
            return rest, None
        start = block + 6 + OFFSETS + self._offset_size
        if not level.pages:
            return rest, start + within * self.entry.size
        page, within = divmod(within, self._page)
        rest = self._page - within
        if not self._written(level, number, page):
            return rest, None
        start += SUM + page * (self._page * self.entry.size + SUM)
        return rest, start + within * self.entry.size

    def _data_block(self, level: _Level, number: int) -> int | None:
        """Address of a data block; once it exists it stays there."""
        known = self._data.get((level.number, number))
        if known is not None:
            return known
        if level.number < self._without:
            assert self._index is not None
            table = self._index + 6 + OFFSETS + self._direct * self.entry.size
            place = level.before + number
        else:
            block = self._secondary_block(level)
            if block is None:
                return None
            table = block + 6 + OFFSETS + self._offset_size + level.bitmap
            place = number
        address = self._blocks.pointer(table + place * OFFSETS)
        if address is not None:
            # `place`, not `number`: libhdf5 counts so in the offset that it writes, from 1.10 to 2.0
            self._expect(address, b"EADB", level.first + place * level.elements)
            self._data[level.number, number] = address
        return address

    def _secondary_block(self, level: _Level) -> int | None:
        known = self._secondary.get(level.number)
        if known is not None:
            return known
        assert self._index is not None
        direct = self._levels[self._without].before  # data blocks whose addresses come first
        table = self._index + 6 + OFFSETS + self._direct * self.entry.size + direct * OFFSETS
        address = self._blocks.pointer(table + (level.number - self._without) * OFFSETS)
        if address is not None:
            self._expect(address, b"EASB", level.first)
            self._secondary[level.number] = address
        return address

    def _expect(self, address: int, signature: bytes, first: int) -> None:
        offset = first.to_bytes(OFFSETS + 1, "little")[: self._offset_size]
        self._blocks.expect(address, prefix(signature, self._client, self._address, offset))

    def _written(self, level: _Level, number: int, page: int) -> bool:
        """Bits of all data blocks of a level follow each other; the first is the highest of the first byte."""
        key = (level.number, number, page)
        if key in self._pages:
            return True
        block = self._secondary_block(level)
        if block is None:  # pages in a data block of the index block: their bitmap has no place in the format
            raise Unusual("an Extensible Array with pages outside secondary blocks")
        bit = number * level.pages + page
        byte = self._blocks.read(block + 6 + OFFSETS + self._offset_size + bit // 8, 1)[0]
        if byte & (0x80 >> bit % 8):
            self._pages.add(key)
        return key in self._pages
