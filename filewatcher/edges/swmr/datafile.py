"""One data file: which of its rows are on disk now, asked again and again at little cost.

Two readers answer: the chunk index itself (`fastpath`), in microseconds, and libhdf5, which is asked where the first
cannot be and compares the two from time to time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from filewatcher.core.observations import Writer
from filewatcher.edges.swmr.libhdf5 import Peek, open_for_swmr, peek
from filewatcher.edges.swmr.memory import Memory
from filewatcher.edges.swmr.opening import images_of
from filewatcher.edges.swmr.referee import Referee
from filewatcher.edges.swmr.rowreader import RowReader
from filewatcher.edges.swmr.storage import within
from filewatcher.errors import NotReady
from filewatcher.reasons import in_words
from filewatcher.roots import ANYWHERE

if TYPE_CHECKING:
    import h5py
    import numpy as np
    from numpy.typing import NDArray

    from filewatcher.core.framemap import DataFile
    from filewatcher.core.messages import ChunkLayout
    from filewatcher.core.observations import StoredChunk
    from filewatcher.roots import Roots

OFF = "it is switched off"
ELSEWHERE = "its file system shows what is new only to who opens it anew"

QUIET = 2.0
"""Seconds without change after which a file that says nothing of its writer (superblock < 3) counts as closed."""


class ImageFile:
    """The rows of one data file.

    `wanted`: bitmap over the rows that hold a frame; others are never reported. `shape`: that of its images, where it
    is known. `live`: it may still be written. `inode`: of the file in which an earlier process has seen frames.
    `direct`: read the chunk index without libhdf5 where that can be done.
    Raises `Forbidden` whenever its name leads out of the `roots`, `Rewritten` when another collection is written to it.
    """

    def __init__(
        self,
        source: DataFile,
        wanted: NDArray[np.bool_],
        shape: tuple[int, int] | None,
        *,
        live: bool,
        inode: int | None,
        direct: bool = True,
        roots: Roots = ANYWHERE,
    ) -> None:
        self.source, self.state, self.problem = source, Writer.ABSENT, ""
        self.layout: ChunkLayout | None = None
        """How its images are stored; None until it could be opened."""
        self.memory = Memory(wanted, source.path, inode)
        """Of its rows; while it has a tail, that follows the file in the place of `look`."""
        self.swept = False
        """The last scan went from the first to the last row, or found none to go for."""
        self._slow = "" if direct else OFF
        self._live, self._direct, self._shape, self._roots = live, direct, shape, roots
        self._referee = Referee()
        self._peek: Peek | None = None
        self._changed_at = 0.0
        self._file: h5py.File | None = None
        self._reader: RowReader | None = None
        self._scanned: Peek | None = None
        self._before: Peek | None = None
        self._doubt = False

    # ---- what is known

    @property
    def slow(self) -> str:
        """Why libhdf5 reads the index of this file, in words; empty = it does not, or was not open yet."""
        return self._slow if self._reader is None else self._reader.slow

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
        return self.memory.frontier.started

    @property
    def mapped(self) -> bool:
        """The map knows of frames in it."""
        return self.started or self.memory.frontier.left > 0

    @property
    def complete(self) -> bool:
        """All of its frames have been seen."""
        return self.memory.complete

    @property
    def settled(self) -> bool:
        """Nothing can come any more: closed, and scanned since."""
        return self.state is Writer.CLOSED and (self.complete or self._scanned == self._peek)

    def want(self, wanted: NDArray[np.bool_]) -> None:
        """The map has grown: look for these rows."""
        self.memory.want(wanted)
        self._scanned = None

    def forget(self, row: int) -> None:
        """Report a row again, as libhdf5 sees it: what was said of it could not be read."""
        self.memory.forget(row)
        self._scanned = None

    # ---- looking

    def check(self, now: float) -> None:
        """See what has become of the file and its writer; another file of its name is opened anew."""
        before, state = self._peek, self.state
        self.memory.settle()
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
            self._slow = "" if self._direct else OFF
        if before != seen:
            self._changed_at = now
        self.state = seen.writer
        if self.state is Writer.CLOSED and seen.flags is None and self._live and now - self._changed_at < QUIET:
            self.state = Writer.WRITING
        if self.state is not Writer.WRITING:
            self.memory.leave()
        self._doubt = self._doubt or (state is Writer.CLOSED and self.state is not Writer.CLOSED)
        if self.state is Writer.OPENING:
            self.close()
            self.problem = f"{self.source.path} {seen.problem}"
        elif self._doubt and self.complete:
            self._ready()
            self.close()

    def look(self, now: float) -> list[StoredChunk]:
        """Report what is new near the first row that is still missing and near the last one seen; cheap."""
        self.memory.leave()
        if self.complete or not self._ready():
            return []
        assert self._reader is not None
        try:
            found = self._mark(self._reader, self._reader.look(), now)
        except (OSError, RuntimeError) as error:
            self._lose(error)
            return []
        if self._reader is not None and self._live and self.coherent and self.state is Writer.WRITING:
            self.memory.tail = self._reader.tail(self.memory.witness.end)
        return found

    def scan(self, now: float) -> list[StoredChunk]:
        """Report every row on disk that was not seen, from the first to the last.

        Once the file rests it is libhdf5 that looks, and compares; before, that would hold up everything.
        """
        self.swept = True
        self.memory.leave()
        if self.complete or not self._ready():
            return []
        assert self._reader is not None
        rests = self.state is not Writer.WRITING or not self._live or self._peek == self._before
        walk = self.memory.frontier.doubted or (rests and self._scanned != self._peek)
        self._before = self._peek
        try:
            if self.started and self._live:
                self._reader.storage.id.refresh()
                self.memory.witness.compare(self._reader.storage)
            found = self._reader.walk(now) if walk else self._reader.scan(now)
            self.swept = found is not None
            if walk:
                self._scanned = self._peek
            return self._mark(self._reader, found or [], now)
        except (OSError, RuntimeError) as error:
            self._lose(error)
            return []

    def close(self) -> None:
        """Let go of the file."""
        self.memory.leave()
        self._slow = self.slow
        self._reader = self._scanned = None
        if self._file is not None:
            self._file.close()
            self._file = None

    # ---- how

    def _mark(self, reader: RowReader, found: list[StoredChunk], now: float) -> list[StoredChunk]:
        """Take in what is to be reported; the last rows of a file go out once libhdf5 agrees with all that was."""
        if not found:
            return found
        found = self._within(reader, found)
        if not self.started:
            found = self._within(reader, reader.first_word(found))
        self.memory.frontier.mark(found)
        if self.complete:
            found = reader.last_word(found, now)
        if found and self._peek is not None:
            self.memory.witness.note(found, self._peek.inode)
        if self.complete:
            self.close()
        return found

    def _within(self, reader: RowReader, found: list[StoredChunk]) -> list[StoredChunk]:
        """Those whose bytes are in the file: a torn entry, or a copy without its end, may point beyond."""
        if not reader.unchecked or len(within(found, reader.storage.end)) == len(found):
            return found
        try:
            now = self._peek_again()
        except NotReady:
            now = None
        inside = within(found, now.size if now is not None else 0)
        if outside := len(found) - len(inside):
            reader.give_up("it lists frames beyond its end")
            self.problem = (
                f"{self.source.path} lists {outside} frames beyond its end, at {self.size} bytes: a copy that is not "
                "finished or was cut off"
            )
        return inside

    def _lose(self, error: Exception) -> None:
        self.close()
        self.problem = f"{self.source.path}:{self.source.dataset} cannot be read: {in_words(error)}"

    def _ready(self) -> bool:
        """Open the file; False = not now, and `problem` says why."""
        if self.state not in (Writer.WRITING, Writer.CLOSED):
            return False
        try:
            if not self.coherent and (self.state is Writer.WRITING or self._scanned != self._peek):
                self._open_past_the_cache()
            elif self._reader is None:
                self._open()
        except NotReady as error:
            self.close()
            old = self._live and self._peek is not None and self._peek.flags is None
            self.problem = f"{error}{'; a writer without SWMR may still hold it' if old else ''}"
            return False
        except (OSError, RuntimeError, KeyError) as error:
            self._lose(error)
            return False
        self.problem = ""
        assert self._reader is not None
        # without chunks all space is there from the start, and nothing says which images are
        return self._reader.storage.start is None or self.state is Writer.CLOSED or not self._live

    def _peek_again(self) -> Peek | None:
        self._peek = peek(self.source.path, self._roots)
        if self._peek is not None and self.started and self._live:
            self.memory.witness.check(self._peek)
        return self._peek

    def _open_past_the_cache(self) -> None:
        """See what is on the server now: a peek makes this machine forget what it remembers of the file."""
        self.close()
        if self._peek_again() is None:
            raise NotReady(f"{self.source.path} does not exist")
        self._open()

    def _open(self) -> None:
        self._file = open_for_swmr(self.source.path, self._roots)
        growing = self._live and self.state is Writer.WRITING
        storage = images_of(self._file, self.source, self._shape, growing=growing)
        self.layout = storage.layout
        slow = self._slow if self.coherent else ELSEWHERE
        self._reader = RowReader(storage, self.memory.frontier, self._referee, self._file.userblock_size, slow)
        if self.started and self._live:
            self.memory.witness.compare(storage)
            self._doubt = False
