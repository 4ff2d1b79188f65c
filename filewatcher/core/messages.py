"""The words: what the parts of filewatcher say to each other.

All are frozen; under every field stands its unit, its shape and where it counts from. A *logical frame* (``frame``)
is counted from 0 in acquisition order within its *scan*; the field's own ``file-number`` is ``frame + 1``.

The life of a frame reads, from top to bottom: `FrameSource` (where it will be), `FrameReady` (it is there),
then exactly one of `FrameResult`, `FrameFailed`, `FrameMissing`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable


class State(IntEnum):
    """Where a frame stands; the values are those of the ``state`` datasets in ``results.h5``."""

    WAITING = 0
    """Not on disk yet, or not analysed yet."""
    DONE = 1
    FAILED = 2
    MISSING = 3

    @property
    def word(self) -> str:
        """The state as the JSON lines write it."""
        return self.name.lower()


# ---- what the files say -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Filter:
    """One step of an HDF5 filter pipeline."""

    id: int
    """Registered HDF5 filter number, e.g. 32008 for bitshuffle."""
    options: tuple[int, ...] = ()
    """Client data values, as stored in the dataset's creation properties."""


@dataclass(frozen=True, slots=True)
class ChunkLayout:
    """How the bytes of one image are stored: the same for every image of a data file."""

    shape: tuple[int, int]
    """Pixels, (slow, fast)."""
    dtype: str
    """numpy dtype with byte order, e.g. ``<u2``: the source dataset's, never the VDS's."""
    filters: tuple[Filter, ...]
    """In the order in which the writer applied them; empty = not compressed."""


@dataclass(frozen=True, slots=True)
class FrameSource:
    """Where one logical frame lives, known from the master before anything is written."""

    path: str
    """Data file, absolute."""
    dataset: str
    """Name in that file."""
    row: int
    """Index along the dataset's first axis, from 0."""


class FrameReady(NamedTuple):
    """A frame is on disk: everything that a worker needs to read it with one ``pread``.

    A bare tuple, as `observations.OnDisk`: there are thousands a second.
    """

    scan: int
    """From 0."""
    frame: int
    """Logical frame, from 0."""
    path: str
    """Data file, absolute."""
    offset: int
    """Bytes from the start of the file."""
    size: int
    """Stored bytes."""
    filter_mask: int
    """Bit i set: filter i of the pipeline was skipped for this chunk."""
    layout: ChunkLayout
    row: int = 0
    """Index along the dataset's first axis, from 0: batches are contiguous in it."""


# ---- what the core decides --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FrameMissing:
    """A frame will not be analysed because it never came."""

    scan: int
    """From 0."""
    frame: int
    """Logical frame, from 0."""
    reason: str


@dataclass(frozen=True, slots=True)
class ScanEnded:
    """Nothing more will be announced for this scan."""

    scan: int
    """From 0."""
    expected: int
    """Frames selected: done + failed + missing in the end."""
    seen: int
    """Of these, frames announced as ready."""
    reason: str
    """``complete``, or why the waiting stopped."""


Event: TypeAlias = FrameReady | FrameMissing | ScanEnded


# ---- what the workers say ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Statistics:
    """The numbers of one image, named as in DIALS's per-image analysis; -1.0 = too few spots to say."""

    n_spots_total: int
    n_spots_no_ice: int
    n_spots_4A: int  # noqa: N815  the field's own spelling
    """Spots with d > 4 angstrom."""
    total_intensity: float
    """Counts, summed over the spots outside ice rings."""
    estimated_d_min: float
    """Angstrom."""
    d_min_distl_method_1: float
    """Angstrom."""
    d_min_distl_method_2: float
    """Angstrom."""
    noisiness_method_1: float
    noisiness_method_2: float
    n_strong_pixels: int
    """Thresholded pixels, before any spot filter."""


METRICS: tuple[str, ...] = tuple(f.name for f in fields(Statistics))
"""Names of the numbers, in the order of the JSON line."""

numbers_of: Callable[[Statistics], tuple[float, ...]] = attrgetter(*METRICS)
"""The numbers themselves, in that order; ``dataclasses.asdict`` takes a hundred times as long."""

COUNTS: frozenset[str] = frozenset({"n_spots_total", "n_spots_no_ice", "n_spots_4A", "n_strong_pixels"})
"""Those that are whole numbers."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A number of a frame on which real DIALS and the engine of the run do not agree."""

    number: str
    """Its name, or ``error`` where only one of the two failed."""
    ours: float | str | None
    dials: float | str | None


@dataclass(frozen=True, slots=True)
class FrameResult:
    """A frame was analysed."""

    scan: int
    """From 0."""
    frame: int
    """Logical frame, from 0."""
    statistics: Statistics
    engine: str
    """``native`` or ``dials``."""
    attempts: int = 1
    """How often it was sent to a worker, this time included."""
    verified: tuple[Disagreement, ...] | None = None
    """On what real DIALS disagrees, empty = on nothing; None = it was not asked."""


@dataclass(frozen=True, slots=True)
class FrameFailed:
    """A frame is on disk and cannot be analysed."""

    scan: int
    """From 0."""
    frame: int
    """Logical frame, from 0."""
    reason: str
    attempts: int = 1
    verified: tuple[Disagreement, ...] | None = None
    """As of a result: does DIALS fail too?"""


Outcome: TypeAlias = FrameResult | FrameFailed | FrameMissing
"""How a frame ends, exactly once."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a journal keeps of a frame: how it ended, and for which bytes that is true."""

    outcome: FrameResult | FrameFailed
    place: str
    """`place_of` the bytes that were analysed."""


def place_of(frame: FrameReady) -> str:
    """Where a frame's bytes are; a file that is written anew has them elsewhere, or has more or fewer of them."""
    return f"{frame.path}:{frame.offset}+{frame.size}"
