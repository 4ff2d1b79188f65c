"""From the pairs of selections of a virtual dataset to a `FrameMap`: which row of which file is each logical frame.

An HDF5 virtual dataset is a list of pairs, a selection of its own and one of a source; the k-th element of the
one is the k-th of the other, both in row-major order (HDF5 RFC "Virtual Dataset"). Images are never cut by the layouts
that we read, so only the leading axes matter: ``[image, slow, fast]`` or ``[image, channel, slow, fast]``::

    frames of the virtual dataset      0 1 2 3 4 5      start 0, stride 2, count 3   <- all of a.h5
    rows of a.h5                       0   1   2        start 1, stride 2, count 3   <- all of b.h5
    rows of b.h5                         0   1   2
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from filewatcher.core.framemap import DataFile, FrameMap
from filewatcher.errors import Broken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

PATIENCE = 16
"""Files of a ``%b`` pattern that may be absent in a row before its end is taken to be reached."""


@dataclass(frozen=True, slots=True)
class Slab:
    """Blocks of indices along one axis, in the words of ``H5Sselect_hyperslab``.

    ::

        index                                      0 1 2 3 4 5 6 7 8
        Slab(start=1, stride=3, count=2, block=2)    x x   x x

    >>> Slab(start=1, stride=3, count=2, block=2).indices(9).tolist()
    [1, 2, 4, 5]
    >>> Slab(start=1, stride=3, count=None).indices(9).tolist()
    [1, 4, 7]
    """

    start: int
    stride: int = 1
    count: int | None = 1
    """None = unlimited: as long as the dataset will become."""
    block: int = 1

    def indices(self, stop: int) -> NDArray[np.int64]:
        """Return the indices selected, ascending, in an axis of length ``stop``; only an unlimited slab is cut."""
        n = self.count if self.count is not None else max(0, -(-(stop - self.start) // self.stride))
        blocks = self.start + self.stride * np.arange(n, dtype=np.int64)
        indices = (blocks[:, np.newaxis] + np.arange(self.block, dtype=np.int64)).reshape(-1)
        return indices if self.count is not None else indices[indices < stop]

    def covers(self, length: int) -> bool:
        """Whether every index of an axis of this length is selected."""
        return self.start == 0 and len(self.indices(length)) == length


@dataclass(frozen=True, slots=True)
class Selection:
    """A selection of HDF5: one box, or several in any order (their union), each a `Slab` per axis."""

    boxes: tuple[tuple[Slab, ...], ...] = ()
    """Empty = everything (``H5S_ALL``)."""

    @property
    def unlimited(self) -> bool:
        """Whether it grows with its dataset."""
        return any(slab.count is None for box in self.boxes for slab in box)


ALL = Selection()


@dataclass(frozen=True, slots=True)
class Entry:
    """One pair of a virtual dataset's mapping."""

    virtual: Selection
    file: str
    """Absolute path; may hold ``%b``, the number of the block of an unlimited selection."""
    dataset: str
    """Name in that file; may hold ``%b``."""
    source: Selection

    @property
    def patterned(self) -> bool:
        """Whether it names one source per block."""
        return self.virtual.unlimited and ("%b" in self.file or "%b" in self.dataset)

    def block_name(self, block: int) -> tuple[str, str]:
        """File and dataset of a block of a pattern, as HDF5 spells them (``%%`` is a percent sign)."""
        return _spell(self.file, block), _spell(self.dataset, block)


def _spell(pattern: str, block: int) -> str:
    return "%".join(part.replace("%b", str(block)) for part in pattern.split("%%"))


class _Images(NamedTuple):
    """Whole images of a selection, in row-major order."""

    rows: NDArray[np.int64]
    channels: NDArray[np.int64]


class _Piece(NamedTuple):
    """Images of the virtual dataset, and the image of one source that each of them is."""

    virtual: _Images
    source: _Images
    path: str
    dataset: str


def _images(selection: Selection, shape: tuple[int, ...], where: str) -> _Images:
    """Return (row, channel) of each image selected in a dataset of this shape."""
    lead, image = shape[:-2], shape[-2:]
    if not selection.boxes:
        grid = np.indices(lead, dtype=np.int64).reshape(len(lead), -1)
    else:
        parts = []
        for box in selection.boxes:
            if not (box[-2].covers(image[0]) and box[-1].covers(image[1])):
                raise Broken(
                    f"{where} cuts images of {image[0]} x {image[1]} pixels apart: only whole images can be handed "
                    "out, so ask the beamline for a master whose mapping does not divide them"
                )
            axes = [slab.indices(n) for slab, n in zip(box[:-2], lead, strict=True)]
            # no leading axis: one image per dataset
            parts.append(np.array([axis.reshape(-1) for axis in np.meshgrid(*axes, indexing="ij")], np.int64))
        grid = np.concatenate(parts, axis=1) if lead else np.zeros((0, 1), np.int64)
        if len(parts) > 1:
            grid = np.unique(grid, axis=1)
    nothing = np.zeros(grid.shape[1], np.int64)
    return _Images(grid[0] if len(grid) else nothing, grid[1] if len(grid) > 1 else nothing)


