"""What to simulate: settings and faults, checked before anything is touched."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from filewatcher.errors import Refused
from filewatcher.testing.detector.models import MODELS, Model

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LAYOUTS = ("diamond", "dectris", "dectris-2024", "jungfraujoch", "single")
"""How the files of a collection are laid out; `filewatcher.testing.detector.layouts` says what each means."""

CHANNELS = ("threshold_1", "threshold_2", "difference")
"""Names along the channel axis of the ``dectris-2024`` layout."""


MOST_FRAMES = 10_000_000
"""Of one simulation."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong; all frames are logical ones, from 0."""

    abort_at: int | None = None
    """Frames of this number and later are not written; all files are closed properly."""
    gap: tuple[int, ...] = ()
    """Frames never written."""
    shuffle: int = 0
    """Frames of one writer come out of order within windows of this many; 0 = in order."""
    hold: bool = False
    """Files stay open after the last frame until the simulation is told to stop."""
    late: Mapping[int, float] = field(default_factory=dict)
    """Frame -> seconds by which it is written late; the others do not wait for it."""
    corrupt: tuple[int, ...] = ()
    """Frames whose bytes are damaged: they cannot be decompressed."""
    no_file: tuple[int, ...] = ()
    """Data files that never come, numbered as in their names."""
    kill: int | None = None
    """Instead of writing this frame its writer dies without closing its files."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """A grid scan of a simulated detector.

    Raises `Refused` with one sentence where a setting makes no sense.
    """

    directory: Path
    """Where the files go; made if it is not there."""
    name: str = "grid"
    """First part of every file's name."""
    layout: str = "diamond"
    """One of `LAYOUTS`."""
    detector: str = "eiger2-4m"
    """One of `MODELS`."""
    grid: tuple[int, int] = (20, 15)
    """Columns, rows."""
    second: tuple[int, int] | None = None
    """Columns, rows of a second grid, a quarter turn further: the detector is armed once for both (``diamond``)."""
    turn: int = 0
    """Quarter turns of omega."""
    oscillation: float = 0.0
    """Degrees per frame; more than 0 = a rotation instead of a grid scan, of as many frames as the grid has cells."""
    snaked: bool = True
    """Every second row runs backwards."""
    step_um: float = 20.0
    """Micrometres between neighbouring cells."""
    rate: float = 50.0
    """Frames per second; infinity = as fast as the disk takes them."""
    exposure: float | None = None
    """Seconds; None = all the time there is between two frames."""
    writers: int = 4
    """Processes; ``single`` always has one, ``jungfraujoch`` one file for each."""
    frames_per_file: int = 1000
    """Of no meaning for ``single`` and ``jungfraujoch``."""
    frames: int | None = None
    """None = one for every cell; fewer leave the last cells out."""
    channels: int = 1
    """Of an image, for ``dectris-2024``: the first so many of `CHANNELS`."""
    crystals: int = 1
    """1 or 2."""
    crystal_at: tuple[float, float] = (0.45, 0.55)
    """Middle of the first one, in parts of the grid: 0 = middle of the first column or row, 1 = of the last."""
    levels: int = 6
    """Distinct images of each crystal, from weak to strong."""
    seed: int = 0
    """The same seed makes the same bytes."""
    faults: Faults = field(default_factory=Faults)
    notes: Path | None = None
    """A file of float64, one per frame: when each was put down and flushed (monotonic clock, seconds)."""
    overwrite: bool = False
    """Remove an earlier simulation of this name; without it, one is refused."""

    def __post_init__(self) -> None:
        for sentence in (
            *_wrong_words(self),
            *_wrong_scan(self),
            *_wrong_counts(self),
            *_wrong_faults(self),
            *_wrong_files(self),
        ):
            raise Refused(sentence)

    @property
    def n_frames(self) -> int:
        """Frames in all: what the masters promise."""
        if self.frames is not None:
            return self.frames
        return math.prod(self.grid) + (0 if self.second is None else math.prod(self.second))

    @property
    def scans(self) -> tuple[Simulation, ...]:
        """Return each grid as a simulation of its own; they follow each other in the data files."""
        if self.second is None:
            return (self,)
        alone = replace(self, second=None, faults=Faults())
        return alone, replace(alone, grid=self.second, turn=self.turn + 1)

    @property
    def model(self) -> Model:
        """The detector."""
        return MODELS[self.detector]

    @property
    def frame_time(self) -> float:
        """Seconds from one frame to the next, as the master says."""
        if math.isinf(self.rate):
            return self.exposure or 0.002
        return 1.0 / self.rate

    @property
    def exposure_time(self) -> float:
        """Seconds of a frame in which photons are counted."""
        return self.exposure or self.frame_time


