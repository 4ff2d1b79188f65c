"""``cells.png``: nothing but the cells, for programs that lay the heat map over the camera's picture (MXCuBE).

The picture covers the grid exactly: every cell is the same square of pixels, in the colours of ``heatmap.png``. Cells
without a spot are transparent. Those that are not known (failed, missing, still to come) are struck through, for they
are not empty; where a cell is too small for that they are grey.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import image

from filewatcher.core.messages import State
from filewatcher.edges.output.heatmap import scale_of
from filewatcher.edges.output.replace import replacing

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from filewatcher.core.report import ScanReport

SIDE, LARGEST = 16, 8192
"""Pixels: of a cell, and of the whole picture at most; a cell is one pixel at least."""
STROKE = (0.2, 0.2, 0.2, 0.6)
"""Red, green, blue, alpha through a cell that is not known."""
SMALLEST_SIGN = 4
"""Pixels."""


def write_cells(path: Path, report: ScanReport, metric: str = "n_spots_total") -> None:
    """Write the cells of a grid scan as PNG with transparency; raises `Broken` if that fails."""
    with replacing(path) as temporary:
        image.imsave(temporary, cells_of(report, metric), format="png")


def cells_of(report: ScanReport, metric: str) -> NDArray[np.float64]:
    """Red, green, blue, alpha of every pixel, 0 to 1: shape (rows x side, columns x side, 4)."""
    grid = report.grid
    assert grid is not None
    values = grid.picture(report.known(metric), report.frames)
    states = grid.picture(report.states.astype(np.int64), report.frames, fill=State.WAITING)
    scale = scale_of(values, metric)
    colours = np.array(scale.cmap(scale.norm(np.nan_to_num(values))), np.float64)
    colours[np.isnan(values) | (values == 0)] = 0.0
    side = max(1, min(SIDE, LARGEST // max(values.shape)))
    pixels = colours.repeat(side, axis=0).repeat(side, axis=1)
    stroke = np.eye(side, dtype=bool)[::-1] if side >= SMALLEST_SIGN else np.ones((side, side), bool)
    unknown = (states != State.DONE).repeat(side, axis=0).repeat(side, axis=1)
    pixels[unknown & np.tile(stroke, values.shape)] = STROKE
    return pixels
