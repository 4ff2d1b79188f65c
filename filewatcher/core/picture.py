"""One number of every cell of a grid scan, as far as it is known: what a heat map shows and a centre is found in.

A cell is *known* once its frame is done. A failed, missing, waiting or not selected frame leaves it unknown, which is
not zero. A known cell may still have no value: too few spots to say a resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.messages import METRICS, FrameResult, State
from filewatcher.core.report import ESTIMATED
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filewatcher.core.grid import Grid
    from filewatcher.core.messages import Outcome
    from filewatcher.core.report import ScanReport


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What is known at one moment; never changes."""

    grid: Grid
    metric: str
    """A name in `METRICS`."""
    values: NDArray[np.float64]
    """Shape (rows, columns), row 0 = top; NaN where not known, or too few spots to say."""
    known: NDArray[np.bool_]
    """Shape (rows, columns): the frame is done."""
    version: int = 0
    """Grows with every change of a `LivePicture`."""

    @property
    def coverage(self) -> float:
        """Fraction of the cells that are known, 0 to 1."""
        return float(np.count_nonzero(self.known) / self.known.size)


class LivePicture:
    """A picture that takes outcomes as they come, each in constant time; the first of a frame stays.

    Single writer: everyone else reads what `picture` returns.

    >>> from filewatcher.core.grid import Grid
    >>> from filewatcher.core.messages import FrameMissing
    >>> live = LivePicture(Grid(3, 2, snaked=True), "n_spots_total")
    >>> live.record(FrameMissing(0, 0, "never came")), live.record(FrameMissing(0, 0, "never came"))
    (True, False)
    >>> live.picture().coverage
    0.0
    """

    def __init__(self, grid: Grid, metric: str) -> None:
        self._grid, self._metric = grid, checked_metric(metric)
        rows, columns = grid.cells(np.arange(len(grid)))
        self._cells = rows * grid.columns + columns  # of each frame: to ask the grid for one costs 20 times as much
        self._values = np.full(len(grid), np.nan)
        self._known = np.zeros(len(grid), bool)
        self._ended = np.zeros(len(grid), bool)
        self._version = 0
        self._picture: Picture | None = None

    @property
    def version(self) -> int:
        """Outcomes recorded so far."""
        return self._version

    def record(self, outcome: Outcome) -> bool:
        """Take an outcome; False if its frame has one already. IndexError if the frame is not in the grid."""
        if not 0 <= outcome.frame < len(self._cells):
            raise IndexError(f"frame {outcome.frame} is not in grid {self._grid}")
        cell = self._cells[outcome.frame]
        if self._ended[cell]:
            return False
        self._ended[cell] = True
        if isinstance(outcome, FrameResult):
            self._known[cell] = True
            self._values[cell] = _told(float(getattr(outcome.statistics, self._metric)), self._metric)
        self._version += 1
        self._picture = None
        return True

    def picture(self) -> Picture:
        """Return a snapshot; the same object until something changes."""
        if self._picture is None:
            shape = self._grid.rows, self._grid.columns
            values, known = self._values.reshape(shape).copy(), self._known.reshape(shape).copy()
            self._picture = Picture(self._grid, self._metric, values, known, version=self._version)
        return self._picture


def picture_of(report: ScanReport, metric: str) -> Picture:
    """Return the picture of a scan with a grid; raises `Refused` if it has none, or for an unknown metric."""
    if report.grid is None:
        raise Refused(
            f"{report.master.path}: scan {report.scan} has no grid; give --grid COLSxROWS when it is analysed"
        )
    done = report.states == State.DONE
    return from_frames(report.grid, metric, report.frames[done], report.values[checked_metric(metric)][done])


def from_frames(grid: Grid, metric: str, frames: NDArray[np.int64], values: NDArray[np.float64]) -> Picture:
    """Return the picture of frames that are done, and their values, both of shape (frames,).

    A negative value of an estimated metric says "too few spots to say". IndexError if a frame is not in the grid.
    """
    cells = grid.cells(frames)
    picture = np.full((grid.rows, grid.columns), np.nan)
    known = np.zeros((grid.rows, grid.columns), bool)
    estimated = checked_metric(metric) in ESTIMATED
    picture[cells] = np.where(values < 0, np.nan, values) if estimated else values
    known[cells] = True
    return Picture(grid, metric, picture, known, version=len(frames))


def checked_metric(metric: str) -> str:
    """Return the name of a metric; raises `Refused` if there is none such."""
    if metric not in METRICS:
        raise Refused(f"metric {metric!r}: choose one of {', '.join(METRICS)}")
    return metric


def _told(value: float, metric: str) -> float:
    return np.nan if metric in ESTIMATED and value < 0 else value
