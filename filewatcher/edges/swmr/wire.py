"""How a reader's process and its parent talk: messages over a stream socket, each its length and a word.

A word is a pickle, or an array of numbers: all chunks that a look has found, for to pickle these would
cost more than the look.
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
    """Return what goes over the wire for a word."""
    body = NUMBERS + word.tobytes() if isinstance(word, array) else pickle.dumps(word, pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(body)) + body


class Receiver:
    """Puts messages together again, however the stream was cut."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Any]:
        """Return the words that are complete now."""
        if not self._rest and len(data) > LENGTH.size and LENGTH.unpack_from(data)[0] == len(data) - LENGTH.size:
            return [_word(data[LENGTH.size :])]  # nearly always
        data = self._rest + data
        words, at = [], 0
        while len(data) - at >= LENGTH.size:
            (length,) = LENGTH.unpack_from(data, at)
            end = at + LENGTH.size + length
            if end > len(data):
                break
            words.append(_word(data[at + LENGTH.size : end]))
            at = end
        self._rest = data[at:] if at else data
        return words


def _word(body: bytes) -> Any:
    if not body.startswith(NUMBERS):
        return pickle.loads(body)  # noqa: S301  from our own process
    return array("q", body[len(NUMBERS) :])


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
            if not (words and isinstance(words[-1], array)):
                words.append(array("q"))
            words[-1].extend((item.file, len(item.chunks), *chain.from_iterable(item.chunks)))
        return message(words[0] if len(words) == 1 and isinstance(words[0], array) else words)


class Unpacker:
    """The other side."""

    def __init__(self) -> None:
        self._told: dict[int, _File] = {}

    def unpack(self, word: list[Any] | array[int]) -> list[Observation]:
        """Return news as it was packed."""
        if isinstance(word, array):
            return on_disk(word, self._told)
        news: list[Observation] = []
        for item in word:
            if isinstance(item, _File):
                self._told[item.file] = item
            else:
                news += on_disk(item, self._told) if isinstance(item, array) else [item]
        return news
