"""How a reader's process and its parent talk: messages over a stream socket, each its length and a word.

A word is a pickle, or numbers: all chunks that a look has found, for to pickle these would cost more than the look.
"""

from __future__ import annotations

import pickle
import struct
from array import array
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from filewatcher.core.observations import OnDisk
from filewatcher.edges.swmr.index import on_disk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from filewatcher.core.messages import ChunkLayout
    from filewatcher.core.observations import Observation

LENGTH = struct.Struct("<I")
NUMBERS = b"#"
"""How a word of int64 begins: for each data file its number, how many chunks, and the four numbers of each chunk. No
pickle begins so."""


class _File(NamedTuple):
    """What is the same for all chunks of a data file, said before the first of them and when it changes."""

    file: int
    inode: int
    layout: ChunkLayout


def message(word: object) -> bytes:
    """Return what goes over the wire for a word; bytes are those of numbers."""
    body = NUMBERS + word if isinstance(word, bytes) else pickle.dumps(word, pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(body)) + body


class Receiver:
    """Puts messages together again, however the stream was cut; news is as it was packed."""

    def __init__(self) -> None:
        self._rest = b""
        self._told: dict[int, _File] = {}

    def feed(self, data: bytes) -> list[Any]:
        """Return what is complete now: lists of observations, and other words."""
        if self._rest:
            data = self._rest + data
        words: list[Any] = []
        at, size = 0, len(data)
        while (begin := at + LENGTH.size) <= size and (end := begin + LENGTH.unpack_from(data, at)[0]) <= size:
            if data.startswith(NUMBERS, begin):  # nearly always
                words.append(on_disk(data, begin + len(NUMBERS), end, self._told))
            else:
                word = pickle.loads(memoryview(data)[begin:end])  # noqa: S301  from our own process
                words.append(self._unpacked(word) if isinstance(word, list) else word)
            at = end
        self._rest = data[at:]
        return words

    def _unpacked(self, word: list[Any]) -> list[Observation]:
        news: list[Observation] = []
        for item in word:
            if isinstance(item, _File):
                self._told[item.file] = item
            else:
                news += on_disk(item, 0, len(item), self._told) if isinstance(item, bytes) else [item]
        return news


class Packer:
    """Makes news small, on the side of the reader."""

    def __init__(self) -> None:
        self._told: dict[int, tuple[int, ChunkLayout]] = {}

    def has_told(self, file: int, inode: int, layout: ChunkLayout | None) -> bool:
        """Whether the other side knows what is the same for all chunks of a data file, so that numbers are enough."""
        return self._told.get(file) == (inode, layout)

    def pack(self, news: Sequence[Observation]) -> bytes:
        """Return news as a message for `Unpacker`."""
        words: list[Any] = []
        for item in news:
            if not isinstance(item, OnDisk):
                words.append(item)
                continue
            if self._told.get(item.file) != (item.inode, item.layout):
                self._told[item.file] = item.inode, item.layout
                words.append(_File(item.file, item.inode, item.layout))
            numbers = array("q", (item.file, len(item.chunks), *chain.from_iterable(item.chunks))).tobytes()
            if words and isinstance(words[-1], bytes):
                words[-1] += numbers
            else:
                words.append(numbers)
        return message(words[0] if len(words) == 1 and isinstance(words[0], bytes) else words)
