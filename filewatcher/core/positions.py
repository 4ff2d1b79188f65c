"""The grid in a master that names none: from the sample position of each frame."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.grid import Grid, Orientation

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALLEST_STEP = 0.0005
"""mm: what moves less than half a micrometre per frame is at rest, and what is seen is readback noise."""

NOISE = 0.25
"""Of a step: further from its place than this, and a frame is in no cell."""


def from_positions(x: NDArray[np.float64], y: NDArray[np.float64]) -> Grid | None:
    """Grid of a scan with positions ``x``, ``y`` (mm, shape (frames,)); None if they are not those of a whole grid.

    Shape, order and step come from the positions, readback noise of up to a tenth of a step (peak) allowed for.
    Positions alone do not say which way up people look at the sample, so the first frame is drawn top-left, as for
    ``--grid`` without more words; motor directions stay in the signs of the step: ``x`` grows to the right if
    ``step[0] > 0``, ``y`` grows downwards if ``step[1] > 0``. (In Diamond's grid masters both are positive.)
    A single line is a grid of one row or one column; what nothing tells, the step across it, is taken to be
    that along it.

    >>> import numpy as np
    >>> from_positions(np.array([0.1, 0.12, 0.14, 0.14, 0.12, 0.1]), np.array([0.5, 0.5, 0.5, 0.48, 0.48, 0.48]))
    ... # doctest: +NORMALIZE_WHITESPACE
    Grid(columns=3, rows=2, snaked=True, orientation='horizontal', start='top-left',
         step=(0.02, -0.02), origin=(0.1, 0.5))
    """
    if len(x) != len(y) or len(x) < 2 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    # the first move is along the first line
    horizontal = bool(abs(x[1] - x[0]) >= abs(y[1] - y[0]))
    along = x if horizontal else y
    length = _line_length(along)
    if length is None or len(x) % length:
        return None
    lines = len(x) // length
    snaked = lines > 1 and bool(abs(along[length] - along[length - 1]) < abs(along[length] - along[0]))
    shape = (length, lines) if horizontal else (lines, length)
    orientation: Orientation = "horizontal" if horizontal else "vertical"
    counted = Grid(*shape, snaked=snaked, orientation=orientation)
    return fitted(counted, x, y)


def fitted(grid: Grid, x: NDArray[np.float64], y: NDArray[np.float64]) -> Grid | None:
    """Return the grid with step and origin of positions ``x``, ``y`` (mm, one per cell); None if they contradict it.

    A grid that is drawn from another corner gets negative steps, so that every cell stays where it is in mm.

    >>> import numpy as np
    >>> x, y = np.array([0.1, 0.12, 0.14]), np.zeros(3)
    >>> fitted(Grid(3, 1, snaked=False, start="top-right"), x, y).axes()[0].round(3).tolist()
    [0.14, 0.12, 0.1]
    """
    if len(grid) != len(x):
        return None
    rows, columns = grid.cells(np.arange(len(x)))
    fit_x, fit_y = _fit(columns, x), _fit(rows, y)
    if fit_x is None or fit_y is None or fit_x[1] == fit_y[1] == 0.0:
        return None
    dx, dy = fit_x[1] or abs(fit_y[1]), fit_y[1] or abs(fit_x[1])
    off_x, off_y = x - fit_x[0] - dx * columns, y - fit_y[0] - dy * rows
    if max(np.abs(off_x).max() / abs(dx), np.abs(off_y).max() / abs(dy)) > NOISE:
        return None
    # readbacks mean nothing below a nanometre
    step, origin = (round(dx, 6), round(dy, 6)), (round(fit_x[0], 6), round(fit_y[0], 6))
    return replace(grid, step=step, origin=origin)


def _line_length(along: NDArray[np.float64]) -> int | None:
    """Frames until the motion along the first line stops or turns back; None if nothing moves."""
    moves = np.diff(along)
    if abs(moves[0]) < SMALLEST_STEP:
        return None
    ends = np.flatnonzero(moves / moves[0] < 0.5)
    return int(ends[0]) + 1 if len(ends) else len(along)


def _fit(index: NDArray[np.int64], position: NDArray[np.float64]) -> tuple[float, float] | None:
    """Least squares: (position at index 0, step); step 0.0 for a single index, None if it is too small for one."""
    centred = index - index.mean()
    spread = float(centred @ centred)
    if spread == 0.0:
        return float(position.mean()), 0.0
    step = float(centred @ position) / spread
    if abs(step) < SMALLEST_STEP:
        return None
    return float(position.mean()) - step * float(index.mean()), step
