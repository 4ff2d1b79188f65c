"""One data file: which of its rows are on disk now, asked again and again at little cost.

::

    row      0 1 2 3 4 5 6 7 8 9 ...
    on disk  x x x . x x . . . .
    seen     x x x . x .
                   ^   ^            a look asks for the next rows not seen from row 3 on (the gap stays among
                                    them), goes on while all of them are there, and so from row 5 on
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.observations import Writer
from filewatcher.edges.swmr.libhdf5 import Peek, open_for_swmr, peek
from filewatcher.edges.swmr.opening import images_of
from filewatcher.edges.swmr.storage import Found, Storage
from filewatcher.edges.swmr.witness import Witness
from filewatcher.errors import NotReady

if TYPE_CHECKING:
    import h5py
    from numpy.typing import NDArray

    from filewatcher.core.framemap import DataFile
    from filewatcher.core.messages import ChunkLayout

WINDOW = 64
"""Rows asked for at a time, as long as all of them are there and in every eighth look."""
NARROW = 8
"""Rows asked for first in the other looks: frames hardly ever overtake more than these."""

QUIET = 2.0
"""Seconds without change after which a file that says nothing of its writer (superblock < 3) counts as closed."""


class ImageFile:
    """The rows of one data file.

    `wanted`: bitmap over the rows that hold a frame; others are never reported. `shape`: that of its images, where it
    is known. `live`: it may still be written. `inode`: of the file in which an earlier process has seen frames.
    Raises `Rewritten` whenever it notices that another collection is written to its name.
    """

    def __init__(
        self,
        source: DataFile,
        wanted: NDArray[np.bool_],
        shape: tuple[int, int] | None,
        *,
        live: bool,
        inode: int | None,
    ) -> None:
        self.source = source
        self.state = Writer.ABSENT
        self.problem = ""
        self._live = live
        self._shape = shape
        self._wanted = wanted
        self._seen = np.zeros(len(wanted), bool)
        self._next = 0  # no row before this one is missing
        self._last = -1  # no row after this one has been seen
        self._looks = 0
        self._peek: Peek | None = None
        self._changed_at = 0.0
        self._file: h5py.File | None = None
        self._storage: Storage | None = None
        self._layout: ChunkLayout | None = None
        self._scanned: Peek | None = None
        self._witness = Witness(source.path, inode)
        self._doubt = False

    # ---- what is known

    @property
    def layout(self) -> ChunkLayout | None:
        """How its images are stored; None until it could be opened."""
        return self._layout

    @property
    def size(self) -> int:
        """Bytes when it was last checked."""
        return self._peek.size if self._peek is not None else 0

    @property
    def inode(self) -> int:
        """Which file it was when it was last checked; 0 = none."""
        return self._peek.inode if self._peek is not None else 0

    @property
    def coherent(self) -> bool:
        """What its file system shows through an open handle is what is there; true while there is no file."""
        return self._peek is None or self._peek.coherent

    @property
    def started(self) -> bool:
        """Some of its frames have been seen."""
        return bool((self._seen & self._wanted).any())

    @property
    def mapped(self) -> bool:
        """The map knows of frames in it."""
        return bool(self._wanted.any())

    @property
    def complete(self) -> bool:
        """All of its frames have been seen."""
        return not bool((self._wanted & ~self._seen).any())

    @property
    def settled(self) -> bool:
        """Nothing can come any more: closed, and scanned since."""
        return self.state is Writer.CLOSED and (self.complete or self._scanned == self._peek)

    def want(self, wanted: NDArray[np.bool_]) -> None:
        """The map has grown: look for these rows."""
        seen = np.zeros(len(wanted), bool)
        n = min(len(seen), len(self._seen))
        seen[:n] = self._seen[:n]
        self._wanted, self._seen, self._next, self._scanned = wanted, seen, 0, None

    def know(self, seen: NDArray[np.bool_]) -> None:
        """These rows (bitmap) need not be reported."""
        n = min(len(seen), len(self._seen))
        self._seen[:n] |= seen[:n]
        self._witness.know(np.flatnonzero(seen))

    def forget(self, row: int) -> None:
        """Report a row again."""
        if row < len(self._seen):
            self._seen[row], self._next, self._scanned = False, min(self._next, row), None

    # ---- looking

    def check(self, now: float) -> None:
        """See what has become of the file and its writer; another file of its name is opened anew."""
        before, state = self._peek, self.state
        try:
            seen = self._peek_again()
        except NotReady as error:
            self.close()
            self.state, self.problem = Writer.OPENING, str(error)
            return
        if seen is None:
            self.close()
            self.state = Writer.ABSENT
            self.problem = f"{self.source.path} has disappeared: frames had been seen in it" if self.started else ""
            return
        if before is not None and (before.identity != seen.identity or seen.size < before.size):
            self.close()
        if before != seen:
            self._changed_at = now
        self.state = seen.writer
        if self.state is Writer.CLOSED and seen.flags is None and self._live and now - self._changed_at < QUIET:
            self.state = Writer.WRITING
        self._doubt = self._doubt or (state is Writer.CLOSED and self.state is not Writer.CLOSED)
        if self.state is Writer.OPENING:
            self.close()
            self.problem = f"{self.source.path} {seen.problem}"
        elif self._doubt and self.complete:
            self._ready()
            self.close()

    def look(self) -> Found:
        """Report what is new near the first row that is still missing; cheap."""
        if self.complete or not self._ready():
            return Found(())
        assert self._storage is not None
        try:
            rows = self._new_rows(self._storage)
            found = self._storage.locate(rows) if len(rows) else Found(())
        except (OSError, RuntimeError) as error:
            self._lose(error)
            return Found(())
        return self._mark(found)

    def _new_rows(self, storage: Storage) -> NDArray[np.int64]:
        """Rows on disk near the first missing one, and near the last seen one (gaps may be wide)."""
        stop = storage.rows
        missing = np.flatnonzero((self._wanted & ~self._seen)[self._next : stop]) + self._next
        new = []
        self._looks += 1
        for start in {0, int(np.searchsorted(missing, self._last))}:
            width, first = WINDOW if self._looks % 8 == 0 else NARROW, start
            while first < len(missing):
                window = missing[first : first + width]
                new.append(storage.stored(window))
                if len(new[-1]) < len(window):
                    break
                width, first = WINDOW, first + len(window)
        return np.unique(np.concatenate(new)) if new else np.zeros(0, np.int64)

    def scan(self) -> Found:
        """Report every row on disk that was not seen, from the first to the last."""
        if self.complete or not self._ready():
            return Found(())
        assert self._storage is not None
        try:
            if self.started and self._live:
                self._witness.compare(self._storage)
            found = self._storage.all_of(self._wanted & ~self._seen)
        except (OSError, RuntimeError) as error:
            self._lose(error)
            return Found(())
        self._scanned = self._peek
        return self._mark(found)

    def close(self) -> None:
        """Let go of the file."""
        self._storage = None
        self._scanned = None
        if self._file is not None:
            self._file.close()
            self._file = None

    # ---- how

    def _mark(self, found: Found) -> Found:
        found = self._within(found)
        if len(found) and self._peek is not None:
            self._witness.note(found, self._peek.inode)
        self._seen[found.rows] = True
        self._last = max(self._last, int(found.rows.max(initial=-1)))
        missing = np.flatnonzero((self._wanted & ~self._seen)[self._next :])
        self._next = self._next + int(missing[0]) if len(missing) else len(self._wanted)
        if self.complete:
            self.close()
        return found

    def _within(self, found: Found) -> Found:
        """Those whose bytes are in the file: a torn entry, or a copy without its end, may point beyond."""
        if self._peek is None or len(found.within(self._peek.size)) == len(found):
            return found
        try:
            now = self._peek_again()
        except NotReady:
            now = None
        inside = found.within(now.size if now is not None else 0)
        if outside := len(found) - len(inside):
            self.problem = (
                f"{self.source.path} lists {outside} frames beyond its end, at {self.size} bytes: a copy that is not "
                "finished or was cut off"
            )
        return inside

    def _lose(self, error: Exception) -> None:
        self.close()
        self.problem = f"{self.source.path}:{self.source.dataset} cannot be read: {error}"

    def _ready(self) -> bool:
        """Open the file or see what has been added; False = not now, and `problem` says why."""
        if self.state not in (Writer.WRITING, Writer.CLOSED):
            return False
        try:
            if not self.coherent and (self.state is Writer.WRITING or self._scanned != self._peek):
                self._open_past_the_cache()
            elif self._storage is None:
                self._open()
            elif self.state is Writer.WRITING or self._scanned != self._peek:
                self._storage.id.refresh()
        except NotReady as error:
            self.close()
            old = self._live and self._peek is not None and self._peek.flags is None
            self.problem = f"{error}{'; a writer without SWMR may still hold it' if old else ''}"
            return False
        except (OSError, RuntimeError, KeyError) as error:
            self._lose(error)
            return False
        self.problem = ""
        assert self._storage is not None
        # without chunks all space is there from the start, and nothing says which images are
        return self._storage.start is None or self.state is Writer.CLOSED or not self._live

    def _peek_again(self) -> Peek | None:
        self._peek = peek(self.source.path)
        if self._peek is not None and self.started and self._live:
            self._witness.check(self._peek)
        return self._peek

    def _open_past_the_cache(self) -> None:
        """See what is on the server now: a peek makes this machine forget what it remembers of the file."""
        self.close()
        if self._peek_again() is None:
            raise NotReady(f"{self.source.path} does not exist")
        self._open()

    def _open(self) -> None:
        self._file = open_for_swmr(self.source.path)
        growing = self._live and self.state is Writer.WRITING
        self._storage = images_of(self._file, self.source, self._shape, growing=growing)
        self._layout = self._storage.layout
        if self.started and self._live:
            self._witness.compare(self._storage)
            self._doubt = False
