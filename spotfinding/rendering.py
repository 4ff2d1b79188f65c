"""Pixels -> a picture for people: spots stay visible however small it is, masked and overloaded pixels are told apart.

A PNG of 8 bits with a palette: what is masked is transparent, so that whoever shows it gives it a colour of its own.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spotfinding.validity import valid_range

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST = 1600
"""Pixels of a picture's longer side, at most."""
LEVELS = 254
"""White (0 counts) to black."""
OVERLOADED, MASKED = 254, 255
"""Places in the palette; a block with one overloaded pixel is overloaded, one of which all are masked is masked."""
OVERLOADED_COLOUR, MASKED_COLOUR = (214, 39, 40), (190, 210, 225)

DIMMEST = 10.0
"""Counts: black is never less, so that single photons do not look like spots."""
ABOVE_BACKGROUND = 3.0
"""Black is so many times the 90th percentile of what is drawn: the background is a light grey."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """What counts on an image, and at how many counts a picture of it is black."""

    masked: NDArray[np.bool_] | None
    """Shape (slow, fast); None = no pixel is."""
    trusted: tuple[float, float]
    """Smallest valid value, and the saturation value."""
    inclusive: bool
    """Whether the saturation value itself is valid."""
    black: float | None = None
    """Counts; None = chosen from the image, see `black_of`."""


def render(pixels: NDArray[np.generic], exposure: Exposure, largest: int = LARGEST) -> bytes:
    """Return an image of shape (slow, fast) as PNG; a pixel of it is the maximum of a square block of pixels.

    Blocks are as small as `largest` allows, the same for width and height.
    """
    counts, masked, overloaded = _blocks(pixels, exposure, largest)
    black = exposure.black or black_of(counts[~masked])
    levels = np.minimum(counts * ((LEVELS - 1) / black) + 0.5, LEVELS - 1).astype(np.uint8)
    levels[overloaded] = OVERLOADED
    levels[masked] = MASKED
    return png(levels, _palette(), transparent=MASKED)


def chosen_black(pixels: NDArray[np.generic], exposure: Exposure, largest: int = LARGEST) -> float:
    """Return the counts at which `render` draws black where it is left to choose."""
    counts, masked, _ = _blocks(pixels, exposure, largest)
    return black_of(counts[~masked])


def black_of(counts: NDArray[np.float32]) -> float:
    """Choose at how many counts to draw black.

    >>> black_of(np.array([0, 0, 1, 1, 900], np.float32)), black_of(np.full(100, 20, np.float32))
    (10.0, 60.0)
    """
    if not counts.size:
        return DIMMEST
    # the highest value of all but the brightest tenth
    place = int(0.9 * (counts.size - 1))
    return max(DIMMEST, ABOVE_BACKGROUND * float(np.partition(counts, place)[place]))


def _blocks(
    pixels: NDArray[np.generic], exposure: Exposure, largest: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return for each block: the most counts of its valid pixels, are all masked, is one overloaded."""
    low, high = valid_range(pixels.dtype, exposure.trusted, inclusive=exposure.inclusive)
    masked = np.zeros(pixels.shape, bool) if exposure.masked is None else exposure.masked
    if low is not None:
        masked = masked | (pixels < low)  # type: ignore[operator]
    if pixels.dtype.kind == "f":
        masked = masked | np.isnan(pixels.astype(np.float32))
    dtype: np.dtype[Any] = pixels.dtype
    if dtype.kind == "u":
        # the mark of DECTRIS for pixels that do not exist
        masked = masked | (pixels == np.iinfo(dtype).max)
    overloaded = (pixels > high) & ~masked  # type: ignore[operator]
    counts = np.where(masked | overloaded, pixels.dtype.type(0), pixels)
    size = block_size(pixels.shape, largest)
    return (
        _reduced(np.maximum, counts, size).astype(np.float32),
        _reduced(np.logical_and, masked, size),
        _reduced(np.logical_or, overloaded, size),
    )


def block_size(shape: tuple[int, ...], largest: int = LARGEST) -> int:
    """Return how many pixels a side become one.

    >>> block_size((4362, 4148)), block_size((1062, 1028))
    (3, 1)
    """
    return max(1, -(-max(shape) // largest))


def _reduced(how: Any, array: NDArray[Any], size: int) -> NDArray[Any]:
    """Reduce square blocks of an array to one element each; those at the far edges may be narrower."""
    if size == 1:
        return array
    for axis in (0, 1):
        array = how.reduceat(array, np.arange(0, array.shape[axis], size), axis=axis)
    return array


def _palette() -> bytes:
    greys = np.linspace(255, 0, LEVELS).round().astype(np.uint8)
    return np.repeat(greys, 3).tobytes() + bytes(OVERLOADED_COLOUR) + bytes(MASKED_COLOUR)


def png(levels: NDArray[np.uint8], palette: bytes, transparent: int) -> bytes:
    """Write places in a palette (3 bytes each), shape (height, width), as PNG; one of them is transparent."""
    height, width = levels.shape
    # every line begins with its filter: none
    lines = np.zeros((height, width + 1), np.uint8)
    lines[:, 1:] = levels
    alpha = b"\xff" * transparent + b"\x00"
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", palette),
        (b"tRNS", alpha),
        (b"IDAT", zlib.compress(lines.tobytes(), 1)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
