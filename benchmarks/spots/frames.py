"""Frames to analyse: simulated detectors at several strengths and backgrounds, in a master that DIALS reads too."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import h5py
import hdf5plugin
import numpy as np

from filewatcher.edges.swmr.detector import read_detector
from filewatcher.edges.swmr.images import find_images
from filewatcher.edges.swmr.tree import Tree
from filewatcher.testing.detector import Simulation, master_path
from filewatcher.testing.detector.datafile import LIBVER
from filewatcher.testing.detector.images import Camera
from filewatcher.testing.detector.models import MASKED, MODELS
from filewatcher.testing.detector.nexus import write_entry
from filewatcher.testing.detector.sample import Still
from spotfinding.chunks import Chunk, Layout
from spotfinding.detector import Detector

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Kind:
    """What a frame shows."""

    name: str
    strength: float
    """0 to 1, the diffracting volume in the beam."""
    background: float | None = None
    """Mean counts per pixel; None = as the simulator has it, a third of a count."""


KINDS = (
    Kind("blank", 0.0),
    Kind("weak", 0.05),
    Kind("strong", 1.0),
    Kind("background 1", 1.0, 1.0),
    Kind("background 10", 1.0, 10.0),
    Kind("background 100", 1.0, 100.0),
)


@dataclass(frozen=True)
class Bright(Camera):
    """A detector with more background."""

    mean: float
    """Counts per pixel."""

    @cached_property
    def background(self) -> NDArray[np.float64]:
        """Expected counts per pixel without a crystal."""
        usual = Camera(self.model, self.seed).background
        return usual * (self.mean / float(usual.mean()))


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of one master."""

    master: str
    detector: Detector
    layout: Layout
    chunks: tuple[Chunk, ...]
    kinds: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """What `from_json` reads; the mask as text."""
        values = asdict(self)
        values["detector"]["mask"] = self.detector.mask.hex() if self.detector.mask else None
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Frames:
        """Return what was written; lists in it become the tuples that they were."""
        detector: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values["detector"].items()}
        if detector["mask"] is not None:
            detector["mask"] = bytes.fromhex(detector["mask"])
        slow, fast = values["layout"]["shape"]
        filters = tuple((number, tuple(options)) for number, options in values["layout"]["filters"])
        return cls(
            values["master"],
            Detector(**detector),
            Layout((slow, fast), values["layout"]["dtype"], filters),
            tuple(Chunk(**{**chunk, "roots": tuple(chunk["roots"])}) for chunk in values["chunks"]),
            tuple(values["kinds"]),
        )


def write_frames(folder: Path, detector: str, bits: int, kinds: tuple[Kind, ...]) -> Frames:
    """Simulate a frame of each kind, with pixels of 16 or 32 bits, into a master of their own."""
    name = f"{detector}-{bits}"
    sim = Simulation(folder, name=name, layout="single", detector=detector, grid=(len(kinds), 1), rate=math.inf)
    path, dtype = master_path(sim), np.dtype(f"<u{bits // 8}")
    with h5py.File(path, "x", libver=LIBVER) as file:
        data = write_entry(file, sim, None)
        for depth in ("bit_depth_image", "bit_depth_readout"):
            file[f"/entry/instrument/detector/{depth}"][()] = bits
        images = data.create_dataset(
            "data",
            shape=(len(kinds), *sim.model.shape),
            chunks=(1, *sim.model.shape),
            dtype=dtype,
            **hdf5plugin.Bitshuffle(cname="lz4"),
        )
        for row, kind in enumerate(kinds):
            images[row] = _image(detector, kind, dtype)
        file.flush()
        number, _, options, _ = images.id.get_create_plist().get_filter(0)
        places = [images.id.get_chunk_info_by_coord((row, 0, 0)) for row in range(len(kinds))]
    with Tree(str(path)) as tree:
        found = asdict(read_detector(tree, find_images(tree), dtype.str).detector)
    return Frames(
        str(path),
        Detector(**found),
        Layout(sim.model.shape, dtype.str, ((number, tuple(options)),)),
        tuple(Chunk(str(path), place.byte_offset, place.size) for place in places),
        tuple(kind.name for kind in kinds),
    )


def _image(detector: str, kind: Kind, dtype: np.dtype[Any]) -> NDArray[Any]:
    """One frame; what the detector marks has the largest value of the type."""
    seed = 0
    model = MODELS[detector]
    camera = Camera(model, seed) if kind.background is None else Bright(model, seed, kind.background)
    crystal = 0 if kind.strength > 0 else -1
    image = camera.image(Still(crystal, kind.strength), number=1)
    wide: NDArray[Any] = image.astype(dtype)
    wide[image == MASKED] = np.iinfo(dtype).max
    return wide
