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
from filewatcher.testing.detector.plan import data_files, master_path, meta_path
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
    with h5py.File(master_path(sim), "x", libver=LIBVER) as master:
        master.attrs[STAMP] = stamp(sim)
        _LAYOUTS[sim.layout](write_entry(master, sim, mask), sim)


def stamp(sim: Simulation) -> str:
    """Return everything that decides what a master says."""
    fields = (
        "layout",
        "detector",
        "grid",
        "snaked",
        "step_um",
        "n_frames",
        "channels",
        "seed",
        "frame_time",
        "exposure_time",
    )
    return repr([getattr(sim, name) for name in fields] + [(f.path.name, len(f.frames)) for f in data_files(sim)])


def _diamond(data: h5py.Group, sim: Simulation) -> None:
    layout = h5py.VirtualLayout((sim.n_frames, *sim.model.shape), "<u2")
    for file in data_files(sim):
        link = f"data_{file.number:06d}"
        data[link] = h5py.ExternalLink(file.path.name, file.dataset)
        source = h5py.VirtualSource(".", f"{data.name}/{link}", (len(file.frames), *sim.model.shape), "<u2")
        layout[file.frames[0] : file.frames[-1] + 1] = source
    data.create_virtual_dataset("data", layout)
    for axis in ("omega", "sam_x", "sam_y"):
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
    "diamond": _diamond,
    "dectris": _dectris,
    "dectris-2024": _dectris_2024,
    "jungfraujoch": _jungfraujoch,
    "single": _single,
}
