"""Which data file holds which frame, who writes it, and when: the arithmetic of Odin and of its kin.

Odin (odin-data, ``Acquisition``): block = frame // frames per file, written by process block % processes, one block
per file; so as many files grow at once as there are writers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from filewatcher.testing.detector.settings import Simulation


@dataclass(frozen=True, slots=True)
class Images:
    """The images of one data file."""

    path: Path
    dataset: str
    """Name in the file."""
    number: int
    """As in the file's name; -1 = the images are in the master."""
    writer: int
    """From 0."""
    frames: NDArray[np.int64]
    """Logical frame of each row, shape (rows,)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One frame that one writer writes."""

    due: float
    """Seconds after the start."""
    frame: int
    file: int
    """Index into `data_files`."""
    row: int


def master_path(sim: Simulation) -> Path:
    """Return the path of the master file, absolute."""
    suffix = ".nxs" if sim.layout in ("diamond", "single") else "_master.h5"
    return sim.directory.absolute() / (sim.name + suffix)


def master_paths(sim: Simulation) -> tuple[Path, ...]:
    """Return the path of the master of each scan."""
    first = master_path(sim)
    return (first, *(first.with_name(f"{sim.name}_second{first.suffix}") for _ in sim.scans[1:]))


def meta_path(sim: Simulation) -> Path:
    """Return the path of Odin's file beside the master, with the mask (layout ``diamond``)."""
    return sim.directory.absolute() / f"{sim.name}_meta.h5"


def data_files(sim: Simulation) -> tuple[Images, ...]:
    """Return all data files of a collection, whether they will come or not."""
    every = np.arange(sim.n_frames)
    folder = sim.directory.absolute()
    if sim.layout == "single":
        return (Images(master_path(sim), "/entry/data/data", -1, 0, every),)
    if sim.layout == "jungfraujoch":
        n = min(sim.writers, sim.n_frames)
        return tuple(
            Images(folder / f"{sim.name}_data_{k:03d}.h5", "/entry/data/data", k, k, every[k::n]) for k in range(n)
        )
    stem, dataset = (sim.name, "/data") if sim.layout == "diamond" else (f"{sim.name}_data", "/entry/data/data")
    size = sim.frames_per_file
    blocks = range(-(-sim.n_frames // size))
    return tuple(
        Images(folder / f"{stem}_{k + 1:06d}.h5", dataset, k + 1, k % sim.writers, every[k * size : (k + 1) * size])
        for k in blocks
    )


def writers(sim: Simulation) -> int:
    """Return how many processes have something to write."""
    return 1 + max(f.writer for f in data_files(sim))


def schedule(sim: Simulation, writer: int) -> list[Step]:
    """Return what one writer writes, in the order in which it does; faults included, but for being killed."""
    faults = sim.faults
    mine = [
        (int(frame), index, row)
        for index, file in enumerate(data_files(sim))
        if file.writer == writer and file.number not in faults.no_file
        for row, frame in enumerate(file.frames)
    ]
    end = sim.n_frames if faults.abort_at is None else faults.abort_at
    mine = sorted(m for m in mine if m[0] < end and m[0] not in faults.gap)
    due = [frame / sim.rate for frame, _, _ in mine]
    if faults.shuffle > 1:
        rng = np.random.default_rng([sim.seed, 3, writer])
        for first in range(0, len(mine), faults.shuffle):
            window = mine[first : first + faults.shuffle]
            mine[first : first + faults.shuffle] = [window[i] for i in rng.permutation(len(window))]
    steps = [
        Step(at + faults.late.get(frame, 0.0), frame, index, row)
        for at, (frame, index, row) in zip(due, mine, strict=True)
    ]
    return sorted(steps, key=lambda step: step.due)
