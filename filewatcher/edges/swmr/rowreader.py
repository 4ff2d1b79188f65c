"""The two readers of one open dataset, and which of them is asked: the chunk index itself, or libhdf5."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filewatcher.edges.swmr.fastpath import SURVEYED, FastPath
from filewatcher.edges.swmr.storage import within

if TYPE_CHECKING:
    from filewatcher.core.observations import StoredChunk
    from filewatcher.edges.swmr.frontier import Frontier
    from filewatcher.edges.swmr.index import Tail
    from filewatcher.edges.swmr.referee import Referee
    from filewatcher.edges.swmr.storage import Storage

WIDE = 64
"""Rows that libhdf5 is asked for in every eighth look..."""
NARROW = 8
"""...and in the others: it takes a microsecond for each, and frames hardly ever overtake more than these."""


class RowReader:
    """Finds rows of one open dataset that are missing in `frontier`; dead once the file is closed.

    `pace`: how often libhdf5 may walk over the whole index while it grows. `slow`: why not to read the index without
    libhdf5; empty = that is to be tried. Every method raises what libhdf5 and the file system raise.
    """

    def __init__(self, storage: Storage, frontier: Frontier, pace: Referee, base: int, slow: str) -> None:
        self.storage = storage
        self._frontier = frontier
        self._pace = pace
        self._fast = FastPath(storage, base, slow)
        self._looks = 0
        self.unchecked = False
        """The last answer is libhdf5's: nobody has held it against the end of the file."""

    @property
    def slow(self) -> str:
        """Why libhdf5 reads the index of this file, in words; empty = it does not."""
        return self._fast.reason

    def give_up(self, reason: str) -> None:
        """Leave the index to libhdf5 from now on."""
        self._fast.give_up(reason)

    def look(self) -> list[StoredChunk]:
        """What is new near the first missing row and near the last one seen; cheap."""
        found = None if self._frontier.doubted else self._fast.look(self._frontier)
        self.unchecked = found is None
        return self._look_slowly() if found is None else found

    def tail(self, end: int) -> Tail | None:
        """What follows the file from here on without us, for as long as nothing else marks rows; None = nothing can.

        `end`: where the chunks seen so far end, in bytes from the start of the file.
        """
        usual = self._frontier.started and self._frontier.left and not self._frontier.doubted
        return self._fast.tail(self._frontier, end) if usual else None

    def _look_slowly(self) -> list[StoredChunk]:
        """Ask libhdf5: first which rows are there, at the same cost for each row, then where."""
        self.storage.id.refresh()
        self._frontier.doubted = False
        self._looks += 1
        self.unchecked = True
        width = WIDE if self._looks % 8 == 0 else NARROW
        return self._frontier.near(self._ask, self.storage.rows, width)

    def _ask(self, first: int, stop: int) -> list[StoredChunk]:
        missing = self._frontier.missing
        return self.storage.locate(self.storage.stored([row for row in range(first, stop) if missing[row]]))

    def scan(self, now: float) -> list[StoredChunk] | None:
        """Every missing row that is on disk; None = that would take too long now."""
        found = self._fast.scan(self._frontier)
        if found is None:
            return self.walk(now) if self._pace.due(now) else None
        self.unchecked = False
        if self._fast.usable and self._frontier.last >= 0:
            self._judge(self._fast.spot_check(self._frontier.last, SURVEYED))
        return found

    def walk(self, now: float) -> list[StoredChunk]:
        """Let libhdf5 walk over the whole index, and see that the fast path says the same."""
        self.unchecked = True
        with self._pace.at_work(now):
            self.storage.id.refresh()
            self._frontier.doubted = False
            found = self.storage.all_of(self._frontier.wanted)
            if self._fast.usable:
                self._judge(self._fast.differences(within(found, self.storage.end), self._frontier.wanted))
        return [chunk for chunk in found if self._frontier.missing[chunk.row]]

    def first_word(self, found: list[StoredChunk]) -> list[StoredChunk]:
        """Before the first rows of a file go out: see that libhdf5 reads the first one of them alike."""
        if self._fast.usable:
            self.storage.id.refresh()
            # a growing dataset's new extent is written after its index: libhdf5 may know of no row yet
            known = [chunk for chunk in found[:1] if chunk.row < self.storage.rows]
            if known != self.storage.locate([chunk.row for chunk in known]):
                self._judge([found[0].row])
                return self._look_slowly()
        return found

    def last_word(self, found: list[StoredChunk], now: float) -> list[StoredChunk]:
        """Before the last rows of a file go out: see that libhdf5 reads the newest ones alike, else all as it does."""
        if self._fast.usable and (differ := self._fast.spot_check(self._frontier.last)):
            self._judge(differ)
            right = within(self.walk(now), self.storage.end)
            self._frontier.mark(right)
            wrong = {chunk.row for chunk in right}
            return [chunk for chunk in found if chunk.row not in wrong] + right
        return found

    def _judge(self, differ: list[int]) -> None:
        """libhdf5 wins where the two differ, and from now on."""
        if differ:
            self._fast.give_up(f"libhdf5 reads row {differ[0]} otherwise")
            for row in differ:
                self._frontier.forget(row)
