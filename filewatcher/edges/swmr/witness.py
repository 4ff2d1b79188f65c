"""What tells that a data file is no longer the one whose frames were reported: another collection under its name.

Three signs, each certain: another inode under the name, a file shorter than the frames that were in it, a frame that is
gone or elsewhere. (HDF5 keeps no date of its own, and a writer may well shorten a file when it closes it: it gives
back space that was reserved and never used.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from filewatcher.core.observations import StoredChunk
    from filewatcher.edges.swmr.index import Tail
    from filewatcher.edges.swmr.libhdf5 import Peek
    from filewatcher.edges.swmr.storage import Storage


class Rewritten(Exception):
    """Frames that were reported are in the file no more; says in words what has happened to it."""


class Witness:
    """Remembers just enough of the frames of one file; `inode`: as an earlier process knew it."""

    def __init__(self, path: str, inode: int | None = None) -> None:
        self._path = path
        self._inode = inode
        self.end = 0
        """Where the frames seen in it end, in bytes from its start."""
        self._first: StoredChunk | None = None
        self._rows: tuple[int, ...] = ()

    def note(self, found: Sequence[StoredChunk], inode: int) -> None:
        """These frames are about to be reported, from a file of this inode."""
        self._inode = inode
        self.end = max(self.end, *(chunk.offset + chunk.size for chunk in found))
        self._rows = (*(self._rows[:1] or (found[0].row,)), found[-1].row)
        if self._first is None:
            self._first = found[0]

    def follow(self, tail: Tail) -> None:
        """Frames that a tail of this file has found are reported."""
        if tail.newest >= 0:
            self.end = max(self.end, tail.end)
            self._rows = (*self._rows[:1], tail.newest)

    def know(self, rows: NDArray[np.int64]) -> None:
        """An earlier process has reported these rows (ascending), wherever they were."""
        self._rows = (int(rows[0]), int(rows[-1])) if len(rows) else ()

    def check(self, seen: Peek) -> None:
        """Hold it against what stat says now. Raises `Rewritten`."""
        if self._inode not in (None, seen.inode):
            raise Rewritten(f"{self._path} was replaced by another file of that name")
        if seen.size < self.end:
            raise Rewritten(
                f"{self._path} was cut off or begun anew: it has {seen.size} bytes, and the frames seen in it "
                f"end at {self.end}"
            )

    def compare(self, storage: Storage) -> None:
        """Hold it against the chunk index: the frames seen must be where they were. Raises `Rewritten`."""
        # A growing dataset's new extent is written after the index that has its newest frames: those beyond it are
        # not gone, and these may be all that were seen.
        rows = storage.rows
        if not all(_there(storage, row) for row in self._rows if row < rows):
            raise Rewritten(f"{self._path} was begun anew: frames that were seen in it are gone")
        if self._first is None or self._first.row >= rows:
            return
        if storage.locate([self._first.row]) != [self._first]:
            raise Rewritten(f"{self._path} was begun anew: it holds another frame where the first one was seen")


def _there(storage: Storage, row: int) -> bool:
    """Whether a row is in the index. Raises what h5py raises where that cannot be read now: that is no sign."""
    if row >= storage.rows:
        return False
    # `stored` is cheap, but an index of which it meets a half-written block looks empty to it: the other one complains
    return bool(storage.stored([row])) or bool(storage.locate([row]))
