"""Tiny HDF5 files of detectors, written piece by piece.

Every image is uniform: its pixels are the number of its logical frame, or `NOBODY` where a row holds no frame. So
the bytes at an offset say which frame they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

IMAGE = (4, 6)
"""Pixels, (slow, fast)."""
NOBODY = 9999
"""Pixel value of rows that hold no frame of the master."""
LIBVER = ("v110", "v110")
Axis = tuple[int, int, int, int]
"""start, stride, count, block along the first axis; count 0 = unlimited."""


def image(number: int) -> NDArray[np.uint16]:
    """Pixels of a frame."""
    return np.full(IMAGE, number, np.uint16)


def create_images(file: h5py.File, name: str, rows: int, *, channels: int = 0, growing: bool = False) -> h5py.Dataset:
    """Create a dataset for images, one chunk each."""
    lead: tuple[int, ...] = (rows, channels) if channels else (rows,)
    return file.create_dataset(
        name,
        (*lead, *IMAGE),
        "<u2",
        chunks=(*(1 for _ in lead), *IMAGE),
        maxshape=(None, *lead[1:], *IMAGE) if growing else None,
    )


def write_data(path: Path, numbers: Sequence[int], name: str = "data", *, channels: int = 0) -> None:
    """Write a data file with one image per number; of several channels the second holds it, the others nobody."""
    with h5py.File(path, "w", libver=LIBVER) as file:
        images = create_images(file, name, len(numbers), channels=channels)
        for row, number in enumerate(numbers):
            if not channels:
                images[row] = image(number)
            for c in range(channels):
                images[row, c] = image(number if c == 1 else NOBODY)


def write_metadata(file: h5py.File, frames: int | None, *, definition: bool = True) -> None:
    """Write what an NXmx master says besides its images: a flat detector at 200 mm, 1 angstrom."""
    entry = file.require_group("entry")
    entry.attrs["NX_class"] = "NXentry"
    if definition:
        entry["definition"] = "NXmx"
    instrument = entry.create_group("instrument")
    instrument.attrs["NX_class"] = "NXinstrument"
    beam = instrument.create_group("beam")
    beam.attrs["NX_class"] = "NXbeam"
    beam["incident_wavelength"] = 1.0
    beam["incident_wavelength"].attrs["units"] = "angstrom"
    detector = instrument.create_group("detector")
    detector.attrs["NX_class"] = "NXdetector"
    with_units: dict[str, tuple[Any, str]] = {
        "x_pixel_size": (7.5e-5, "m"),
        "y_pixel_size": (7.5e-5, "m"),
        "beam_center_x": (3.0, "pixel"),
        "beam_center_y": (2.0, "pixel"),
        "detector_distance": (0.2, "m"),
        "sensor_thickness": (4.5e-4, "m"),
        "count_time": (0.01, "s"),
    }
    for name, (value, unit) in with_units.items():
        detector[name] = value
        detector[name].attrs["units"] = unit
    detector["sensor_material"] = "Si"
    detector["saturation_value"] = 60000
    if frames is not None:
        detector["detectorSpecific/nimages"] = frames
        detector["detectorSpecific/ntrigger"] = 1


def _select(space: h5s.SpaceID, axis: Axis, rest: tuple[int, ...]) -> None:
    start, stride, count, block = axis
    space.select_hyperslab(
        (start, *(0 for _ in rest)),
        (count or h5s.UNLIMITED, *(1 for _ in rest)),
        (stride, *(1 for _ in rest)),
        (block, *rest),
    )


def write_virtual(
    file: h5py.File,
    name: str,
    shape: tuple[int, ...],
    pieces: Sequence[tuple[Axis | Sequence[Axis], str, str, Axis | None]],
) -> None:
    """Write a virtual dataset; a piece is (frames, file, dataset, rows); several axes = an irregular selection.

    Rows None = the whole source. A shape that starts with 0 = unlimited.
    """
    rest = shape[1:]
    top = (h5s.UNLIMITED if shape[0] == 0 else shape[0], *rest)
    plist = h5p.create(h5p.DATASET_CREATE)
    for frames, path, dataset, rows in pieces:
        virtual = h5s.create_simple(shape, top)
        axes: Sequence[Axis] = frames if isinstance(frames, list) else [frames]  # type: ignore[list-item]
        _select(virtual, axes[0], rest)
        for start, _stride, _count, block in axes[1:]:
            virtual.select_hyperslab(
                (start, *(0 for _ in rest)), (1,) * len(shape), None, (block, *rest), op=h5s.SELECT_OR
            )
        if rows is None:
            whole = axes[0][3] if axes[0][2] == 0 else virtual.get_select_npoints() // int(np.prod(rest))
            source = h5s.create_simple((whole, *rest))
            source.select_all()
        else:
            source = h5s.create_simple((0 if rows[2] == 0 else 100, *rest), (h5s.UNLIMITED, *rest))
            _select(source, rows, rest)
        plist.set_virtual(virtual, path.encode(), dataset.encode(), source)
    parent = file.require_group(name.rpartition("/")[0] or "/")
    space = h5s.create_simple(shape, top)
    h5d.create(parent.id, name.rpartition("/")[2].encode(), h5t.STD_U16LE, space, plist).close()
