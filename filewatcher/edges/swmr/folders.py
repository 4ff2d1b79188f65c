"""Which data files exist: one stat per folder says whether to list it, instead of one call per file and look."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from filewatcher.edges.swmr.libhdf5 import holding

if TYPE_CHECKING:
    from collections.abc import Iterable

GLANCE = 0.5
"""Seconds between listings, at most."""
ASK = 0.02
"""Seconds between stats: hints tell of new files earlier where there are any."""
TICK = 0.02
"""Seconds: times of files are those of the kernel's last tick, at most 10 ms old. What comes into a folder so shortly
after its listing may not change its time."""


class Folders:
    """The folders of all data files; `now` is any clock in seconds that does not go back."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        """Paths of the folders."""
        self.coherent = True
        """Their times tell at once what others do in them."""
        self.hinted = False
        """The kernel tells what comes into them: what this machine does there."""
        self._alone = False  # no other machine does anything there
        self._there: set[str] = set()
        self._listed: dict[str, str] = {}  # path of a file -> its path in a listing
        self._stamps: list[tuple[int, int, int] | None] = []
        self._list_until = self._listed_at = self._asked_at = float("-inf")

    def of(self, paths: Iterable[str]) -> None:
        """Use the folders of these files."""
        parts = {path: os.path.split(path) for path in paths}
        self.names = {folder for folder, _ in parts.values()}
        self._listed = {path: os.path.join(*both) for path, both in parts.items()}  # noqa: PTH118  strings stay strings
        self.look_anew()

    def hold(self, path: str) -> bool:
        """Whether a file was there when they were listed."""
        return self._listed[path] in self._there

    @property
    def told(self) -> bool:
        """The kernel tells of all that happens once per file in them: nobody else does anything there."""
        return self.hinted and self._alone

    @property
    def due(self) -> float:
        """When the next glance is worth while, unless `look_anew` says that it is now."""
        return self._asked_at + (GLANCE if self.told else ASK)

    def look_anew(self) -> None:
        """List them at the next glance."""
        self._listed_at = self._asked_at = float("-inf")

    def glance(self, now: float) -> bool:
        """See whether something has come or gone; True = they were listed anew."""
        if now < self.due:
            return False
        self._asked_at = now
        stamps = [_stamp(name) for name in self.names]
        if stamps != self._stamps:
            self._stamps = stamps
            self._list_until = now + TICK
            holders = [holding(stamp[0], name) for name, stamp in zip(self.names, stamps, strict=True) if stamp]
            self.coherent = all(holder.coherent for holder in holders)
            self._alone = self.coherent and len(holders) == len(stamps) and not any(one.shared for one in holders)
        if now > self._list_until and now < self._listed_at + GLANCE:
            return False
        self._listed_at = now
        self._there.clear()
        for name in self.names:
            try:
                with os.scandir(name) as listing:
                    self._there.update(entry.path for entry in listing)
            except OSError:
                continue  # not there yet
        return True


def _stamp(folder: str) -> tuple[int, int, int] | None:
    """What changes with a folder: device, inode, time; None = it is not there."""
    try:
        status = os.stat(folder)  # noqa: PTH116  of a string that stays one
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns
