"""The checksum of HDF5 metadata: Bob Jenkins's lookup3, ``hashlittle`` with initial value 0.

Specification: II.A, "Superblock Checksum", refers to https://burtleburtle.net/bob/c/lookup3.c (public domain). About
2 us per 12 bytes here: meant for headers, which are short and read once.
"""

from __future__ import annotations

import struct
from functools import lru_cache

MASK = 0xFFFFFFFF


def _rotate(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (32 - bits))) & MASK


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    a, c = ((a - c) & MASK) ^ _rotate(c, 4), (c + b) & MASK
    b, a = ((b - a) & MASK) ^ _rotate(a, 6), (a + c) & MASK
    c, b = ((c - b) & MASK) ^ _rotate(b, 8), (b + a) & MASK
    a, c = ((a - c) & MASK) ^ _rotate(c, 16), (c + b) & MASK
    b, a = ((b - a) & MASK) ^ _rotate(a, 19), (a + c) & MASK
    c, b = ((c - b) & MASK) ^ _rotate(b, 4), (b + a) & MASK
    return a, b, c


def _final(a: int, b: int, c: int) -> int:
    c = ((c ^ b) - _rotate(b, 14)) & MASK
    a = ((a ^ c) - _rotate(c, 11)) & MASK
    b = ((b ^ a) - _rotate(a, 25)) & MASK
    c = ((c ^ b) - _rotate(b, 16)) & MASK
    a = ((a ^ c) - _rotate(c, 4)) & MASK
    b = ((b ^ a) - _rotate(a, 14)) & MASK
    return ((c ^ b) - _rotate(b, 24)) & MASK


@lru_cache(maxsize=64)
def lookup3(data: bytes) -> int:
    """Checksum of a block of metadata without its last four bytes; the same bytes again cost next to nothing.

    >>> hex(lookup3(b"Four score and seven years ago"))
    '0x17770551'
    """
    a = b = c = (0xDEADBEEF + len(data)) & MASK
    if not data:
        return c
    whole = (len(data) - 1) // 12 * 12  # the last 1 to 12 bytes are mixed in differently
    for x, y, z in struct.iter_unpack("<III", data[:whole]):
        a, b, c = _mix((a + x) & MASK, (b + y) & MASK, (c + z) & MASK)
    x, y, z = struct.unpack("<III", data[whole:].ljust(12, b"\0"))
    return _final((a + x) & MASK, (b + y) & MASK, (c + z) & MASK)


def intact(block: bytes) -> bool:
    """Whether the last four bytes are the checksum of those before."""
    return len(block) > 4 and lookup3(block[:-4]) == int.from_bytes(block[-4:], "little")
