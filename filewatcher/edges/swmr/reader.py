"""One master, read from when it appears to when its last frame is on disk; what the child process runs.

A step asks the disk once and returns what is new. Nothing here waits: `wait` says when the next step is worth while.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from filewatcher.core.joining import keep_numbers
from filewatcher.core.observations import Described, DetectorRead, MasterBlocked, MasterFile, Writer
from filewatcher.edges.swmr.detector import read_detector
from filewatcher.edges.swmr.effort import Effort
from filewatcher.edges.swmr.images import Images, entries, find_images
from filewatcher.edges.swmr.libhdf5 import Peek, peek
from filewatcher.edges.swmr.poller import Poller
from filewatcher.edges.swmr.scan import exposure_time, sample_positions
from filewatcher.edges.swmr.tree import Tree
from filewatcher.errors import Broken, NotReady, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from filewatcher.core.observations import Observation
    from filewatcher.edges.swmr.request import Request

MASTER = 0.1
"""Seconds between attempts to read a master, and between the two that have to agree."""
GIVE_UP = 3.0
"""Seconds without change after which a closed master that makes no sense is not waited for any more."""
DETECTOR = 0.25
"""Seconds between attempts to read geometry and mask."""
REMAP = 0.2
"""Seconds between attempts to know more of an unfinished map."""


class MasterReader:
    """Reads one master.

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
        self._poller: Poller | None = None
        self._images: Images | None = None
        self._said: Described | None = None
        self._before: Peek | None = None
        self._quiet_since: float | None = None
        self._problem = ""
        self._detector_said = False
        self._detector_at = self._remap_at = float("-inf")
        self._frames_since: float | None = None
        self._extents: tuple[tuple[Writer, int], ...] = ()

    @property
    def folders(self) -> set[str]:
        """Those that hold the data files; none until the master is whole."""
        return self._poller.folders if self._poller is not None else set()

    @property
    def idle(self) -> bool:
        """No frame was found lately."""
        return self._poller is not None and self._poller.rhythm.idle

    @property
    def effort(self) -> Effort:
        """What it has cost to look at the data files."""
        return self._poller.rhythm.effort if self._poller is not None else Effort()

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
        if self._poller.redirected or (self._request.wait and self._unfinished(now)):
            news += self._remap(now)
        news += self._poller.poll(now)
        if not self._detector_said and now >= self._detector_at + DETECTOR:
            self._detector_at = now
            news += self._read_detector(now)
        return news

    # ---- the master

    def _first(self, now: float) -> list[Observation]:
        """Describe the master once it is whole: it parses, and its size and time are the same twice."""
        try:
            described, seen = self._describe()
            again = peek(self._request.master)
        except (NotReady, Broken) as error:
            return self._refuse(error, now)
        whole = again == self._before == seen or (seen.writer is Writer.WRITING and seen.flags is not None)
        self._before = seen
        if self._request.wait and not whole:
            return []
        assert self._images is not None
        self._said = described
        self._poller = Poller(
            described.frame_map,
            self._images.shape,
            self._seen,
            live=self._request.wait,
            inodes=dict(self._request.inodes),
            alive=self._alive,
            direct=self._request.direct,
            share=self._request.share,
        )
        return [described]

    def _refuse(self, error: NotReady | Broken, now: float) -> list[Observation]:
        """A master that cannot be read: wait for it and say why, unless it is as it will ever be."""
        path = self._request.master
        try:
            seen, there = peek(path), True
        except NotReady:  # no permission, a server that went away: it may come back
            seen, there = None, False
        if not self._request.wait:
            if seen is None and there:
                raise Refused(f"{path} does not exist: give the master file of a collection") from error
            if seen is not None and seen.superblock is None:
                raise Broken(f"{path} is not an HDF5 file: give the master file of a collection") from error
            raise Broken(str(error)) from error
        if seen != self._before or self._quiet_since is None:
            self._before, self._quiet_since = seen, now
        closed = seen is not None and seen.writer is Writer.CLOSED
        if isinstance(error, Broken) and closed and now - self._quiet_since >= GIVE_UP:
            raise error
        problem = "" if seen is None and there else str(error)
        if problem == self._problem:
            return []
        self._problem = problem
        return [MasterBlocked(problem)]

    def _describe(self) -> tuple[Described, Peek]:
        """What the master says now, and how it looked before it was read."""
        path = self._request.master
        seen = peek(path)
        if seen is None:
            raise NotReady(f"{path} does not exist")
        try:
            return self._parse(seen), seen
        except (OSError, RuntimeError, KeyError, ValueError) as error:  # all that h5py raises on half a file
            raise NotReady(f"{path} cannot be read: {error}") from error

    def _parse(self, seen: Peek) -> Described:
        request = self._request
        with Tree(request.master, self._alive) as tree:
            images = find_images(tree, request.channel, request.frames)
            frame_map = images.frame_map
            if not request.wait:
                frame_map = replace(frame_map, open_ended=False)
            if request.files:
                frame_map = keep_numbers(replace(frame_map, files=request.files), frame_map)
            entry = entries(tree)[0]
            described = Described(
                MasterFile(request.master, seen.device, seen.inode, seen.size, seen.mtime_ns),
                frame_map,
                exposure_time(tree, entry),
                sample_positions(tree, entry, len(frame_map)),
            )
        self._images = images
        return described

    # ---- more of the map

    def _unfinished(self, now: float) -> bool:
        assert self._images is not None
        assert self._poller is not None
        if self._images.final or now < self._remap_at + REMAP:
            return False
        # without an end, files may come that no map knows of yet
        return self._images.frame_map.open_ended or self._poller.extents() != self._extents

    def _remap(self, now: float) -> list[Observation]:
        """Make the map anew, and say it if there is more in it; what was said of a file stays true."""
        assert self._poller is not None
        assert self._said is not None
        self._remap_at = now
        extents = self._poller.extents()
        before = self._said
        try:
            described, _ = self._describe()
        except NotReady:
            return []
        assert self._images is not None
        self._extents = extents
        grown = keep_numbers(before.frame_map, described.frame_map)
        same = len(grown) == len(before.frame_map) and grown.files == before.frame_map.files
        if same and (grown.file == before.frame_map.file).all() and (grown.row == before.frame_map.row).all():
            self._poller.redirected = False
            return []
        self._said = Described(before.master, grown, described.exposure_time, described.positions or before.positions)
        self._poller.update(grown, self._images.shape)
        return [self._said]

    # ---- geometry and mask

    def _read_detector(self, now: float) -> list[Observation]:
        assert self._poller is not None
        assert self._images is not None
        if self._frames_since is None and self._poller.any_frame:
            self._frames_since = now
        waited = self._frames_since is not None and now - self._frames_since >= self._request.mask_wait
        give_up = waited or not self._request.wait
        layout = self._poller.layout
        try:
            with Tree(self._request.master, self._alive) as tree:
                dtype = layout.dtype if layout is not None else None
                reading = read_detector(tree, self._images, dtype, final=give_up)
        except (NotReady, OSError, RuntimeError, KeyError) as error:
            if give_up:
                raise Broken(f"the geometry of {self._request.master} cannot be read: {error}") from error
            return []
        if reading.awaited and not give_up:
            return []
        lost = tuple(f"{what}, which is not there: analysed without it" for what in reading.awaited)
        self._detector_said = True
        return [DetectorRead(reading.detector, reading.warnings + lost)]
