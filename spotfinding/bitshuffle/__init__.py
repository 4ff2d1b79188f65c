"""Bitshuffle with LZ4, undone into a kept buffer.

The detector maker's library gives a new bytes object for every image, and the page faults of 36 MB cost more than the
decompression. So its LZ4 is called where it is, and only the bits are put back by code of our own.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dectris import compression

from spotfinding.bitshuffle._blocks import INSTRUCTION_SETS, undo_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

__all__ = ["INSTRUCTION_SETS", "LZ4", "Packed", "find_lz4", "undo"]

LIBRARIES: Final = (compression.__file__, "liblz4.so.1")
"""The library has all of LZ4 in it, or is linked with the system's."""


def find_lz4(libraries: Iterable[str] = LIBRARIES) -> int | None:
    """Return the address of ``LZ4_decompress_safe`` (lz4.h) in the first library that has it; None if none has.

    >>> find_lz4(["there-is-no.such"]) is None
    True
    """
    for name in libraries:
        try:
            # a library of Python's, loaded already, or the system's: it stays as long as the process
            return ctypes.cast(ctypes.CDLL(name).LZ4_decompress_safe, ctypes.c_void_p).value
        except (OSError, AttributeError):
            continue
    return None


LZ4: Final = find_lz4()
"""The address in this process; None: images are decompressed by the detector maker's library alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """An image of which nothing but bitshuffle with LZ4 is to be undone."""

    blocks: memoryview
    """Bytes that follow the header of the chunk."""
    block: int
    """Bytes of a block."""
    shape: tuple[int, int]
    """Pixels, (slow, fast)."""
    dtype: np.dtype[Any]
    """Of the pixels; as many bytes as were shuffled together."""


def undo(data: memoryview, block: int, width: int, target: memoryview, instruction_set: str = "auto") -> None:
    """Undo the blocks that follow a chunk's header, to fill `target` exactly; both are bytes.

    `block`: bytes of a block, a multiple of 8 pixels; `width`: bytes that were shuffled together. Works without the
    GIL. `instruction_set`: one of `INSTRUCTION_SETS`, the best, or ``none``, which leaves the bits where LZ4 has put
    them, to measure it alone. Raises `ValueError` if the data are not just that; then the target holds anything.
    """
    undo_blocks(LZ4 or 0, data, block, width, target, instruction_set)
