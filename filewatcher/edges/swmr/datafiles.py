"""The data files of a map: made as it grows, checked, and asked what is new in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.observations import OnDisk, Writer
from filewatcher.edges.swmr.datafile import ImageFile
from filewatcher.edges.swmr.opening import Redirected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from filewatcher.core.framemap import FrameMap
    from filewatcher.core.messages import ChunkLayout
    from filewatcher.core.observations import StoredChunk
    from filewatcher.edges.swmr.request import Request

LATEST = 8
"""Files that frames have come to last: those that may be another collection's by now, like the first one."""


class DataFiles:
    """Of one collection, numbered as in its map.

    `seen`: bitmaps over the rows of files, by number, that need not be reported. `request`: how to look at them.
    Methods that look at files raise what `ImageFile` raises.
    """

    def __init__(self, seen: Mapping[int, NDArray[np.bool_]], request: Request) -> None:
        self.all: list[ImageFile] = []
        self.redirected = False
        """A file turned out to be a detour: make the map anew."""
        self._request, self._live = request, request.wait
        self._seen, self._inodes = dict(seen), dict(request.inodes)
        self._started: dict[int, None] = {}  # a set in the order of the first frames

    def update(self, frame_map: FrameMap, shape: tuple[int, int] | None) -> None:
        """The map has grown (its files keep their numbers); look for the rows that it has now."""
        for number, source in enumerate(frame_map.files):
            wanted = _wanted(frame_map, number)
            if number < len(self.all):
                self.all[number].want(wanted)
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
                self.all.append(file)
            if number in self._seen:
                self.all[number].memory.know(self._seen[number])
                if self.all[number].started:
                    self._started[number] = None
        self._seen = {}
        self.redirected = False

    @property
    def any_frame(self) -> bool:
        """At least one frame is on disk."""
        return any(file.started for file in self.all)

    @property
    def layout(self) -> ChunkLayout | None:
        """How the images are stored, once a data file could be opened."""
        return next((file.layout for file in self.all if file.layout is not None), None)

    @property
    def states(self) -> tuple[Writer, ...]:
        """What has become of each writer."""
        return tuple(file.state for file in self.all)

    def extents(self) -> tuple[tuple[Writer, int], ...]:
        """State and size of every file: when this changes, more of an unfinished map may be known."""
        return tuple((file.state, file.size) for file in self.all)

    @property
    def witnesses(self) -> set[int]:
        """Files that a new collection of the same name would write first, or that were written last: few."""
        started = list(self._started)
        return {*started[:1], *started[-LATEST:]} if self._live else set()

    def started(self, number: int) -> bool:
        """Whether frames of this file have been reported."""
        return number in self._started

    def check(self, numbers: Iterable[int], now: float) -> set[int]:
        """See what has become of these files; returns those whose writer has begun or ended."""
        changed = set()
        for number in numbers:
            file = self.all[number]
            before = file.state
            file.check(now)
            if file.state is not before:
                changed.add(number)
        return changed

    def take(self, number: int, ask: Callable[[float], list[StoredChunk]], now: float) -> list[OnDisk]:
        """Ask one file; `ask` is a method of it."""
        file = self.all[number]
        try:
            found = ask(now)
        except Redirected:
            file.close()
            self.redirected = True
            return []
        if not found:
            return []
        if number not in self._started:
            self.check(self.witnesses, now)  # the first frames of a file may be the first of another collection
            self._started[number] = None
        layout = file.layout
        assert layout is not None
        return [OnDisk(number, found, layout, file.inode)]


def _wanted(frame_map: FrameMap, number: int) -> NDArray[np.bool_]:
    """Bitmap over the rows of a file that hold a frame."""
    rows = frame_map.row[frame_map.file == number]
    wanted = np.zeros(int(rows.max(initial=-1)) + 1, bool)
    wanted[rows] = True
    return wanted
