"""The HDF5 filters that detectors use, undone one by one on bytes, with the checks that find bytes not whole.

Registered numbers and formats: HDF Group, "Registered Filter Plugins"; `bshuf_h5filter.c` of bitshuffle and
`H5Zlz4.c`: both LZ4 (32004) and compressed bitshuffle (32008) start with the number of bytes that come out
(8 bytes, big-endian) and the size of a block in bytes (4 bytes, big-endian).
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from dectris.compression import decompress

from spotfinding import bitshuffle
from spotfinding.errors import NotReadable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spotfinding.buffers import KeptBuffer

GZIP: Final = 1
SHUFFLE: Final = 2
LZ4: Final = 32004
BITSHUFFLE: Final = 32008
SIZE_PRESERVING: Final = frozenset({SHUFFLE})

_BITSHUFFLE_CODECS: Final = {2: "bslz4", 3: "bszstd"}
_NAMES: Final = {
    3: "Fletcher-32", 4: "szip", 5: "n-bit", 6: "scale-offset", 32000: "LZF", 32001: "Blosc", 32013: "ZFP",
    32015: "Zstandard", 32026: "Blosc2",
}  # fmt: skip
_SUPPORTED: Final = (
    "supported are bitshuffle with LZ4 or Zstd (32008), LZ4 (32004), gzip (1), shuffle (2) and no filter at all: "
    "have the file writer use one of these"
)
_HEADER: Final = 12
_NO_LZ4_ENDS_IN: Final = bytes(128)
"""LZ4 always finds a match in so many zeros; only the last dozen bytes of a block and 7 pixels are never matched."""
_LZ4_MAX_INPUT: Final = 0x7E000000
"""Bytes: LZ4_MAX_INPUT_SIZE of lz4.h; no block is longer."""


def why_unsupported(filters: Sequence[tuple[int, tuple[int, ...]]]) -> str | None:
    """Say in one sentence why a pipeline of (number, options) cannot be undone; None if it can."""
    for number, options in filters:
        if number not in (GZIP, SHUFFLE, LZ4, BITSHUFFLE):
            name = f" ({_NAMES[number]})" if number in _NAMES else ""
            return f"the images are stored with HDF5 filter {number}{name}; {_SUPPORTED}"
        if number == BITSHUFFLE and _codec(options) is None:
            return f"the images are stored with bitshuffle {options} without LZ4 or Zstd; {_SUPPORTED}"
        if number == SHUFFLE and not (options and options[0] > 0):
            return f"the images are stored with shuffle {options}, which does not say the size of a pixel"
    return None


def undo(
    number: int,
    options: tuple[int, ...],
    data: bytes | memoryview,
    nbytes: int,
    *,
    known: bool,
    into: KeptBuffer,
) -> bytes | memoryview:
    """Undo one filter: what the writer put into it.

    `nbytes` are the bytes of the image; if `known`, exactly these must come out, else no more than a filter could
    have made of them. The answer may be `into` a buffer, in which `data` must not be. Raises `NotReadable` if the
    bytes are not what the filter would have written.
    """
    if number == SHUFFLE:
        return _unshuffle(data, options[0], into)
    # the most that an earlier compressing filter can have made of an image that it could not compress
    limit = nbytes if known else nbytes + nbytes // 8 + 65536
    answer: bytes | memoryview
    if number == GZIP:
        answer = _gunzip(data, limit)
    elif number == LZ4:
        answer = _decompress(data, "lz4", 1, limit, known=known, into=into)
    else:
        answer = _decompress(data, _codec(options) or "", options[2], limit, known=known, into=into)
    if known and len(answer) != nbytes:
        raise NotReadable(f"{len(answer)} bytes come out, but an image has {nbytes}")
    return answer


def _codec(options: tuple[int, ...]) -> str | None:
    """The codec of bitshuffle's options (major, minor, bytes per pixel, block, codec, ...)."""
    return _BITSHUFFLE_CODECS.get(options[4]) if len(options) > 4 and options[2] > 0 else None


