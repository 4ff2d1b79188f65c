"""All data files of a collection: which of them to look at now, and what they say.

Two rhythms: a *look* at the few files that are growing, every few milliseconds while frames come, and at their folders
for files that have come; a *survey* of all files, every second, which catches what the looks have missed and says
what has become of the writers. While frames come it is made in parts, between looks.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.observations import OnDisk, Superseded, Writer, Writers
from filewatcher.edges.swmr.datafiles import DataFiles
from filewatcher.edges.swmr.folders import Folders
from filewatcher.edges.swmr.following import news_of, stay_with
from filewatcher.edges.swmr.rhythm import ASLEEP, Rhythm
from filewatcher.edges.swmr.witness import Rewritten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from filewatcher.core.framemap import FrameMap
    from filewatcher.edges.swmr.effort import Effort
    from filewatcher.edges.swmr.following import Line
    from filewatcher.edges.swmr.request import Request

    News = list[OnDisk | Writers | Superseded]

AHEAD = 8
"""Files asked for before they exist, in the order of their first frame: what 4 writers may open next. Only where
folders do not tell at once what has come into them."""
SURVEY = 1.0
"""Seconds between surveys."""
CHECK = 0.1
"""Seconds between checks of the writer of a file..."""
TOLD = 0.5
"""...and while frames come in files that are followed, where the kernel tells when one is closed or takes a name: each
frame is held against its file's name and length then."""
PATIENCE = 0.002
"""Seconds for which frames that have been found wait for more of them, and the next look for a survey."""


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
        self.rhythm = Rhythm(request.share)
        """When to look."""
        self.files = DataFiles(seen, request)
        self._live = request.wait
        self._alive = alive
        self._over = False
        self._folders = Folders()
        self._said: Writers | None = None
        self._was_writing = False
        self._survey_at = self._check_at = -np.inf
        self._surveying: Iterator[News] | None = None
        self._again: set[int] = set()
        self._chosen: list[int] | None = None
        self._slow_files = 0
        self._followed = False  # every file that was growing at the last look has a tail
        self._put_off = -1  # the last file that a look came to before it was cut short
        self.update(frame_map, shape)

    def update(self, frame_map: FrameMap, shape: tuple[int, int] | None) -> None:
        """The map has grown (its files keep their numbers); look for the rows that it has now."""
        self.files.update(frame_map, shape)
        self._folders.of(file.source.path for file in self.files.all)
        self._chosen = self._said = self._surveying = None
        self._survey_at = -np.inf

    @property
    def folders(self) -> set[str]:
        """Those that hold the data files."""
        return self._folders.names

    def hinted(self, folders: bool) -> None:
        """Hear whether the kernel gives hints of what comes into all folders."""
        self._folders.hinted = folders

    @property
    def surveyed(self) -> bool:
        """Every file of the map has been scanned at least once."""
        return self._said is not None and not self.files.redirected

    @property
    def effort(self) -> Effort:
        """What it has cost to look at the files."""
        return replace(self.rhythm.effort, slow_files=self._slow_files)

    def forget(self, number: int, row: int) -> None:
        """Report a row again: a worker could not read it."""
        if number < len(self.files.all):
            self.files.all[number].forget(row)
            self._again.add(number)
            self._chosen = None

    def wake(self, now: float) -> None:
        """Something has happened in a folder: look soon."""
        self.rhythm.wake(now)
        self._folders.look_anew()
        self._check_at = -np.inf

    def poll(self, now: float) -> News:
        """What is new since the last call; nothing any more once another collection is written to one of its names."""
        if self._over:
            return []
        self.rhythm.begin(now)
        try:
            first = self._said is None
            news = [word for part in self._survey(now) for word in part] if first else self._looks(now)
            news += self._part_of_survey(now)
        except Rewritten as error:  # what was found in this same poll may be the other collection's: it is not told
            self._over = True
            self.close()
            return [Superseded(str(error))]
        self.rhythm.end(now, news=any(isinstance(item, OnDisk) for item in news))
        if self._put_off >= 0:
            self.rhythm.at_once()
        return news

    def stay(self, line: Line, until: float) -> None:
        """Follow files that are growing, and tell on this line what is new, until something else is to be done.

        `until`: when the next heartbeat is due, by the clock.
        """
        usual = self._live and self._surveying is None and not (self._over or self.files.redirected)
        if self._chosen and usual:
            if not self._folders.told:  # else all that comes with the next heartbeat
                until = min(until, self._survey_at + SURVEY, self._check_due, self._folders.due)
            stay_with(self.files.all, self._chosen, self.rhythm, line, until)

    def wait(self, now: float) -> float:
        """Seconds until the next call is worth while."""
        if not self._live or self._over:
            return 0.0 if self._said is None or self._again else ASLEEP
        return max(0.0, min(self.rhythm.due(), self._survey_at + SURVEY) - now)

    def close(self) -> None:
        """Let go of all files."""
        for file in self.files.all:
            file.close()

    # ---- how

    def _part_of_survey(self, now: float) -> News:
        """Go on with a survey, or begin one that is due; while frames come, for no longer than a look may wait."""
        if self._surveying is None:
            if not self._live or now < self._survey_at + SURVEY:
                return []
            self._surveying = self._survey(now)
        news: News = []
        until = time.perf_counter() + PATIENCE
        for part in self._surveying:
            news += part
            if self.rhythm.busy and time.perf_counter() >= until:
                return news
        self._surveying = None
        return news

    def _survey(self, now: float) -> Iterator[News]:
        """Ask what has become of every writer, then scan every file from first to last row; in that order.

        Where that costs too much at every survey it is left out (`ImageFile.swept`), and the survey says so.
        """
        self._survey_at = now
        witnesses = self.files.witnesses
        for number, file in enumerate(self.files.all):
            self._alive()
            awaited = file.state is Writer.ABSENT and self._folders.told and not self._folders.hold(file.source.path)
            if number in witnesses or not (awaited or (file.settled and file.complete)):
                file.check(now)
                yield []
        states = self.files.states
        swept = True
        for number, file in enumerate(self.files.all):
            self._alive()
            if not file.settled:
                yield [*self.files.take(number, file.scan, now)]
                swept = swept and file.swept
        self._check_at = now
        self._chosen = None
        self._slow_files = sum(bool(file.slow) for file in self.files.all)
        # a writer that has closed meanwhile may have written after its file was scanned
        swept = swept and states == self.files.states
        yield [self._writers(full_scan=swept and not self.files.redirected)]

    def _looks(self, now: float) -> News:
        files = self.files.all
        if self._live and self._folders.glance(now):
            self._chosen = None
        check = now >= self._check_due
        if check:
            self._check_at = now
        if check or self._chosen is None:
            self._chosen = self._worth_a_look()
        changed = self.files.check(self._chosen, now) if check else set()
        found, others, doubtful = news_of(files, self._chosen)
        self._followed = not any(files[number].state is Writer.WRITING for number in others if number not in doubtful)
        news: News = [*found]
        patient_until = time.perf_counter() + PATIENCE
        for left, number in enumerate(self._in_turn(others), 1 - len(others)):
            file = files[number]
            if not check and (file.state is not Writer.WRITING or number in doubtful):
                changed |= self.files.check([number], now)
            again = not self._live and number in self._again
            began = not self.files.started(number)
            told = self.files.take(number, file.scan if again else file.look, now)
            news += told
            if told and (began or file.complete):
                self._chosen = None  # for the next time: another file may be next
            if news and left and self._live and time.perf_counter() >= patient_until:
                self._put_off = number
                break
        self._again.clear()
        if changed:
            if any(files[number].state is Writer.CLOSED and not files[number].complete for number in changed):
                self._survey_at = -np.inf  # whoever has closed has written all it will: scan now
            news.append(self._writers(full_scan=False))
        return news

    @property
    def _check_due(self) -> float:
        """When the writers are to be checked."""
        return self._check_at + (TOLD if self._followed and self._folders.told and self.rhythm.busy else CHECK)

    def _in_turn(self, others: list[int]) -> list[int]:
        """Begin with those that the last look did not come to."""
        last, self._put_off = self._put_off, -1
        return sorted(others, key=lambda number: (number <= last, number))

    def _worth_a_look(self) -> list[int]:
        """Files that are growing, and whatever else exists or may at any moment; none that has said everything."""
        self.rhythm.coherent = self._folders.coherent and all(file.coherent for file in self.files.all)
        if not self._live:
            return sorted(self._again)
        chosen = []
        ahead = 0 if not self._folders.coherent else AHEAD
        for number, file in enumerate(self.files.all):
            if file.settled or (file.complete and file.mapped):
                continue
            if file.started or file.state is Writer.WRITING or self._folders.hold(file.source.path):
                chosen.append(number)
            elif ahead < AHEAD:
                ahead += 1
                chosen.append(number)
        return chosen

    def _writers(self, *, full_scan: bool) -> Writers:
        states = self.files.states
        self._was_writing = self._was_writing or Writer.WRITING in states
        problems = tuple((number, file.problem) for number, file in enumerate(self.files.all) if file.problem)
        self._said = Writers(states, self._was_writing, full_scan, problems)
        return self._said
