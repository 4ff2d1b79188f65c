"""How a reader's process and its parent talk: messages over a stream socket, each its length and a pickle.

The arrays of `OnDisk` go as bytes, a few dozen of them at a thousand frames a second: numpy's own pickles cost more
than the looks that found the frames.
"""

from __future__ import annotations

import pickle
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from filewatcher.core.observations import OnDisk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from filewatcher.core.messages import ChunkLayout
    from filewatcher.core.observations import Observation

LENGTH = struct.Struct("<I")


class _Rows(NamedTuple):
    """An `OnDisk` without its arrays."""

    file: int
    inode: int
    n: int
    """How many."""
    columns: bytes
    """Rows, offsets and sizes as int64, then filter masks as uint32."""
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
        return [self._rows(item) if isinstance(item, OnDisk) else item for item in news]

    def _rows(self, item: OnDisk) -> _Rows:
        columns = (item.rows.tobytes(), item.offsets.tobytes(), item.sizes.tobytes(), item.filter_masks.tobytes())
        known = self._told.get(item.file) is item.layout
        self._told[item.file] = item.layout
        return _Rows(item.file, item.inode, len(item.rows), b"".join(columns), None if known else item.layout)


class Unpacker:
    """The other side."""

    def __init__(self) -> None:
        self._told: dict[int, ChunkLayout] = {}

    def unpack(self, news: Sequence[Any]) -> list[Observation]:
        """Return news as it was packed."""
        return [self._on_disk(item) if isinstance(item, _Rows) else item for item in news]

    def _on_disk(self, item: _Rows) -> OnDisk:
        file, inode, n, columns, layout = item
        if layout is not None:
            self._told[file] = layout
        numbers = np.frombuffer(columns, np.int64, 3 * n)
        masks = np.frombuffer(columns, np.uint32, n, 24 * n)
        return OnDisk(file, numbers[:n], numbers[n : 2 * n], numbers[2 * n :], masks, self._told[file], inode)
