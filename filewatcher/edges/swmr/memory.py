"""What is remembered of one data file: the rows that were seen, and the signs that it is still the same file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filewatcher.edges.swmr.frontier import Frontier
from filewatcher.edges.swmr.witness import Witness

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filewatcher.edges.swmr.index import Tail


class Memory:
    """Of one file; `wanted`: bitmap over the rows that hold a frame; `inode`: as an earlier process knew it.

    While a `tail` follows the file, what it has found is here only after `settle`. What changes the rows ends it.
    """

    def __init__(self, wanted: NDArray[np.bool_], path: str, inode: int | None) -> None:
        self.frontier = Frontier(wanted)
        self.witness = Witness(path, inode)
        self.tail: Tail | None = None

    @property
    def complete(self) -> bool:
        """All wanted rows have been seen; a tail never sees the last of them."""
        return not self.frontier.left

    def want(self, wanted: NDArray[np.bool_]) -> None:
        """The map has grown: look for these rows."""
        self.leave()
        self.frontier.want(wanted)

    def know(self, seen: NDArray[np.bool_]) -> None:
        """These rows (bitmap) need not be reported."""
        self.leave()
        self.frontier.know(seen)
        self.witness.know(np.flatnonzero(seen))

    def forget(self, row: int) -> None:
        """A row is missing again, and libhdf5 has to look for it."""
        self.leave()
        self.frontier.forget(row)

    def settle(self) -> None:
        """Take in what the tail has found."""
        if self.tail is not None:
            self.frontier.follow(self.tail)
            self.witness.follow(self.tail)

    def leave(self) -> None:
        """Others mark rows from now on: the tail has done its part."""
        self.settle()
        self.tail = None
