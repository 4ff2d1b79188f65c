"""What a parent asks of a child process; importable without libhdf5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from filewatcher.edges.swmr.effort import SHARE
from filewatcher.roots import ANYWHERE

if TYPE_CHECKING:
    from filewatcher.core.framemap import DataFile
    from filewatcher.roots import Roots


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be watched."""

    master: str
    """Absolute path."""
    wait: bool = True
    """False: everything is there that will ever be."""
    channel: str | None = None
    frames: int | None = None
    """How many to expect where the master does not say."""
    mask_wait: float = 10.0
    """Seconds to wait for linked files of geometry and mask once frames are on disk."""
    direct: bool = True
    """Read chunk indexes without libhdf5 where that can be done; False = leave them all to libhdf5."""
    share: float = SHARE
    """Of a core, to be kept by the reader."""
    files: tuple[DataFile, ...] = ()
    """Data files as an earlier child has numbered them: those numbers stay."""
    inodes: tuple[tuple[int, int], ...] = ()
    """(number, st_ino) of those in which an earlier child has seen frames."""
    others: tuple[str, ...] = ()
    """Absolute paths of the masters of further scans of the same collection."""
    roots: Roots = ANYWHERE
    """Every file that is opened must be in them, however it was found."""

    @property
    def masters(self) -> tuple[str, ...]:
        """One per scan."""
        return (self.master, *self.others)