def place(entries: Sequence[Entry], shape: tuple[int, ...], channel: int = 0, *, where: str) -> FrameMap:
    """Return which row holds each frame of a virtual dataset of this shape, (frames, [channels,] slow, fast).

    `where` names the dataset in errors. Raises `Broken` if images are cut apart, a mapping holds none, or frames
    have no source. Of mappings that overlap the last one counts, as for HDF5.
    """
    files: dict[DataFile, int] = {}
    file = np.full(shape[0], -1, np.int32)
    row = np.zeros(shape[0], np.int64)
    for number, entry in enumerate(entries):
        rank = len(entry.source.boxes[0]) if entry.source.boxes else len(shape)
        for virtual, source, path, dataset in _pieces(entry, shape, f"mapping {number} of {where}"):
            wanted = (virtual.channels == channel) & (virtual.rows < shape[0])
            frames, rows, channels = virtual.rows[wanted], source.rows[wanted], source.channels[wanted]
            for index in np.unique(channels):
                mine = channels == index
                target = DataFile(path, dataset, int(index) if rank == 4 else None)
                file[frames[mine]] = files.setdefault(target, len(files))
                row[frames[mine]] = rows[mine]
    _refuse_gaps(file, where)
    return in_order(tuple(files), file, row)


def _pieces(entry: Entry, shape: tuple[int, ...], where: str) -> list[_Piece]:
    """Pair images of the virtual dataset with images of the source; a pattern gives one piece per block."""
    where = f"{where} ({entry.file}:{entry.dataset})"
    if not entry.patterned:
        virtual = _images(entry.virtual, shape, where)
        if not len(virtual.rows) and not entry.virtual.unlimited:
            raise Broken(f"{where} maps no frame: the master was written wrongly")
        return [_Piece(virtual, _partners(entry, virtual, shape, where), entry.file, entry.dataset)]
    box = entry.virtual.boxes[0]
    pieces = []
    for block, start in enumerate(range(box[0].start, shape[0], box[0].stride)):
        one = Selection(((Slab(start, 1, 1, box[0].block), *box[1:]),))
        virtual = _images(one, shape, where)
        pieces.append(_Piece(virtual, _partners(entry, virtual, shape, where), *entry.block_name(block)))
    return pieces


def _partners(entry: Entry, virtual: _Images, shape: tuple[int, ...], where: str) -> _Images:
    """Images of the source, one for each of the virtual dataset's.

    A mapping does not say how large its source is (h5py gives back the bounds of the selection), but images are
    whole, so theirs have the virtual dataset's shape.
    """
    n = len(virtual.rows)
    if not entry.source.boxes:  # everything: as many channels as are mapped, as many rows as are needed
        channels = max(1, len(np.unique(virtual.channels)))
        return _images(ALL, (-(-n // channels), channels, *shape[-2:]), where)
    box = entry.source.boxes[0]
    rows = box[0].start + box[0].stride * n + box[0].block if len(box) > 2 else 0
    source = _images(entry.source, ((rows, 0)[: len(box) - 2] + shape[-2:]), where)
    if entry.virtual.unlimited or entry.source.unlimited:
        source = _Images(source.rows[:n], source.channels[:n])
    if len(source.rows) != n:
        raise Broken(f"{where} pairs {n} images with {len(source.rows)}: the master was written wrongly")
    return source


def _refuse_gaps(file: NDArray[np.int32], where: str) -> None:
    missing = np.flatnonzero(file < 0)
    if len(missing):
        breaks = np.flatnonzero(np.diff(missing) > 1)
        last = missing[breaks[0]] if len(breaks) else missing[-1]
        raise Broken(
            f"{where} leaves {len(missing)} of {len(file)} frames without a source, the first are {missing[0]} to "
            f"{last} (counted from 0): the master was written wrongly"
        )


def in_order(files: tuple[DataFile, ...], file: NDArray[np.int32], row: NDArray[np.int64]) -> FrameMap:
    """Return the map with its files in the order of their first logical frame; those without one are dropped."""
    used, first = np.unique(file[file >= 0], return_index=True)
    order = used[np.argsort(np.flatnonzero(file >= 0)[first])] if len(used) else used
    rank = np.full(len(files) + 1, -1, np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return FrameMap(tuple(files[i] for i in order), rank[file], row)


def reach(entries: Sequence[Entry], rows_in: Callable[[str, str], int | None]) -> int:
    """Return how many frames a mapping without an end holds now.

    ``rows_in(file, dataset)`` = length of a source's first axis, None where there is no such source yet.
    """
    return max((_reach(entry, rows_in) for entry in entries), default=0)


def _reach(entry: Entry, rows_in: Callable[[str, str], int | None]) -> int:
    slab = entry.virtual.boxes[0][0] if entry.virtual.boxes else Slab(0)
    if not entry.virtual.unlimited:
        return int(slab.indices(0).max(initial=-1)) + 1
    if not entry.patterned:
        length = rows_in(entry.file, entry.dataset) or 0
        n = len(entry.source.boxes[0][0].indices(length)) if entry.source.boxes else length
        if not n:
            return 0
        whole, within = divmod(n - 1, slab.block)
        return slab.start + slab.stride * whole + within + 1
    end, absent = 0, 0
    for number in count():
        rows = rows_in(*entry.block_name(number))
        absent = 0 if rows else absent + 1
        if rows:
            end = slab.start + slab.stride * number + min(rows, slab.block)
        if absent == PATIENCE:
            break
    return end