def _wrong_words(sim: Simulation) -> Iterator[str]:
    if not re.fullmatch(r"[A-Za-z0-9][\w.+-]*", sim.name):
        yield f"name {sim.name!r}: use letters, digits and . _ + - only, beginning with a letter or digit"
    if sim.layout not in LAYOUTS:
        yield f"layout {sim.layout!r} is not known: choose one of {', '.join(LAYOUTS)}"
    if sim.detector not in MODELS:
        yield f"detector {sim.detector!r} is not known: choose one of {', '.join(MODELS)}"


def _wrong_scan(sim: Simulation) -> Iterator[str]:
    if min(sim.grid) < 1:
        yield f"grid {sim.grid[0]}x{sim.grid[1]} has no cells: give columns x rows, each at least 1"
    if math.prod(sim.grid) > MOST_FRAMES:
        yield f"grid {sim.grid[0]}x{sim.grid[1]} has {math.prod(sim.grid)} cells: give at most {MOST_FRAMES}"
    if sim.frames is not None and not 1 <= sim.frames <= sim.grid[0] * sim.grid[1]:
        yield f"frames={sim.frames} does not fit a grid of {sim.grid[0]}x{sim.grid[1]}: give 1 to {math.prod(sim.grid)}"
    if sim.second is not None:
        yield from _wrong_second(sim, sim.second)
    if not sim.rate > 0:
        yield f"rate {sim.rate:g} Hz: give a number above 0, or inf for as fast as possible"
    if not (math.isfinite(sim.step_um) and sim.step_um > 0):
        yield f"step {sim.step_um:g} um: give a number above 0"
    if not (math.isfinite(sim.oscillation) and sim.oscillation >= 0) or (sim.oscillation and sim.second is not None):
        yield f"oscillation {sim.oscillation:g}: give degrees per frame, 0 for a grid scan, and no second grid"
    if sim.exposure is not None and not 0 < sim.exposure <= (math.inf if math.isinf(sim.rate) else sim.frame_time):
        yield f"exposure {sim.exposure:g} s does not fit a rate of {sim.rate:g} Hz: give at most {sim.frame_time:g} s"


def _wrong_second(sim: Simulation, second: tuple[int, int]) -> Iterator[str]:
    if min(second) < 1 or math.prod(second) > MOST_FRAMES:
        yield f"second grid {second[0]}x{second[1]}: give columns x rows, at least 1 and at most {MOST_FRAMES} cells"
    if sim.layout != "diamond" or sim.frames is not None:
        yield f"a second grid needs the layout diamond (this is {sim.layout}) and all its frames: leave frames out"


def _wrong_counts(sim: Simulation) -> Iterator[str]:
    for word, value, most in (
        ("writers", sim.writers, 64),
        ("frames_per_file", sim.frames_per_file, 10**9),
        ("crystals", sim.crystals, 2),
        ("levels", sim.levels, 64),
        ("channels", sim.channels, len(CHANNELS)),
    ):
        if not 1 <= value <= most:
            yield f"{word}={value}: give 1 to {most}"
    if sim.channels > 1 and sim.layout != "dectris-2024":
        yield f"channels={sim.channels}: the layout {sim.layout} has one; only dectris-2024 has more"
    if not all(0 <= part <= 1 for part in sim.crystal_at):
        yield f"crystal at {sim.crystal_at[0]:g},{sim.crystal_at[1]:g}: give parts of the grid, 0 to 1"
    if sim.seed < 0:
        yield f"seed={sim.seed}: give 0 or more"


def _wrong_faults(sim: Simulation) -> Iterator[str]:
    faults = sim.faults
    named = {
        "gap": faults.gap,
        "late": tuple(faults.late),
        "corrupt": faults.corrupt,
        "kill": () if faults.kill is None else (faults.kill,),
    }
    for word, frames in named.items():
        for frame in frames:
            if not 0 <= frame < sim.n_frames:
                yield f"{word}: there is no frame {frame}; frames are 0 to {sim.n_frames - 1}"
    if faults.abort_at is not None and not 0 <= faults.abort_at <= sim.n_frames:
        yield f"abort_at={faults.abort_at}: give 0 to {sim.n_frames}, the frames of the scan"
    if faults.shuffle < 0:
        yield f"shuffle={faults.shuffle}: give 0, or how many neighbours may change places"
    for frame, seconds in faults.late.items():
        if not (math.isfinite(seconds) and seconds >= 0):
            yield f"late: frame {frame} by {seconds} s; give 0 or more seconds"


def _wrong_files(sim: Simulation) -> Iterator[str]:
    faults = sim.faults
    for number in faults.no_file:
        if number < 0 or (number == 0 and sim.layout != "jungfraujoch"):
            yield f"no_file: there is no data file {number}; give the numbers in the files' names"
    if faults.no_file and sim.layout == "single":
        yield "no_file: the layout single has no data files; leave it out or choose another layout"
