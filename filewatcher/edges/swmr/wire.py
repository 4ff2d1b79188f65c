"""How a reader's process and its parent talk: messages over a stream socket, each its length and a pickle.

Chunks go as one array of numbers per file and look: pickles of their own would cost more than the look that found them.
"""

from __future__ import annotations

import pickle
import struct
from array import array
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from filewatcher.core.observations import OnDisk, StoredChunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from filewatcher.core.messages import ChunkLayout
    from filewatcher.core.observations import Observation

LENGTH = struct.Struct("<I")


class _Chunks(NamedTuple):
    """An `OnDisk` in as few objects as can be."""

    file: int
    inode: int
    numbers: bytes
    """Four int64 per chunk."""
    layout: ChunkLayout | None
    """None = as the last time for this file."""


def message(word: object) -> bytes:
    """Return what goes over the wire for a word."""
    body = pickle.dumps(word, pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(body)) + body


class Receiver:
    """Puts messages together again, however the stream was cut."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Any]:
        """Return the words that are complete now."""
        data = self._rest + data if self._rest else data
        words, at = [], 0
        while len(data) - at >= LENGTH.size:
            (length,) = LENGTH.unpack_from(data, at)
            end = at + LENGTH.size + length
            if end > len(data):
                break
            words.append(pickle.loads(memoryview(data)[at + LENGTH.size : end]))  # noqa: S301  from our own process
            at = end
        self._rest = data[at:] if at else data
        return words


class Packer:
    """Makes news small, on the side of the reader."""

    def __init__(self) -> None:
        self._told: dict[int, ChunkLayout] = {}

    def pack(self, news: Sequence[Observation]) -> list[Any]:
        """Return news as `Unpacker` takes it."""
        return [self._chunks(item) if isinstance(item, OnDisk) else item for item in news]

    def _chunks(self, item: OnDisk) -> _Chunks:
        numbers = array("q", chain.from_iterable(item.chunks)).tobytes()
        known = self._told.get(item.file) is item.layout
        self._told[item.file] = item.layout
        return _Chunks(item.file, item.inode, numbers, None if known else item.layout)


class Unpacker:
    """The other side."""

    def __init__(self) -> None:
        self._told: dict[int, ChunkLayout] = {}

    def unpack(self, news: Sequence[Any]) -> list[Observation]:
        """Return news as it was packed."""
        return [self._on_disk(item) if isinstance(item, _Chunks) else item for item in news]

    def _on_disk(self, item: _Chunks) -> OnDisk:
        file, inode, numbers, layout = item
        if layout is not None:
            self._told[file] = layout
        each = iter(array("q", numbers))
        return OnDisk(file, list(map(StoredChunk, each, each, each, each)), self._told[file], inode)
