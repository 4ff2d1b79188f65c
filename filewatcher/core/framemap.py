"""Which file, dataset and row holds which logical frame: the inversion of a mapping."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.messages import FrameSource

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class DataFile:
    """One data file of a collection."""

    path: str
    """Absolute."""
    dataset: str
    """Name of the images in it."""
    channel: int | None = None
    """Index along the second axis of a 4-D dataset ``[image, channel, slow, fast]``; None = 3-D."""


@dataclass(frozen=True)
class FrameMap:
    """Logical frame -> row of a data file, and back.

    A row may hold no frame (a master that starts late), one, or several (a master that shows it twice).
    """

    files: tuple[DataFile, ...]
    """In the order of their first logical frame."""
    file: NDArray[np.int32]
    """Index into `files`, shape (frames,); -1 = not known yet (DECTRIS: until the data file can be asked)."""
    row: NDArray[np.int64]
    """Index along the dataset's first axis, shape (frames,); from 0."""
    open_ended: bool = False
    """More frames than these may come: the master does not say how many."""

    def __len__(self) -> int:
        """Logical frames known."""
        return len(self.file)

    def source(self, frame: int) -> FrameSource | None:
        """Where a logical frame will be; None while that is not known."""
        index = int(self.file[frame])
        if index < 0:
            return None
        return FrameSource(self.files[index].path, self.files[index].dataset, int(self.row[frame]))

    @cached_property
    def _by_file(self) -> dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Per file: rows, ascending, and the logical frame of each."""
        tables = {}
        for index in range(len(self.files)):
            frames = np.flatnonzero(self.file == index)
            order = np.argsort(self.row[frames], kind="stable")
            tables[index] = (self.row[frames][order], frames[order])
        return tables

    def frames_at(self, file: int, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (which, frames): logical frame ``frames[i]`` is in ``rows[which[i]]`` of a file.

        Rows without a frame do not appear; a row with two frames appears twice.
        """
        table, frames = self._by_file[file]
        first = np.searchsorted(table, rows, side="left")
        last = np.searchsorted(table, rows, side="right")
        count = last - first
        which = np.repeat(np.arange(len(rows)), count)
        start = np.repeat(first - np.concatenate([[0], np.cumsum(count)[:-1]]), count) if len(rows) else first
        return which, frames[start + np.arange(len(which))]
