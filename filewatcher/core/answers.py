"""Where the crystal is, said while the scan runs: when to say it again, and what.

An answer is *final* once its scan has ended; one that is not may still change. Two grids with a common x give an answer
in three dimensions when both have ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from filewatcher.core.centring import Centring, centre, centre_pair
from filewatcher.core.picture import LivePicture
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from filewatcher.core.centring import Centring3D
    from filewatcher.core.gridinfo import GridInfo
    from filewatcher.core.lines import Json
    from filewatcher.core.messages import Outcome

METRIC = "n_spots_total"
"""What tells a crystal; as in production."""
APART = 0.1
"""Seconds between two answers about a scan, at least."""
SHARE = 0.2
"""Of the time, at most, is spent on answers that are not final."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of a crystal's place at one moment."""

    collection: str
    scan: int | None
    """From 0; None = of both scans of a pair."""
    version: int
    """Outcomes that it knows of: grows with every answer about a scan."""
    final: bool
    centring: Centring | Centring3D


def answer_line(answer: Answer) -> dict[str, Json]:
    """Return the JSON line of an answer; ``centring`` is without the list of cells, which may be long."""
    found = answer.centring
    return {
        "type": "centring",
        "collection": answer.collection,
        "scan": answer.scan,
        "version": answer.version,
        "final": answer.final,
        "centring": centring_json(found),
    }


def centring_json(found: Centring | Centring3D) -> dict[str, Json]:
    """Return a centring for a line: production's fields and ours, without the list of cells."""
    return found.as_json(region=False) if isinstance(found, Centring) else found.as_json()


class Answers:
    """The answers about one collection; `clock` only measures how long an answer takes."""

    def __init__(self, collection: str, grids: Sequence[GridInfo | None], clock: Callable[[], float]) -> None:
        self._collection, self._clock = collection, clock
        self._scans = [None if info is None else _Scan(info) for info in grids]
        self._both_said = len(grids) != 2 or None in self._scans
        self.final: list[Answer] = []
        """Those that are, in the order in which they were given."""
        self.problem = ""
        """Why there is no answer in three dimensions, in words."""

    def record(self, outcome: Outcome) -> None:
        """Take an outcome, in constant time."""
        scan = self._scans[outcome.scan]
        if scan is not None and outcome.frame < scan.cells:
            scan.picture.record(outcome)

    def due(self, now: float, ended: Sequence[bool]) -> list[Answer]:
        """Return what is to be said now; `ended`: for each scan, whether every frame has its outcome."""
        answers = []
        for number, scan in enumerate(self._scans):
            if scan is not None and scan.is_due(now, ended=ended[number]):
                begun = self._clock()
                picture = scan.picture.picture()
                found = centre(picture, snapshot=scan.snapshot)
                scan.said(now, self._clock() - begun, picture.version, final=ended[number])
                answers.append(Answer(self._collection, number, picture.version, ended[number], found))
        if not self._both_said and all(ended):
            self._both_said = True
            answers += self._both()
        self.final += [answer for answer in answers if answer.final]
        return answers

    def _both(self) -> list[Answer]:
        first, second = (scan.picture.picture() for scan in self._scans if scan is not None)
        try:
            found = centre_pair(first, second)
        except Refused as error:
            self.problem = str(error)
            return []
        return [Answer(self._collection, None, first.version + second.version, True, found)]


class _Scan:
    """A picture, and what has been said of it."""

    def __init__(self, info: GridInfo) -> None:
        self.picture = LivePicture(info.grid, METRIC)
        self.cells = len(info.grid)
        self.snapshot = info.snapshot
        self._version = 0
        self._next = float("-inf")
        self._over = False

    def is_due(self, now: float, *, ended: bool) -> bool:
        """Whether to answer: the picture has changed and it is time, or it will not change any more."""
        if self._over:
            return False
        return ended or (self.picture.version > self._version and now >= self._next)

    def said(self, now: float, took: float, version: int, *, final: bool) -> None:
        """Note an answer."""
        self._version, self._over = version, final
        self._next = now + max(APART, took / SHARE)
