"""Which rows of a file are still missing, and near which of them news is to be expected.

::

    row      0 1 2 3 4 5 6 7 8 9 ...
    on disk  x x x . x x . . . .
    seen     x x x . x .
                   ^   ^            a look asks from row 3 on (the gap stays within sight), goes on while the last
                                    row asked for is there, and so from a little before row 5 on

Every question costs the same at row 100,000 as at row 0: nothing here walks over all rows while frames come in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filewatcher.edges.swmr.found import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from filewatcher.edges.swmr.found import Found

OVERTAKEN = 32
"""Rows before the last seen one that are asked for at every look: frames of several writers overtake each other."""
WIDEST = 4096
"""Rows asked for at a time when many have come at once."""


class Frontier:
    """The rows of one file; `wanted`: bitmap over the rows that hold a frame, others are never missing."""

    def __init__(self, wanted: NDArray[np.bool_]) -> None:
        self.wanted = wanted
        self.seen = np.zeros(len(wanted), bool)
        self.missing = wanted.copy()
        self.left = int(np.count_nonzero(wanted))
        """Rows that are missing."""
        self.started = False
        """A wanted row has been seen."""
        self.doubted = False
        """A row was given back since libhdf5 looked: what was said of it could not be read."""
        self._next = 0  # no row before this one is missing
        self.last = -1
        """No row after this one has been seen."""

    def want(self, wanted: NDArray[np.bool_]) -> None:
        """The map has grown: look for these rows."""
        seen = np.zeros(len(wanted), bool)
        n = min(len(seen), len(self.seen))
        seen[:n] = self.seen[:n]
        self.wanted, self.seen = wanted, seen
        self._count()

    def know(self, seen: NDArray[np.bool_]) -> None:
        """These rows (bitmap) are not missing."""
        n = min(len(seen), len(self.seen))
        self.seen[:n] |= seen[:n]
        self._count()

    def _count(self) -> None:
        self.missing = self.wanted & ~self.seen
        self.left = int(np.count_nonzero(self.missing))
        self.started = bool((self.wanted & self.seen).any())
        self._next = 0
        self._advance()

    def forget(self, row: int) -> None:
        """A row is missing again."""
        self.doubted = True
        if row < len(self.seen):
            self.seen[row] = False
            if self.wanted[row] and not self.missing[row]:
                self.missing[row] = True
                self.left += 1
            self._next = min(self._next, row)

    def mark(self, rows: NDArray[np.int64]) -> None:
        """These rows have been seen; each at most once in `rows`."""
        if not len(rows):
            return
        self.left -= int(np.count_nonzero(self.missing[rows]))
        self.started = self.started or bool(self.wanted[rows].any())
        self.seen[rows] = True
        self.missing[rows] = False
        self.last = max(self.last, int(rows.max()))
        self._advance()

    def _advance(self) -> None:
        self._next = self._first_from(self._next)

    def _first_from(self, row: int) -> int:
        """The first missing row from this one on; stops at it, so that a long file costs nothing."""
        tail = self.missing[row:]
        step = int(tail.argmax()) if len(tail) else 0
        return row + step if len(tail) and tail[step] else len(self.missing)

    def near(self, ask: Callable[[int, NDArray[np.bool_]], Found], rows: int, width: int) -> Found:
        """Ask for missing rows near the first one and near the last seen one, `width` rows at first.

        `ask(first, missing)`: which of the rows from `first` on that are `missing` (bitmap) are there, ascending.
        `rows`: there are no more than these now.
        """
        stop = min(len(self.missing), rows)
        last = self.last
        asked, found = self._onwards(ask, self._next, stop, width)
        if last < self._next:
            return found
        behind = self._first_from(max(asked, last + 1 - OVERTAKEN))
        return found.and_(self._onwards(ask, behind, stop, width)[1])

    def _onwards(
        self, ask: Callable[[int, NDArray[np.bool_]], Found], first: int, stop: int, width: int
    ) -> tuple[int, Found]:
        """Ask from a row on for as long as the last row asked for is there; returns where it stopped, and all found."""
        found = []
        while first < stop:
            missing = self.missing[first : min(first + width, stop)]
            there = ask(first, missing)
            known = 0
            if len(there):
                found.append(there)
                known = int(there.rows[-1]) + 1 - first
            first += len(missing)
            if missing[known:].any():
                break
            width = min(4 * width, WIDEST)
        return first, found[0] if len(found) == 1 else NOTHING.and_(*found)
