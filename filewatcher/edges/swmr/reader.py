"""The masters of a collection, read from when they appear to when the last frame is on disk; what the child runs.

A step asks the disk once and returns what is new. Nothing here waits: `wait` says when the next step is worth while.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from filewatcher.core.joining import one_series, side_by_side, together
from filewatcher.core.observations import Described, DetectorRead, Writer
from filewatcher.edges.swmr.detector import read_detector
from filewatcher.edges.swmr.effort import Effort
from filewatcher.edges.swmr.master import Master
from filewatcher.edges.swmr.poller import Poller
from filewatcher.edges.swmr.tree import Tree
from filewatcher.errors import Broken, NotReady, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from filewatcher.core.framemap import DataFile
    from filewatcher.core.observations import Observation
    from filewatcher.edges.swmr.following import Line
    from filewatcher.edges.swmr.request import Request

MASTER = 0.1
"""Seconds between attempts to read a master, and between the two that have to agree."""
DETECTOR = 0.25
"""Seconds between attempts to read geometry and mask."""
REMAP = 0.2
"""Seconds between attempts to know more of an unfinished map."""


class MasterReader:
    """Reads the masters of one collection; geometry and mask are those of the first: the detector was armed once.

    `seen`: bitmaps over the rows of data files, by number, that need not be reported. `alive`: called whenever another
    file has been dealt with; a step over a hundred files on a slow server takes long without hanging.
    """

    def __init__(
        self,
        request: Request,
        seen: Mapping[int, NDArray[np.bool_]] | None = None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._request = request
        self._seen = dict(seen or {})
        self._alive = alive
        self._masters = [Master(scan, request, alive) for scan in range(len(request.masters))]
        self._poller: Poller | None = None
        self._said: list[Described] = []
        self._detector_said = False
        self._detector_at = self._remap_at = float("-inf")
        self._frames_since: float | None = None
        self._extents: tuple[tuple[Writer, int], ...] = ()
        self._final = False

    @property
    def folders(self) -> set[str]:
        """Those that hold the data files; none until the master is whole."""
        return self._poller.folders if self._poller is not None else set()

    def hinted(self, folders: bool) -> None:
        """Hear whether hints are given of all `folders`."""
        if self._poller is not None:
            self._poller.hinted(folders)

    @property
    def idle(self) -> bool:
        """No frame was found lately."""
        return self._poller is not None and self._poller.rhythm.idle

    @property
    def effort(self) -> Effort:
        """What it has cost to look at the data files."""
        return self._poller.effort if self._poller is not None else Effort()

    def grant(self, share: float) -> None:
        """Take no more than this share of a core from now on."""
        self._request = replace(self._request, share=share)
        if self._poller is not None:
            self._poller.rhythm.share = share

    @property
    def done(self) -> bool:
        """Nothing is left to be said of files that will not change."""
        return self._poller is not None and self._poller.surveyed and self._detector_said

    def forget(self, file: int, row: int) -> None:
        """Report a row again."""
        if self._poller is not None:
            self._poller.forget(file, row)
        elif file in self._seen and row < len(self._seen[file]):
            self._seen[file][row] = False

    def wake(self, now: float) -> None:
        """Something has happened in a folder."""
        if self._poller is not None:
            self._poller.wake(now)

    def stay(self, line: Line, until: float) -> None:
        """Follow files that are growing, and tell on this line what is new, until it is time for a step."""
        if self._poller is not None:
            self._poller.stay(line, until)

    def wait(self, now: float) -> float:
        """Seconds until the next step."""
        return MASTER if self._poller is None else self._poller.wait(now)

    def close(self) -> None:
        """Let go of all files."""
        if self._poller is not None:
            self._poller.close()

    def step(self, now: float) -> list[Observation]:
        """Ask the disk; return what is new. Raises `Broken` or `Refused` if it will never get better."""
        if self._poller is None:
            return self._first(now)
        news: list[Observation] = []
        if self._poller.files.redirected or (not self._final and self._request.wait and self._unfinished(now)):
            news += self._remap(now)
        news += self._poller.poll(now)
        if not self._detector_said and now >= self._detector_at + DETECTOR:
            self._detector_at = now
            news += self._read_detector(now)
        return news

    # ---- the masters

    def _first(self, now: float) -> list[Observation]:
        """Describe the masters once all of them are whole, then begin with their data files."""
        news = [word for master in self._masters for word in master.attempt(now)]
        known = [master.described for master in self._masters if master.described is not None]
        if len(known) < len(self._masters):
            return news
        shapes = {master.images.shape for master in self._masters} - {None}
        for other in known[1:]:
            if not one_series(known[0].frame_map, other.frame_map) or len(shapes) > 1:
                raise Refused(
                    f"{known[0].master.path} and {other.master.path} are not over one set of data files: masters that "
                    "are watched together are scans of one collection; watch others one by one"
                )
        self._said = self._numbered(known, self._request.files)
        self._final = all(master.images.final for master in self._masters)
        self._poller = Poller(
            together([one.frame_map for one in self._said]),
            self._masters[0].images.shape,
            self._seen,
            self._request,
            self._alive,
        )
        return [*news, *self._said]

    @staticmethod
    def _numbered(described: Sequence[Described], files: tuple[DataFile, ...]) -> list[Described]:
        """Number the data files alike for all scans."""
        maps = side_by_side([one.frame_map for one in described], files)
        return [replace(one, frame_map=frame_map) for one, frame_map in zip(described, maps, strict=True)]

    # ---- more of the map

    def _unfinished(self, now: float) -> bool:
        assert self._poller is not None
        if now < self._remap_at + REMAP:
            return False
        # without an end, files may come that no map knows of yet
        open_ended = any(master.images.frame_map.open_ended for master in self._masters)
        return open_ended or self._poller.files.extents() != self._extents

    def _remap(self, now: float) -> list[Observation]:
        """Make the maps anew, and say them if there is more in them; what was said of a file stays true."""
        assert self._poller is not None
        self._remap_at = now
        extents = self._poller.files.extents()
        before = self._said
        try:
            read = [master.read()[0] for master in self._masters]
        except NotReady:
            return []
        self._extents = extents
        self._final = all(master.images.final for master in self._masters)
        grown = self._numbered(read, before[0].frame_map.files)
        if all(map(_same_map, before, grown)):
            self._poller.files.redirected = False
            return []
        self._said = [
            replace(
                new,
                master=old.master,
                positions=new.positions or old.positions,
                angles=old.angles if new.angles is None else new.angles,
            )
            for old, new in zip(before, grown, strict=True)
        ]
        self._poller.update(together([one.frame_map for one in self._said]), self._masters[0].images.shape)
        return list(self._said)

    # ---- geometry and mask

    def _read_detector(self, now: float) -> list[Observation]:
        assert self._poller is not None
        if self._frames_since is None and self._poller.files.any_frame:
            self._frames_since = now
        waited = self._frames_since is not None and now - self._frames_since >= self._request.mask_wait
        give_up = waited or not self._request.wait
        layout = self._poller.files.layout
        try:
            with Tree(self._request.master, self._alive, self._request.roots) as tree:
                dtype = layout.dtype if layout is not None else None
                reading = read_detector(tree, self._masters[0].images, dtype, final=give_up)
        except (NotReady, OSError, RuntimeError, KeyError) as error:
            if give_up:
                raise Broken(f"the geometry of {self._request.master} cannot be read: {error}") from error
            return []
        if reading.awaited and not give_up:
            return []
        lost = tuple(f"{what}, which is not there: analysed without it" for what in reading.awaited)
        self._detector_said = True
        return [DetectorRead(reading.detector, reading.warnings + lost)]


def _same_map(before: Described, now: Described) -> bool:
    old, new = before.frame_map, now.frame_map
    return (
        len(old) == len(new)
        and old.files == new.files
        and bool((old.file == new.file).all() and (old.row == new.row).all())
    )
