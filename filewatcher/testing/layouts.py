"""Tiny collections in every file layout that we read, to prove that each frame is found where it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from filewatcher.testing.tinyfiles import (
    IMAGE,
    LIBVER,
    NOBODY,
    create_images,
    image,
    write_data,
    write_metadata,
    write_virtual,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """A collection on disk."""

    master: Path
    frames: int
    channel: str | None = None
    """To be asked for."""


def _master(folder: Path, frames: int | None, write: Callable[[h5py.File], None]) -> Path:
    path = folder / "scan_master.h5"
    with h5py.File(path, "w", libver=LIBVER) as file:
        write_metadata(file, frames)
        write(file)
    return path


def _pieces(pieces: Sequence[Any], frames: int) -> Callable[[h5py.File], None]:
    return lambda file: write_virtual(file, "entry/data/data", (frames, *IMAGE), pieces)


def direct(folder: Path) -> Layout:
    """Virtual dataset with direct sources."""
    write_data(folder / "a.h5", [0, 1, 2])
    write_data(folder / "b.h5", [3, 4])
    pieces = [((0, 1, 1, 3), "a.h5", "data", (0, 1, 1, 3)), ((3, 1, 1, 2), "b.h5", "data", (0, 1, 1, 2))]
    return Layout(_master(folder, 5, _pieces(pieces, 5)), 5)


def whole_sources(folder: Path) -> Layout:
    """Sources selected as a whole (H5S_ALL)."""
    write_data(folder / "a.h5", [0, 1, 2])
    write_data(folder / "b.h5", [3, 4])
    pieces = [((0, 1, 1, 3), "a.h5", "data", None), ((3, 1, 1, 2), "b.h5", "data", None)]
    return Layout(_master(folder, 5, _pieces(pieces, 5)), 5)


def two_hops(folder: Path) -> Layout:
    """Diamond: sources in the master itself, which are links; one of them a soft link to an external one."""
    (folder / "raw").mkdir()
    write_data(folder / "raw" / "a.h5", [0, 1, 2])
    write_data(folder / "raw" / "b.h5", [3, 4])

    def write(file: h5py.File) -> None:
        _pieces(
            [
                ((0, 1, 1, 3), ".", "/entry/data/data_000001", (0, 1, 1, 3)),
                ((3, 1, 1, 2), ".", "/entry/data/data_000002", (0, 1, 1, 2)),
            ],
            5,
        )(file)
        file["entry/data/data_000001"] = h5py.ExternalLink("raw/a.h5", "/data")
        file["entry/data/data_000002"] = h5py.SoftLink("/entry/aside")
        file["entry/aside"] = h5py.ExternalLink("raw/b.h5", "data")

    return Layout(_master(folder, 5, write), 5)


def second_of_a_pair(folder: Path) -> Layout:
    """Hyperion: the second of two masters over one set of files starts in the middle of the first file."""
    write_data(folder / "a.h5", [NOBODY, NOBODY, 0, 1])
    write_data(folder / "b.h5", [2, 3, NOBODY])
    pieces = [((0, 1, 1, 2), "a.h5", "data", (2, 1, 1, 2)), ((2, 1, 1, 2), "b.h5", "data", (0, 1, 1, 2))]
    return Layout(_master(folder, 4, _pieces(pieces, 4)), 4)


def round_robin(folder: Path) -> Layout:
    """Jungfraujoch 2022: frame i is in file i % 3."""
    for k in range(3):
        write_data(folder / f"w{k}.h5", list(range(k, 8, 3)))
    pieces = [((k, 3, (8 - k + 2) // 3, 1), f"w{k}.h5", "data", (0, 1, (8 - k + 2) // 3, 1)) for k in range(3)]
    return Layout(_master(folder, 8, _pieces(pieces, 8)), 8)


def interleaved_blocks(folder: Path) -> Layout:
    """Odin: two writers take turns, two frames each."""
    write_data(folder / "a.h5", [0, 1, 4, 5])
    write_data(folder / "b.h5", [2, 3, 6, 7])
    pieces = [((0, 4, 2, 2), "a.h5", "data", (0, 1, 1, 4)), ((2, 4, 2, 2), "b.h5", "data", (0, 2, 2, 2))]
    return Layout(_master(folder, 8, _pieces(pieces, 8)), 8)


def irregular(folder: Path) -> Layout:
    """A selection that is no regular hyperslab."""
    write_data(folder / "a.h5", [0, 3, 4])
    write_data(folder / "b.h5", [1, 2])
    pieces = [([(0, 1, 1, 1), (3, 1, 1, 2)], "a.h5", "data", None), ((1, 1, 1, 2), "b.h5", "data", None)]
    return Layout(_master(folder, 5, _pieces(pieces, 5)), 5)


def pattern(folder: Path) -> Layout:
    """One file per block, by a printf pattern, without an end."""
    write_data(folder / "scan_0.h5", [0, 1, 2])
    write_data(folder / "scan_1.h5", [3, 4, NOBODY])
    return Layout(_master(folder, 5, _pieces([((0, 3, 0, 3), "scan_%b.h5", "data", None)], 0)), 5)


def unlimited(folder: Path) -> Layout:
    """Two writers that take turns without an end; the master says how many frames there are."""
    write_data(folder / "a.h5", [0, 2, 4])
    write_data(folder / "b.h5", [1, 3])
    pieces = [((k, 2, 0, 1), f"{'ab'[k]}.h5", "data", (0, 1, 0, 1)) for k in range(2)]
    return Layout(_master(folder, 5, _pieces(pieces, 0)), 5)


def open_ended(folder: Path) -> Layout:
    """As `pattern`, but nobody says how many frames there are."""
    write_data(folder / "scan_0.h5", [0, 1, 2])
    write_data(folder / "scan_1.h5", [3, 4])
    return Layout(_master(folder, None, _pieces([((0, 3, 0, 3), "scan_%b.h5", "data", None)], 0)), 5)


def virtual_of_virtual(folder: Path) -> Layout:
    """Nexgen: the images are a link to a file that is itself virtual, and one of its sources is, too."""
    write_data(folder / "a.h5", [1, 0, 2])
    write_data(folder / "b.h5", [3, 4])
    with h5py.File(folder / "inner.h5", "w", libver=LIBVER) as file:  # puts a.h5 into order
        write_virtual(file, "data", (3, *IMAGE), [
            ((0, 1, 1, 1), "a.h5", "data", (1, 1, 1, 1)), ((1, 1, 1, 1), "a.h5", "data", (0, 1, 1, 1)),
            ((2, 1, 1, 1), "a.h5", "data", (2, 1, 1, 1)),
        ])  # fmt: skip
    with h5py.File(folder / "scan_vds.h5", "w", libver=LIBVER) as file:
        write_virtual(file, "data", (5, *IMAGE), [
            ((0, 1, 1, 3), "inner.h5", "data", None), ((3, 1, 1, 2), "b.h5", "data", None),
        ])  # fmt: skip

    def write(file: h5py.File) -> None:
        file["entry/data/data"] = h5py.ExternalLink("scan_vds.h5", "data")

    return Layout(_master(folder, 5, write), 5)


def _dectris(folder: Path, *, numbered: bool) -> Layout:
    blocks = [[0, 1, 2], [3, 4, 5], [6]]
    for k, numbers in enumerate(blocks, 1):
        path = folder / f"scan_data_{k:06d}.h5"
        write_data(path, numbers, "entry/data/data")
        if numbered:
            with h5py.File(path, "r+") as file:
                file["entry/data/data"].attrs["image_nr_low"] = numbers[0] + 1
                file["entry/data/data"].attrs["image_nr_high"] = numbers[-1] + 1

    def write(file: h5py.File) -> None:
        for k in range(1, 4):
            file[f"entry/data/data_{k:06d}"] = h5py.ExternalLink(f"scan_data_{k:06d}.h5", "/entry/data/data")

    return Layout(_master(folder, 7, write), 7)


def dectris(folder: Path) -> Layout:
    """DECTRIS filewriter, legacy: links, no virtual dataset; the data files say their image numbers."""
    return _dectris(folder, numbered=True)


def dectris_unnumbered(folder: Path) -> Layout:
    """The same, where only the lengths of the files before say which frame is first in a file."""
    return _dectris(folder, numbered=False)


def dectris_channels(folder: Path) -> Layout:
    """DECTRIS filewriter 2024: ``[image, channel, slow, fast]``; the second channel is asked for."""
    write_data(folder / "a.h5", [0, 1], "entry/data/data", channels=3)
    write_data(folder / "b.h5", [2], "entry/data/data", channels=3)

    def write(file: h5py.File) -> None:
        write_virtual(file, "entry/data/data", (3, 3, *IMAGE), [
            ((0, 1, 1, 2), "a.h5", "/entry/data/data", None), ((2, 1, 1, 1), "b.h5", "/entry/data/data", None),
        ])  # fmt: skip
        file["entry/data/channel"] = ["threshold_1", "threshold_2", "difference"]

    return Layout(_master(folder, 3, write), 3, "threshold_2")


def in_the_master(folder: Path) -> Layout:
    """Images in the master itself."""

    def write(file: h5py.File) -> None:
        images = create_images(file, "entry/data/data", 3)
        for k in range(3):
            images[k] = image(k)

    return Layout(_master(folder, 3, write), 3)


def not_chunked(folder: Path) -> Layout:
    """A data file whose images lie one after the other, without chunks."""
    with h5py.File(folder / "a.h5", "w", libver=LIBVER) as file:
        file["data"] = np.stack([image(k) for k in range(4)])
    return Layout(_master(folder, 4, _pieces([((0, 1, 1, 4), "a.h5", "data", None)], 4)), 4)


def by_signal(folder: Path) -> Layout:
    """Images under another name, which an NXdata group gives as its signal."""

    def write(file: h5py.File) -> None:
        images = create_images(file, "entry/eiger/counts", 3)
        for k in range(3):
            images[k] = image(k)
        file["entry/eiger"].attrs.update({"NX_class": "NXdata", "signal": "counts"})

    return Layout(_master(folder, 3, write), 3)


LAYOUTS: dict[str, Callable[[Path], Layout]] = {
    make.__name__: make
    for make in (
        direct, whole_sources, two_hops, second_of_a_pair, round_robin, interleaved_blocks, irregular, pattern,
        unlimited, open_ended, virtual_of_virtual, dectris, dectris_unnumbered, dectris_channels, in_the_master,
        not_chunked, by_signal,
    )
}  # fmt: skip
"""Every layout, by name."""