def _decompress(
    data: bytes | memoryview, codec: str, pixel: int, limit: int, *, known: bool, into: KeptBuffer
) -> bytes | memoryview:
    """Undo LZ4 or compressed bitshuffle; `pixel` = bytes that were shuffled together."""
    length, block = _header(data, codec, pixel, limit, known=known)
    answer: bytes | memoryview
    try:
        if codec == "bslz4" and bitshuffle.LZ4 is not None:
            answer = into.first(length)
            bitshuffle.undo(memoryview(data)[_HEADER:], block, pixel, answer)
        else:
            answer = decompress(data, codec, elem_size=pixel)
    except (RuntimeError, ValueError, MemoryError, SystemError) as error:  # SystemError: a length below 0
        raise NotReadable(f"{codec} cannot be decompressed: {error or type(error).__name__}") from error
    if len(answer) != length:
        raise NotReadable(f"{codec} gives {len(answer)} bytes, but its header promises {length}")
    return answer


def _header(data: bytes | memoryview, codec: str, pixel: int, limit: int, *, known: bool) -> tuple[int, int]:
    """Return length and block, bytes, as the header says, if that can be.

    It is checked before anything else: the decompressor takes a header of zeros for an image of no bytes.
    """
    if len(data) < _HEADER:
        raise NotReadable(f"{len(data)} bytes are too short for the header of {codec}")
    length = int.from_bytes(data[:8], "big")
    block = int.from_bytes(data[8:_HEADER], "big")
    if length > limit or (known and length != limit):
        raise NotReadable(f"the header of {codec} promises {length} bytes, but an image has {limit}")
    # bitshuffle transposes 8 pixels at a time, so its blocks hold a multiple of 8
    if not 0 < block <= _LZ4_MAX_INPUT or (codec != "lz4" and block % (8 * pixel)):
        raise NotReadable(f"the header of {codec} promises blocks of {block} bytes")
    # A hole behind the last block's header would pass as literals. (Stored by LZ4's filter or Zstd it may be real.)
    if codec == "bslz4" and bytes(data[-len(_NO_LZ4_ENDS_IN) :]) == _NO_LZ4_ENDS_IN:
        raise NotReadable(f"{codec} ends in zeros: its end is not there yet")
    return length, block


def packed(
    filters: Sequence[tuple[int, tuple[int, ...]]], data: memoryview, shape: tuple[int, int], dtype: np.dtype[Any]
) -> bitshuffle.Packed | None:
    """Return an image of which only bitshuffle with LZ4 is to be undone, its header checked; None if it is another.

    Raises `NotReadable` for a header that is not that of such an image.
    """
    if len(filters) != 1:
        return None
    number, options = filters[0]
    if number != BITSHUFFLE or _codec(options) != "bslz4" or options[2] != dtype.itemsize:
        return None
    _, block = _header(data, "bslz4", dtype.itemsize, shape[0] * shape[1] * dtype.itemsize, known=True)
    return bitshuffle.Packed(data[_HEADER:], block, shape, dtype)


def _gunzip(data: bytes | memoryview, limit: int) -> bytes:
    """Undo gzip (a zlib stream) of at most `limit` bytes."""
    stream = zlib.decompressobj()
    try:
        answer = stream.decompress(data, limit + 1)
    except zlib.error as error:
        raise NotReadable(f"gzip cannot be decompressed: {error}") from error
    if len(answer) > limit:
        raise NotReadable(f"gzip gives more than {limit} bytes")
    if not stream.eof:
        raise NotReadable("gzip cannot be decompressed: the bytes end too early")
    return answer


def _unshuffle(data: bytes | memoryview, pixel: int, into: KeptBuffer) -> memoryview:
    """Undo shuffle: byte i of all pixels were put together; what is left over at the end stayed where it was."""
    source = np.frombuffer(data, dtype=np.uint8)
    answer = into.first(len(source))
    out = np.frombuffer(answer, dtype=np.uint8)
    whole = len(source) // pixel
    out[: whole * pixel].reshape(whole, pixel)[...] = source[: whole * pixel].reshape(pixel, whole).T
    out[whole * pixel :] = source[whole * pixel :]
    return answer
