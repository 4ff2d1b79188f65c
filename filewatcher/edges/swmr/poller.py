"""All data files of a collection: which of them to look at now, and what they say.

Two rhythms: a *look* at the few files that are growing, every few milliseconds while frames come, and at their folders
for files that have come; a *survey* of all files, every second, which catches what the looks have missed and says
what has become of the writers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.observations import OnDisk, Superseded, Writer, Writers
from filewatcher.edges.swmr.datafile import ImageFile
from filewatcher.edges.swmr.folders import Folders
from filewatcher.edges.swmr.following import follow
from filewatcher.edges.swmr.opening import Redirected
from filewatcher.edges.swmr.rhythm import ASLEEP, Rhythm
from filewatcher.edges.swmr.witness import Rewritten

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from filewatcher.core.framemap import FrameMap
    from filewatcher.core.messages import ChunkLayout
    from filewatcher.core.observations import StoredChunk
    from filewatcher.edges.swmr.request import Request

    News = list[OnDisk | Writers | Superseded]

AHEAD = 8
"""Files asked for before they exist, in the order of their first frame: what 4 writers may open next. Only where
folders do not tell at once what has come into them."""
SURVEY = 1.0
"""Seconds between surveys."""
CHECK = 0.1
"""Seconds between checks of the writer of a file that is growing."""


class Poller:
    """Keeps asking the files of a map; `now` is any clock in seconds that does not go back.

    `seen`: bitmaps over the rows of files, by number, that need not be reported. `shape`: that of the images, where the
    master says it. `request`: how to look at them.
    """

    def __init__(
        self,
        frame_map: FrameMap,
        shape: tuple[int, int] | None,
        seen: Mapping[int, NDArray[np.bool_]],
        request: Request,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self.redirected = False
        """A file turned out to be a detour: make the map anew."""
        self.rhythm = Rhythm(request.share)
        """When to look."""
        self._live, self._request = request.wait, request
        self._shape = shape
        self._seen = dict(seen)
        self._inodes = dict(request.inodes)
        self._alive = alive
        self._started: dict[int, None] = {}  # a set in the order of the first frames
        self._over = False
        self._files: list[ImageFile] = []
        self._folders = Folders()
        self._said: Writers | None = None
        self._was_writing = False
        self._survey_at = self._check_at = -np.inf
        self._again: set[int] = set()
        self._chosen: list[int] | None = None
        self.update(frame_map, shape)

    def update(self, frame_map: FrameMap, shape: tuple[int, int] | None) -> None:
        """The map has grown (its files keep their numbers); look for the rows that it has now."""
        self._shape = shape
        for number, source in enumerate(frame_map.files):
            wanted = _wanted(frame_map, number)
            if number < len(self._files):
                self._files[number].want(wanted)
            else:
                file = ImageFile(
                    source,
                    wanted,
                    shape,
                    live=self._live,
                    inode=self._inodes.get(number),
                    direct=self._request.direct,
                    roots=self._request.roots,
                )
                self._files.append(file)
            if number in self._seen:
                self._files[number].memory.know(self._seen[number])
                if self._files[number].started:
                    self._started[number] = None
        self._seen = {}
        self._folders.of(file.source.path for file in self._files)
        self._chosen = None
        self._survey_at = -np.inf
        self._said = None
        self.redirected = False

    @property
    def folders(self) -> set[str]:
        """Those that hold the data files."""
        return self._folders.names

    @property
    def any_frame(self) -> bool:
        """At least one frame is on disk."""
        return any(file.started for file in self._files)

    @property
    def surveyed(self) -> bool:
        """Every file of the map has been scanned at least once."""
        return self._said is not None and not self.redirected

    @property
    def layout(self) -> ChunkLayout | None:
        """How the images are stored, once a data file could be opened."""
        return next((file.layout for file in self._files if file.layout is not None), None)

    @property
    def slow(self) -> dict[str, str]:
        """Files whose chunk index libhdf5 reads, and why, in words."""
        return {file.source.path: file.slow for file in self._files if file.slow}

    def extents(self) -> tuple[tuple[Writer, int], ...]:
        """State and size of every file: when this changes, more of an unfinished map may be known."""
        return tuple((file.state, file.size) for file in self._files)

    def forget(self, number: int, row: int) -> None:
        """Report a row again: a worker could not read it."""
        if number < len(self._files):
            self._files[number].forget(row)
            self._again.add(number)
            self._chosen = None

    def wake(self, now: float) -> None:
        """Something has happened in a folder: look soon."""
        self.rhythm.wake(now)
        self._folders.look_anew()

    def poll(self, now: float) -> News:
        """What is new since the last call; nothing any more once another collection is written to one of its names."""
        news: News = []
        if self._over:
            return news
        survey = now >= self._survey_at + SURVEY and (self._live or self._said is None)
        self.rhythm.begin(now)
        try:
            news += self._survey(now) if survey else self._looks(now)
        except Rewritten as error:  # what was found in this same poll may be the other collection's: it is not told
            self._over = True
            self.close()
            return [Superseded(str(error))]
        self.rhythm.end(now, news=any(isinstance(item, OnDisk) for item in news))
        return news

    def wait(self, now: float) -> float:
        """Seconds until the next call is worth while."""
        if not self._live or self._over:
            return 0.0 if self._said is None or self._again else ASLEEP
        return max(0.0, min(self.rhythm.due(), self._survey_at + SURVEY) - now)

    def close(self) -> None:
        """Let go of all files."""
        for file in self._files:
            file.close()

    # ---- how

    def _survey(self, now: float) -> News:
        """Ask what has become of every writer, then scan every file from first to last row; in that order.

        Where that costs too much at every survey it is left out (`ImageFile.swept`), and the survey says so.
        """
        witnesses = self._witnesses()
        for number, file in enumerate(self._files):
            self._alive()
            if number in witnesses or not (file.settled and file.complete):
                file.check(now)
        news: News = []
        swept = True
        for number, file in enumerate(self._files):
            self._alive()
            if not file.settled:
                news += self._take(number, file.scan, now)
                swept = swept and file.swept
        self._survey_at = now
        self._check_at = now
        self._chosen = None
        return [*news, self._writers(full_scan=swept and not self.redirected)]

    def _looks(self, now: float) -> News:
        if self._live and self._folders.glance(now):
            self._chosen = None
        check = now >= self._check_at + CHECK
        if check:
            self._check_at = now
        if check or self._chosen is None:
            self._chosen = self._worth_a_look()
        changed = check and self._check(self._chosen, now)
        found, others = follow(self._files, self._chosen)
        news: News = [*found]
        for number in others:
            file = self._files[number]
            if not check and file.state is not Writer.WRITING:
                changed = self._check([number], now) or changed
            again = not self._live and number in self._again
            told = self._take(number, file.scan if again else file.look, now)
            news += told
            if told and file.complete:
                self._chosen = None  # for the next time: another file may be next
        self._again.clear()
        if changed:
            if self._live:
                self._survey_at = -np.inf  # whoever has closed has written all it will: scan now
            news.append(self._writers(full_scan=False))
        return news

    def _check(self, numbers: Sequence[int], now: float) -> bool:
        """See what has become of these files; True = one of their writers has begun or ended."""
        before = [self._files[number].state for number in numbers]
        for number in numbers:
            self._files[number].check(now)
        return before != [self._files[number].state for number in numbers]

    def _worth_a_look(self) -> list[int]:
        """Files that are growing, and whatever else exists or may at any moment; none that has said everything."""
        self.rhythm.coherent = self._folders.coherent and all(file.coherent for file in self._files)
        if not self._live:
            return sorted(self._again)
        chosen = []
        ahead = 0 if not self._folders.coherent else AHEAD
        for number, file in enumerate(self._files):
            if file.settled or (file.complete and file.mapped):
                continue
            if file.started or file.state is Writer.WRITING or self._folders.hold(file.source.path):
                chosen.append(number)
            elif ahead < AHEAD:
                ahead += 1
                chosen.append(number)
        return chosen

    def _witnesses(self) -> set[int]:
        """Files that a new collection of the same name would write first, or that were written last: few."""
        started = list(self._started)
        return {*started[:1], *started[-AHEAD:]} if self._live else set()

    def _take(self, number: int, ask: Callable[[float], list[StoredChunk]], now: float) -> News:
        file = self._files[number]
        try:
            found = ask(now)
        except Redirected:
            file.close()
            self.redirected = True
            return []
        if not found:
            return []
        if number not in self._started:
            for witness in self._witnesses():  # the first frames of a file may be the first of another collection
                self._files[witness].check(now)
            self._started[number] = None
            self._chosen = None
        layout = file.layout
        assert layout is not None
        return [OnDisk(number, found, layout, file.inode)]

    def _writers(self, *, full_scan: bool) -> Writers:
        states = tuple(file.state for file in self._files)
        self._was_writing = self._was_writing or Writer.WRITING in states
        problems = tuple((number, file.problem) for number, file in enumerate(self._files) if file.problem)
        self._said = Writers(states, self._was_writing, full_scan, problems)
        return self._said


def _wanted(frame_map: FrameMap, number: int) -> NDArray[np.bool_]:
    """Bitmap over the rows of a file that hold a frame."""
    rows = frame_map.row[frame_map.file == number]
    wanted = np.zeros(int(rows.max(initial=-1)) + 1, bool)
    wanted[rows] = True
    return wanted
