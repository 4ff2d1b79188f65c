"""One master: read from when it appears, and again as long as more of its map may become known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from filewatcher.core.observations import Described, MasterBlocked, MasterFile, Writer
from filewatcher.edges.swmr.images import Images, entries, find_images
from filewatcher.edges.swmr.libhdf5 import Peek, peek
from filewatcher.edges.swmr.scan import exposure_time, rotation_angles, sample_positions
from filewatcher.edges.swmr.tree import Tree
from filewatcher.errors import Broken, NotReady, Refused
from filewatcher.reasons import in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from filewatcher.core.observations import Observation
    from filewatcher.edges.swmr.request import Request

GIVE_UP = 3.0
"""Seconds without change after which a closed master that makes no sense is not waited for any more."""


class Master:
    """The master of one scan; `alive` is called whenever another file has been dealt with."""

    def __init__(self, scan: int, request: Request, alive: Callable[[], None]) -> None:
        self.path = request.masters[scan]
        self.described: Described | None = None
        """Its files are numbered by itself; None until it is whole."""
        self._scan, self._request, self._alive = scan, request, alive
        self._images: Images | None = None
        self._before: Peek | None = None
        self._quiet_since: float | None = None
        self._problem = ""

    @property
    def images(self) -> Images:
        """Where its images are; of a master that is described."""
        assert self._images is not None
        return self._images

    def attempt(self, now: float) -> list[Observation]:
        """Describe it once it is whole: it parses, and its size and time are the same twice.

        Returns why it is waited for, if that is news. Raises `Broken` or `Refused` if it will never get better.
        """
        try:
            if self.described is not None and peek(self.path, self._request.roots) == self._before:
                return []  # as it was; another scan's is waited for
            described, seen = self.read()
            again = peek(self.path, self._request.roots)
        except (NotReady, Broken) as error:
            self.described = None
            return self._refuse(error, now)
        whole = again == self._before == seen or (seen.writer is Writer.WRITING and seen.flags is not None)
        self._before = seen
        self.described = described if whole or not self._request.wait else None
        return []

    def read(self) -> tuple[Described, Peek]:
        """What the master says now, and how it looked before it was read. Raises `NotReady` or `Broken`."""
        seen = peek(self.path, self._request.roots)
        if seen is None:
            raise NotReady(f"{self.path} does not exist")
        try:
            return self._parse(seen), seen
        except (OSError, RuntimeError, KeyError, ValueError) as error:  # all that h5py raises on half a file
            raise NotReady(f"{self.path} cannot be read: {in_words(error)}") from error

    def _parse(self, seen: Peek) -> Described:
        request = self._request
        with Tree(self.path, self._alive, request.roots) as tree:
            images = find_images(tree, request.channel, request.frames)
            frame_map = images.frame_map
            if not request.wait:
                frame_map = replace(frame_map, open_ended=False)
            entry = entries(tree)[0]
            described = Described(
                MasterFile(self.path, seen.device, seen.inode, seen.size, seen.mtime_ns, seen.ctime_ns),
                frame_map,
                exposure_time(tree, entry),
                sample_positions(tree, entry, len(frame_map)),
                rotation_angles(tree, entry, len(frame_map)),
                self._scan,
            )
        self._images = images
        return described

    def _refuse(self, error: NotReady | Broken, now: float) -> list[Observation]:
        """It cannot be read: wait for it and say why, unless it is as it will ever be."""
        path = self.path
        try:
            seen, there = peek(path, self._request.roots), True
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
        return [MasterBlocked(problem, self._scan)]
