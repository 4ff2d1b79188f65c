"""Connected regions of cells or voxels; those that touch at a corner are connected.

Cells are taken in runs: stretches along the last axis. Runs of neighbouring lines that touch are joined by a
vectorised union-find: hook the larger root to the smallest root that it meets, halve the paths until they are flat,
again until every pair agrees (the hooking and shortcutting of Shiloach and Vishkin, J. Algorithms 3 (1982) 57).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Lines along the last axis of a grid or volume; those without a cell of interest may be left out."""

    mask: NDArray[np.bool_]
    """Shape (lines, length): which cells are to be labelled."""
    places: NDArray[np.int64]
    """Shape (lines,), ascending: the number of each line, with a gap wherever neighbours in number do not touch."""
    steps: tuple[int, ...]
    """From the number of a line to those of the lines after it that touch it."""

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> Lines:
        """All lines of a grid, shape (rows, columns), or of a volume, shape (x, y, z)."""
        *leading, length = mask.shape
        every = np.indices(leading).reshape(len(leading), -1)
        return cls(mask.reshape(-1, length), places(tuple(leading), every), steps(tuple(leading)))


def places(leading: tuple[int, ...], index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return line numbers; ``leading`` are the axes but the last, ``index`` has shape (axes, lines)."""
    # one more than there are, so that no line seems to touch one at the other end of the next
    return np.asarray(np.ravel_multi_index(tuple(index), _gapped(leading)), dtype=np.int64)


def steps(leading: tuple[int, ...]) -> tuple[int, ...]:
    """Return how far in number the later lines are that touch a line."""
    strides = np.cumprod((1, *_gapped(leading)[:0:-1]))[::-1]
    moves = product((-1, 0, 1), repeat=len(leading))
    return tuple(int(np.dot(strides, move)) for move in moves if move > (0,) * len(leading))


def label(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the region of each cell, in the shape of ``mask``: from 1 in raster order of first cells, 0 = none.

    >>> label(np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 0, 0]], dtype=bool))
    array([[1, 0, 0, 2],
           [0, 1, 0, 2],
           [0, 0, 0, 0]], dtype=int32)
    """
    return label_lines(Lines.of(mask)).reshape(mask.shape)


def label_lines(lines: Lines) -> NDArray[np.int32]:
    """Return the region of each cell of the lines, shape (lines, length), as `label` does."""
    start, stop = _runs(lines)
    numbers = _joined(len(start), *_touching(start, stop, lines))
    labels = np.zeros(lines.mask.shape, np.int32)
    labels[lines.mask] = np.repeat(numbers, stop - start)
    return labels


def _gapped(leading: tuple[int, ...]) -> tuple[int, ...]:
    return (*leading[:1], *(size + 1 for size in leading[1:]))


def _runs(lines: Lines) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return starts and ends (one past) of all runs, counted over all lines with a gap of one cell after each."""
    count, length = lines.mask.shape
    apart = np.zeros((count, length + 1), bool)
    apart[:, :length] = lines.mask
    edges = np.flatnonzero(np.diff(apart.ravel(), prepend=False))
    start, stop = edges[::2], edges[1::2]
    line = start // (length + 1)
    shift = (lines.places[line] - line) * (length + 1)
    return start + shift, stop + shift


def _touching(
    start: NDArray[np.int64], stop: NDArray[np.int64], lines: Lines
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs of runs that touch, each with the earlier run first."""
    pitch = lines.mask.shape[1] + 1
    earlier, later = [], []
    for step in lines.steps:
        # those in that line that end at or after the cell before this run, and begin at or before the one after it
        first = np.searchsorted(stop, start + step * pitch, "left")
        count = np.maximum(np.searchsorted(start, stop + step * pitch, "right") - first, 0)
        earlier.append(np.repeat(np.arange(len(start)), count))
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        later.append(within + np.repeat(first, count))
    return np.concatenate(earlier), np.concatenate(later)


def _joined(count: int, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the region of each run, from 1 in the order of first runs; each of ``one`` touches that of ``other``."""
    root = np.arange(count)
    while len(one):
        low, high = np.minimum(one, other), np.maximum(one, other)
        # of repeated indices the last one counts: the smallest
        order = np.argsort(low, kind="stable")[::-1]
        root[high[order]] = low[order]
        while not np.array_equal(up := root[root], root):
            root = up
        one, other = root[one], root[other]
        apart = one != other
        one, other = one[apart], other[apart]
    is_root = root == np.arange(count)
    numbers: NDArray[np.int64] = np.cumsum(is_root)[root]
    return numbers
