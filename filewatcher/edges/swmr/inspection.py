"""What a master was understood to say, in one look: for people who wonder why a collection is not analysed."""

from __future__ import annotations

import multiprocessing
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filewatcher.errors import Broken, FilewatcherError, Refused

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from filewatcher.core.detector import Detector
    from filewatcher.core.messages import ChunkLayout
    from filewatcher.core.observations import Positions

NAMES = {
    1: "gzip",
    2: "shuffle",
    3: "fletcher32",
    4: "szip",
    32001: "blosc",
    32004: "lz4",
    32008: "bitshuffle",
    32015: "zstd",
    32026: "blosc2",
}
"""Registered HDF5 filters that are seen in this field."""
CODECS = {0: "", 2: "-lz4", 3: "-zstd"}
"""Compression of bitshuffle: its fifth option."""


@dataclass(frozen=True, slots=True)
class InspectedFile:
    """One data file of a master."""

    path: str
    dataset: str
    exists: bool
    state: str
    """absent, opening, writing or closed."""
    frames: int
    """Frames of the master in it."""
    first_frame: int | None
    """Logical frame, from 0; None = it holds none, or that is not known yet."""
    frames_now: int
    """Of these, on disk now."""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class InspectedPositions:
    """Where the sample went, in mm."""

    x: tuple[float, float]
    """Smallest and largest."""
    y: tuple[float, float]
    x_values: int
    """Different values, to 0.1 um."""
    y_values: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a master says, and what is on disk of it now."""

    master: str
    where: str
    """Dataset or group of the images in the master."""
    virtual: bool
    channel: str | None
    frames: int
    open_ended: bool
    frames_now: int
    files: tuple[InspectedFile, ...]
    shape: tuple[int, int] | None
    """Pixels, (slow, fast)."""
    dtype: str | None
    """Of the data files; None while none is there."""
    master_dtype: str | None
    """Of the master's dataset: it need not be the same."""
    filters: tuple[tuple[int, str], ...] | None
    """(number, name), in the order in which they were applied; None while no data file is there."""
    chunk: tuple[int, ...] | None
    """One image; None while no data file is there."""
    detector: Detector | None
    exposure_time: float | None
    """Seconds."""
    positions: Positions | None
    """mm, for a grid."""
    file_system: str
    """Of the first data file, else of the master: ``ext4``, ``nfs4``..."""
    coherent: bool
    """What is written there is seen everywhere at once; else files are opened anew at each poll."""
    warnings: tuple[str, ...]

    @property
    def distance(self) -> float | None:
        """Sample to detector plane, mm."""
        if self.detector is None:
            return None
        f, s, o = self.detector.fast_axis, self.detector.slow_axis, self.detector.origin
        normal = (f[1] * s[2] - f[2] * s[1], f[2] * s[0] - f[0] * s[2], f[0] * s[1] - f[1] * s[0])
        return abs(sum(n * v for n, v in zip(normal, o, strict=True)))

    def as_dict(self) -> dict[str, Any]:
        """For JSON: no arrays, no bytes; the mask is told as the number of its pixels, positions by their range."""
        told = asdict(self) | {"distance": self.distance, "positions": _summary(self.positions)}
        if told["detector"] is not None:
            told["detector"]["mask"] = None if self.detector is None else _masked(self.detector)
        return told


def _summary(positions: Positions | None) -> dict[str, Any] | None:
    if positions is None:
        return None
    x, y = positions.x, positions.y
    return asdict(
        InspectedPositions(
            (float(x.min()), float(x.max())),
            (float(y.min()), float(y.max())),
            len(set(x.round(4).tolist())),
            len(set(y.round(4).tolist())),
        )
    )


def _masked(detector: Detector) -> int | None:
    """Masked pixels."""
    return None if detector.mask is None else sum(byte.bit_count() for byte in zlib.decompress(detector.mask))


def filter_names(layout: ChunkLayout) -> tuple[tuple[int, str], ...]:
    """Number and name of each filter; bitshuffle is named with the compression in it."""
    named = []
    for step in layout.filters:
        name = NAMES.get(step.id, "unknown")
        if step.id == 32008 and len(step.options) > 4:
            name += CODECS.get(step.options[4], "")
        named.append((step.id, name))
    return tuple(named)


def inspect_master(path: Path, channel: str | None = None, *, limit: float = 60.0) -> Inspection:
    """Say what is understood of a master as it is now; takes `limit` seconds at most.

    Raises `Refused` if it does not exist, `Broken` if it makes no sense or cannot be read in that time.
    """
    master = str(Path(path).absolute())
    try:
        Path(master).stat()
    except (FileNotFoundError, NotADirectoryError):
        raise Refused(f"{master} does not exist: give the master file of a collection") from None
    except OSError as error:
        raise Broken(f"{master} cannot be opened: {error.strerror}") from error
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_main, args=(theirs, master, channel), daemon=True)
    process.start()
    theirs.close()
    try:
        answer = mine.recv() if mine.poll(limit) else None
    except EOFError:
        answer = None
    finally:
        process.kill()
        process.join()
        process.close()
        mine.close()
    if isinstance(answer, FilewatcherError):
        raise answer
    if not isinstance(answer, Inspection):
        raise Broken(f"{master} could not be read within {limit:g} s: try h5dump -H on it")
    return answer


def _main(pipe: Connection, master: str, channel: str | None) -> None:
    """The child: libhdf5 is loaded here."""
    from filewatcher.edges.swmr.survey import survey  # noqa: PLC0415

    try:
        pipe.send(survey(master, channel))
    except FilewatcherError as error:
        pipe.send(error)
