"""Hints from the kernel (inotify) that something has happened in a folder; nothing is wrong if none ever comes.

Network file systems send none, and the kernel drops some: correctness never depends on them. What happens once per
file is always asked for (created, renamed, closed by its writer). Growth, which comes thousands of times a second and
costs its writer something each time, only while nothing grows: the first frame after a pause is one worth a wake.
See man 7 inotify.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

MODIFY, CLOSE_WRITE, MOVED_TO, CREATE = 0x2, 0x8, 0x80, 0x100
ONLYDIR = 0x0100_0000
ONCE = CLOSE_WRITE | MOVED_TO | CREATE
"""What happens once per file."""
EVENTS = 1 << 16
"""Bytes of events taken at a time."""


class Hints:
    """`fd` becomes readable when something happens in a watched folder; None = this machine gives no hints."""

    def __init__(self) -> None:
        fd = _libc().inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self.fd: int | None = fd if fd >= 0 else None  # no inotify here, or too many of them: polling is enough
        self._folders: set[str] = set()
        self._growth = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def watch(self, folders: set[str]) -> None:
        """Watch these folders too; one that is not there (yet), or cannot be watched, is left out."""
        for folder in folders - self._folders:
            if self._add(folder):
                self._folders.add(folder)

    def cover(self, folders: set[str]) -> bool:
        """Whether hints are given of all of these."""
        return self.fd is not None and folders <= self._folders

    def growth(self, wanted: bool) -> bool:
        """Also tell when a file grows, or not any more; returns whether that is news."""
        if wanted == self._growth or self.fd is None:
            return False
        self._growth = wanted
        for folder in self._folders:
            self._add(folder)
        return True

    def clear(self) -> None:
        """Take note of what has come."""
        if self.fd is None:
            return
        try:
            while len(os.read(self.fd, EVENTS)) > EVENTS // 2:
                pass
        except BlockingIOError:
            return

    def _add(self, folder: str) -> bool:
        """Ask for the events of a folder, instead of those asked for before."""
        if self.fd is None:
            return False
        mask = ONCE | ONLYDIR | (MODIFY if self._growth else 0)
        return bool(_libc().inotify_add_watch(self.fd, os.fsencode(folder), mask) >= 0)


@cache
def _libc() -> ctypes.CDLL:
    """The C library; its calls let go of the GIL: a folder on a server that does not answer blocks nobody else."""
    library = ctypes.CDLL(None)
    library.inotify_add_watch.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32]
    return library
