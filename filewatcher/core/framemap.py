"""Which file, dataset and row holds which logical frame: the inversion of a mapping."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from filewatcher.core.messages import FrameSource

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    def _tables(self) -> list[Straight | dict[int, list[int]]]:
        """Per file: which row holds which logical frames."""
        order = np.argsort(self.file, kind="stable")
        bounds = np.searchsorted(self.file[order], np.arange(len(self.files) + 1))
        return [_table(self.row[order[a:z]], order[a:z]) for a, z in pairwise(bounds.tolist())]

    def frames_of(self, file: int, row: int) -> Sequence[int]:
        """Return the logical frames that a row of a file holds: none, one, or several."""
        table = self._tables[file]
        if isinstance(table, dict):
            return table.get(row, ())
        return (row + table.shift,) if table.first <= row < table.stop else ()

    def straight(self, file: int) -> Straight | None:
        """Return the rows of a file that hold frames where these follow each other alike; None where they do not."""
        table = self._tables[file]
        return None if isinstance(table, dict) else table


class Straight(NamedTuple):
    """Rows that follow each other as their frames do: nearly every file."""

    first: int
    """Row."""
    stop: int
    """Row after the last one."""
    shift: int
    """From a row to its frame."""


def _table(rows: NDArray[np.int64], frames: NDArray[np.int64]) -> Straight | dict[int, list[int]]:
    if not len(rows):
        return {}
    if (np.diff(rows) == 1).all() and (np.diff(frames) == 1).all():
        return Straight(int(rows[0]), int(rows[-1]) + 1, int(frames[0] - rows[0]))
    table: dict[int, list[int]] = {}
    for row, frame in zip(rows.tolist(), frames.tolist(), strict=True):
        table.setdefault(row, []).append(frame)
    return table
