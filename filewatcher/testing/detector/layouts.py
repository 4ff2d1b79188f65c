"""How a master points at its images, one function for each layout.

``diamond``        Odin and nexgen: VDS over ".", through a link in the master, to NAME_000001.h5 (two hops); the mask
                   in NAME_meta.h5.
``dectris``        DECTRIS filewriter, legacy: links data_000001.. to NAME_data_000001.h5, no VDS.
``dectris-2024``   DECTRIS filewriter 2: one VDS of four dimensions [image, channel, slow, fast].
``jungfraujoch``   Jungfraujoch of 2022: image i is in file i % N at row i // N; strided VDS.
``single``         The images inside the master.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import numpy as np

from filewatcher.testing.detector.datafile import LIBVER, create_images
from filewatcher.testing.detector.nexus import write_entry, write_mask
from filewatcher.testing.detector.plan import data_files, master_paths, meta_path
from filewatcher.testing.detector.settings import CHANNELS

if TYPE_CHECKING:
    from filewatcher.testing.detector.settings import Simulation

STAMP = "filewatcher_simulation"
"""Attribute of the master: the settings that it was written for."""


def write_files(sim: Simulation) -> None:
    """Write the master, and Odin's file beside it."""
    mask = None
    if sim.layout == "diamond":
        with h5py.File(meta_path(sim), "x", libver=LIBVER) as meta:
            write_mask(meta, "mask", sim)
        mask = h5py.ExternalLink(meta_path(sim).name, "/mask")
    first = 0
    for path, scan in zip(master_paths(sim), sim.scans, strict=True):
        with h5py.File(path, "x", libver=LIBVER) as master:
            master.attrs[STAMP] = stamp(sim)
            data = write_entry(master, scan, mask)
            if sim.layout == "diamond":
                _diamond(data, sim, range(first, first + scan.n_frames))
            else:
                _LAYOUTS[sim.layout](data, sim)
        first += scan.n_frames


def stamp(sim: Simulation) -> str:
    """Return everything that decides what a master says."""
    fields = (
        "layout",
        "detector",
        "grid",
        "second",
        "oscillation",
        "snaked",
        "step_um",
        "n_frames",
        "channels",
        "seed",
        "frame_time",
        "exposure_time",
    )
    return repr([getattr(sim, name) for name in fields] + [(f.path.name, len(f.frames)) for f in data_files(sim)])


def _diamond(data: h5py.Group, sim: Simulation, frames: range) -> None:
    """Link to all data files, and map those images that are this scan's: a second one begins in the midst of them."""
    layout = h5py.VirtualLayout((len(frames), *sim.model.shape), "<u2")
    for file in data_files(sim):
        link = f"data_{file.number:06d}"
        data[link] = h5py.ExternalLink(file.path.name, file.dataset)
        start = int(file.frames[0])
        mine = range(max(start, frames.start), min(start + len(file.frames), frames.stop))
        if mine:
            source = h5py.VirtualSource(".", f"{data.name}/{link}", (len(file.frames), *sim.model.shape), "<u2")
            layout[mine.start - frames.start : mine.stop - frames.start] = source[
                mine.start - start : mine.stop - start
            ]
    data.create_virtual_dataset("data", layout)
    for axis in ("omega", "sam_x", "sam_y", "sam_z"):
        data[axis] = h5py.SoftLink(f"/entry/sample/transformations/{axis}")


def _dectris(data: h5py.Group, sim: Simulation) -> None:
    for file in data_files(sim):
        data[f"data_{file.number:06d}"] = h5py.ExternalLink(file.path.name, file.dataset)
    data.attrs["signal"] = "data_000001"


def _dectris_2024(data: h5py.Group, sim: Simulation) -> None:
    shape = (sim.channels, *sim.model.shape)
    layout = h5py.VirtualLayout((sim.n_frames, *shape), "<u2")
    for file in data_files(sim):
        source = h5py.VirtualSource(file.path.name, file.dataset, (len(file.frames), *shape), "<u2")
        layout[file.frames[0] : file.frames[-1] + 1] = source
    data.create_virtual_dataset("data", layout)
    data["image_id"] = np.arange(1, sim.n_frames + 1)
    data["channel"] = np.array(CHANNELS[: sim.channels], h5py.string_dtype())
    data.attrs["axes"] = ["image_id", "channel", ".", "."]


def _jungfraujoch(data: h5py.Group, sim: Simulation) -> None:
    files = data_files(sim)
    layout = h5py.VirtualLayout((sim.n_frames, *sim.model.shape), "<u2")
    for file in files:
        source = h5py.VirtualSource(file.path.name, file.dataset, (len(file.frames), *sim.model.shape), "<u2")
        layout[file.number :: len(files)] = source
    data.create_virtual_dataset("data", layout)


def _single(data: h5py.Group, sim: Simulation) -> None:
    (images,) = data_files(sim)
    create_images(data.file, sim, images)


_LAYOUTS = {
    "dectris": _dectris,
    "dectris-2024": _dectris_2024,
    "jungfraujoch": _jungfraujoch,
    "single": _single,
}
