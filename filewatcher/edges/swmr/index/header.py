"""From the object header of a dataset to its chunk index.

Specification: IV.A.1.b "Version 2 Data Object Header Prefix", IV.A.2.i "The Data Layout Message",
IV.A.2.q "The Object Header Continuation Message".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filewatcher.edges.swmr.index.blocks import OFFSETS, UNDEFINED, Torn, Unusual

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filewatcher.edges.swmr.index.blocks import Blocks

FIXED = 3
EXTENSIBLE = 4
OTHERS = {1: "a single chunk", 2: "an implicit index", 5: "a version 2 B-tree"}
"""Chunk indexing types of the layout message."""
CHUNKED = 2

LAYOUT = 0x08
CONTINUATION = 0x10
PREFIX = 34
"""Bytes of the longest prefix: signature, version, flags, four times, two limits for attributes, size of chunk 0."""
SUM = 4
"""Bytes of a checksum."""
MANY = 64
"""More parts than any object header has."""
LONGEST = 1 << 17
"""More bytes than any part of a dataset's header has; a longer one is not worth its checksum."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which index a dataset has, and where."""

    kind: int
    """`FIXED` or `EXTENSIBLE`."""
    address: int | None
    """Of the index's header; None until the first chunk is written."""


def find_index(blocks: Blocks, address: int) -> Place:
    """Read the layout message in the object header at an address."""
    for kind, body in _messages(blocks, address):
        if kind == LAYOUT:
            return _layout(body)
    raise Unusual("its object header has no layout message")


def _messages(blocks: Blocks, address: int) -> Iterator[tuple[int, bytes]]:
    """All messages (type, body) of a header, in the order in which they are stored."""
    start = blocks.read(address, PREFIX)
    if not start.startswith(b"OHDR"):
        raise Unusual("it has a version 1 object header")
    if start[4] != 2:
        raise Unusual(f"it has an object header of version {start[4]}")
    flags = start[5]
    at = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    begin = at + (1 << (flags & 3))
    size = int.from_bytes(start[at:begin], "little")
    parts = [(address, begin + size + SUM, begin, b"OHDR")]
    for _ in range(MANY):
        if not parts:
            return
        place, length, begin, signature = parts.pop(0)
        if not begin + SUM <= length <= LONGEST:
            raise Torn(f"an object header of {length} bytes at {place}")
        block = blocks.checked(place, length, signature)
        for kind, body in _split(block[begin:-SUM], tracked=bool(flags & 0x04)):
            if kind == CONTINUATION:
                where, size = struct.unpack("<QQ", body)
                parts.append((where, size, len(b"OCHK"), b"OCHK"))
            yield kind, body
    raise Unusual(f"its object header has more than {MANY} parts")


def _split(chunk: bytes, *, tracked: bool) -> Iterator[tuple[int, bytes]]:
    """Messages of one part of a header; `tracked`: each has its creation order. A gap at the end is no message."""
    head = 6 if tracked else 4
    at = 0
    while at + head <= len(chunk):
        kind, size = chunk[at], int.from_bytes(chunk[at + 1 : at + 3], "little")
        body = chunk[at + head : at + head + size]
        if len(body) < size or (kind == CONTINUATION and size != 2 * OFFSETS):
            raise Unusual(f"its object header has a message of type {kind} and {size} bytes")
        yield kind, body
        at += head + size


def _layout(body: bytes) -> Place:
    """Layout message version 4, and 5 of specification 4.0: the same fields up to the address of the index."""
    if len(body) < 5 or body[0] not in (4, 5):
        raise Unusual(f"its layout message has version {body[0] if body else 'none'}")
    if body[1] != CHUNKED:
        raise Unusual("it is not stored in chunks")
    at = 5 + body[3] * body[4]  # dimensions, each of that many bytes
    kind = body[at] if at < len(body) else 0
    if kind not in (FIXED, EXTENSIBLE):
        raise Unusual(f"its chunks are indexed by {OTHERS.get(kind, f'type {kind}')}")
    at += 2 if kind == FIXED else 6  # creation parameters: the index's own header has them too
    raw = body[at : at + OFFSETS]
    if len(raw) < OFFSETS:
        raise Unusual("its layout message is too short")
    address = int.from_bytes(raw, "little")
    return Place(kind, None if address == UNDEFINED else address)
