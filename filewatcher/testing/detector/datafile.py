"""Data files as the detectors' own writers make them: by SWMR, or complete at once by rename."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import h5py
import hdf5plugin

if TYPE_CHECKING:
    from pathlib import Path

    from filewatcher.testing.detector.plan import Images
    from filewatcher.testing.detector.settings import Simulation

LIBVER = ("v110", "v110")
"""The oldest file format with SWMR and VDS: DIALS of Debian 12 reads it (HDF5 1.10)."""


class DataFile(Protocol):
    """An open data file."""

    def put(self, row: int, chunks: tuple[bytes, ...]) -> None:
        """Store one image, one compressed chunk per channel."""

    def close(self) -> None:
        """Finish the file."""


def open_data_file(sim: Simulation, images: Images) -> DataFile:
    """Create a data file as its layout wants it; for ``single``, open the master for more."""
    if sim.layout.startswith("dectris"):
        return _Renamed(sim, images)
    return _Swmr(sim, images)


def create_images(where: h5py.Group, sim: Simulation, images: Images) -> h5py.Dataset:
    """Create the dataset of a data file: full extent from the start, one chunk for each image and channel."""
    channels = (sim.channels,) if sim.layout == "dectris-2024" else ()
    return where.create_dataset(
        images.dataset,
        shape=(len(images.frames), *channels, *sim.model.shape),
        chunks=(1, *(1 for _ in channels), *sim.model.shape),
        dtype="<u2",
        **hdf5plugin.Bitshuffle(cname="lz4"),
    )


class _Swmr:
    """Odin: readers see a frame as soon as it is flushed, which is after each.

    The file is opened with HDF5's default file locks, as Odin does: a reader that locks does its harm here too.
    """

    def __init__(self, sim: Simulation, images: Images) -> None:
        if sim.layout == "single":
            self._file = h5py.File(images.path, "r+", libver=LIBVER)
            self._data = self._file[images.dataset]
        else:
            self._file = h5py.File(images.path, "x", libver=LIBVER)
            self._data = create_images(self._file, sim, images)
        self._file.swmr_mode = True

    def put(self, row: int, chunks: tuple[bytes, ...]) -> None:
        (chunk,) = chunks
        self._data.id.write_direct_chunk((row, 0, 0), chunk)
        self._data.flush()

    def close(self) -> None:
        self._file.close()


class _Renamed:
    """DECTRIS filewriter: a file is fetched from the detector when it is complete; nobody sees it grow."""

    def __init__(self, sim: Simulation, images: Images) -> None:
        self._path: Path = images.path
        self._part = images.path.with_name(f".{images.path.name}.part")
        self._first = int(images.frames[0])
        self._rows = 0
        self._file = h5py.File(self._part, "w", libver="earliest")
        self._data = create_images(self._file, sim, images)

    def put(self, row: int, chunks: tuple[bytes, ...]) -> None:
        for channel, chunk in enumerate(chunks):
            place = (row, channel) if self._data.ndim == 4 else (row,)
            self._data.id.write_direct_chunk((*place, 0, 0), chunk)
        self._rows = max(self._rows, row + 1)

    def close(self) -> None:
        if not self._rows:
            self._file.close()
            self._part.unlink()
            return
        self._data.resize(self._rows, axis=0)  # after an abort it holds what there is
        self._data.attrs["image_nr_low"] = self._first + 1
        self._data.attrs["image_nr_high"] = self._first + self._rows
        self._file.close()
        self._part.rename(self._path)
