"""What the watcher's child process says of a master and of its data files; all frozen, as `messages`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from filewatcher.core.detector import Detector
    from filewatcher.core.framemap import FrameMap
    from filewatcher.core.messages import ChunkLayout


@dataclass(frozen=True, slots=True)
class Positions:
    """Sample positions per frame, where a master has them."""

    x: NDArray[np.float64]
    """mm, shape (frames,)."""
    y: NDArray[np.float64]
    """mm, shape (frames,)."""


@dataclass(frozen=True, slots=True)
class MasterFile:
    """Which master file this is, and of what age."""

    path: str
    """Absolute."""
    device: int
    """st_dev."""
    inode: int
    """st_ino."""
    size: int
    """Bytes, when it was read."""
    mtime_ns: int
    """Nanoseconds since 1970, when it was read."""
    ctime_ns: int = 0
    """The same of its inode: no copying program can set that back."""


@dataclass(frozen=True, slots=True)
class Described:
    """What a master says; said once it is whole, and again when more of the map is known (DECTRIS, open ends)."""

    master: MasterFile
    frame_map: FrameMap
    exposure_time: float | None
    """Seconds per frame, exposure and readout; None = unknown."""
    positions: Positions | None
    angles: NDArray[np.float64] | None = None
    """Of a rotation: degrees at which each frame begins, shape (frames,); None = it does not turn, or nothing says."""
    scan: int = 0
    """From 0. The maps of all scans of a collection number the same data files alike."""


@dataclass(frozen=True, slots=True)
class DetectorRead:
    """Geometry and mask are complete; workers can be armed."""

    detector: Detector
    warnings: tuple[str, ...] = ()
    """What had to be assumed, in words, e.g. that the mask's file never came."""


class StoredChunk(NamedTuple):
    """Where the bytes of one image are. A bare tuple, for there are thousands a second."""

    row: int
    """Index along the dataset's first axis, from 0."""
    offset: int
    """Bytes from the start of the file."""
    size: int
    """Stored bytes."""
    filter_mask: int
    """Bit i set: filter i of the pipeline was skipped."""


class OnDisk(NamedTuple):
    """Rows of one data file that are on disk now and had not been reported since the last restart."""

    file: int
    """Index into `FrameMap.files`."""
    chunks: Sequence[StoredChunk]
    """One per row, in any order."""
    layout: ChunkLayout
    inode: int = 0
    """st_ino of the file that they are in: another file of its name would be another collection's."""


class Writer(IntEnum):
    """What the first bytes of a data file say of its writer."""

    ABSENT = 0
    """No such file yet."""
    OPENING = 1
    """There, but cannot be read yet."""
    WRITING = 2
    """A SWMR writer holds it open, or died without closing it."""
    CLOSED = 3


@dataclass(frozen=True, slots=True)
class Writers:
    """What has become of the data files; said whenever it changes, and after every full scan."""

    states: tuple[Writer, ...]
    """One per `FrameMap.files`."""
    was_writing: bool
    """At least one was seen while a SWMR writer held it open."""
    full_scan: bool = True
    """Every readable file has been scanned from first to last row since the state was read."""
    problems: tuple[tuple[int, str], ...] = ()
    """(index into `FrameMap.files`, why it cannot be read, in words), for each file that is there and cannot."""

    @property
    def all_closed(self) -> bool:
        """Whether nothing is to be expected of the files that are there, nor of others."""
        there = [state for state in self.states if state is not Writer.ABSENT]
        closed = bool(there) and all(state is Writer.CLOSED for state in there)
        # files that were never seen growing say nothing of the next one: DECTRIS renames each when it is complete
        return closed and (self.was_writing or len(there) == len(self.states))


@dataclass(frozen=True, slots=True)
class MasterBlocked:
    """The master is there and cannot be read (yet); `Described` says that it can."""

    problem: str
    """Why, in words; empty = it is not there any more."""
    scan: int = 0
    """From 0."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """Another collection is being written under the names of this one; nothing more is said of either."""

    problem: str
    """What has happened to which file, in words."""


Observation: TypeAlias = Described | DetectorRead | MasterBlocked | OnDisk | Superseded | Writers
"""What the watcher's child process says, in any order, but nothing of the files before every scan is `Described`."""
