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

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from filewatcher.core.observations import StoredChunk
    from filewatcher.edges.swmr.index import Tail

OVERTAKEN = 32
"""Rows before the last seen one that are asked for at every look: frames of several writers overtake each other."""
WINDOW = 64
"""Rows asked for at first: as cheap as one."""
WIDEST = 4096
"""Rows asked for at a time when many have come at once."""


class Frontier:
    """The rows of one file; `wanted`: bitmap over the rows that hold a frame, others are never missing.

    Its own bitmaps are bytearrays of 0 and 1: C searches them, and a row costs no numpy.
    """

    def __init__(self, wanted: NDArray[np.bool_]) -> None:
        self.wanted = bytearray(wanted.tobytes())
        self.seen = bytearray(len(wanted))
        self.missing = bytearray(self.wanted)
        self.left = self.missing.count(1)
        """Rows that are missing."""
        self.started = False
        """A wanted row has been seen."""
        self.doubted = False
        """A row was given back since libhdf5 looked: what was said of it could not be read."""
        self.oldest = 0
        """No row before this one is missing."""
        self.last = -1
        """No row after this one has been seen."""

    def want(self, wanted: NDArray[np.bool_]) -> None:
        """The map has grown: look for these rows."""
        self.wanted = bytearray(wanted.tobytes())
        self.seen = self.seen[: len(wanted)].ljust(len(wanted), b"\0")
        self._count()

    def know(self, seen: NDArray[np.bool_]) -> None:
        """These rows (bitmap) are not missing."""
        n = min(len(seen), len(self.seen))
        self.seen[:n] = (np.frombuffer(bytes(self.seen[:n]), bool) | seen[:n]).tobytes()
        self._count()

    def _count(self) -> None:
        wanted, seen = np.frombuffer(self.wanted, bool), np.frombuffer(self.seen, bool)
        self.missing = bytearray((wanted & ~seen).tobytes())
        self.left = self.missing.count(1)
        self.started = bool((wanted & seen).any())
        self.oldest = self._first_from(0)

    def forget(self, row: int) -> None:
        """A row is missing again."""
        self.doubted = True
        if row < len(self.seen):
            self.seen[row] = 0
            if self.wanted[row] and not self.missing[row]:
                self.missing[row] = 1
                self.left += 1
            self.oldest = min(self.oldest, row)

    def mark(self, found: Sequence[StoredChunk]) -> None:
        """These rows have been seen."""
        for row, *_ in found:
            self.seen[row] = 1
            if self.missing[row]:
                self.missing[row] = 0
                self.left -= 1
                self.started = True
            self.last = max(self.last, row)
        self.oldest = self._first_from(self.oldest)

    def follow(self, tail: Tail) -> None:
        """Rows that a tail of this file has marked have been seen."""
        self.oldest, self.last, self.left = tail.oldest, tail.last, tail.left

    def _first_from(self, row: int) -> int:
        """The first missing row from this one on; stops at it, so that a long file costs nothing."""
        first = self.missing.find(1, row)
        return first if first >= 0 else len(self.missing)

    def near(self, ask: Callable[[int, int], list[StoredChunk]], rows: int, width: int) -> list[StoredChunk]:
        """Ask for missing rows near the first one and near the last seen one, `width` rows at first.

        `ask(first, stop)`: which of the missing rows from `first` up to `stop` are there, ascending. `rows`: there are
        no more than these now.
        """
        stop = min(len(self.missing), rows)
        found: list[StoredChunk] = []
        asked = self._onwards(ask, self.oldest, stop, width, found)
        if self.last >= self.oldest:
            self._onwards(ask, self._first_from(max(asked, self.last + 1 - OVERTAKEN)), stop, width, found)
        return found

    def _onwards(
        self,
        ask: Callable[[int, int], list[StoredChunk]],
        first: int,
        stop: int,
        width: int,
        found: list[StoredChunk],
    ) -> int:
        """Ask from a row on for as long as the last row asked for is there; returns where it stopped."""
        while first < stop:
            upto = min(first + width, stop)
            there = ask(first, upto)
            found += there
            known = there[-1].row + 1 if there else first
            if self.missing.find(1, known, upto) >= 0:
                return upto
            first, width = upto, min(4 * width, WIDEST)
        return first
