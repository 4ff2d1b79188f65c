"""``heatmap.png`` of a grid scan: a cell for each frame, and every state with a look of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps, style
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from filewatcher.core.messages import State
from filewatcher.core.report import ESTIMATED
from filewatcher.edges.output import looks
from filewatcher.edges.output.replace import replacing
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from filewatcher.core.grid import Grid
    from filewatcher.core.report import ScanReport
    from filewatcher.edges.output.looks import Look

SIZE = (7.0, 5.5)
"""Inches: the cells together are at most this wide and high."""
CELL = 0.6
"""Inches: one cell is at most this wide."""
THINNEST = 0.3
"""Inches: where square cells would make a band thinner than this, they are stretched."""
SMALLEST_SIGN = 5.0
"""Pixels: smaller cells show their state by colour only."""
MARGINS = (0.95, 1.35, 1.0, 0.8)
"""Inches left, right, below and above the cells."""
DPI = 150.0
"""At least; more where a cell would have less than two pixels."""
FIRST = 6.0
"""Points: size of the mark of the first image."""
LARGEST = 12_000
"""Pixels, of either side of the picture: from some 4,500 cells in a line on, cells share pixels."""

_CELLS, _SIGNS, _RING = 3, 4, 5
"""What lies above what; the frame of the axes is at 2.5."""

_CROSS = (((-0.3, -0.3), (0.3, 0.3)), ((-0.3, 0.3), (0.3, -0.3)))
_STROKES = {
    looks.FAILED: _CROSS,
    looks.MISSING: (((-0.3, 0.3), (0.3, -0.3)),),
    looks.WAITING: (((-0.03, 0.0), (0.03, 0.0)),),
    looks.UNKNOWN: (((-0.2, 0.0), (0.2, 0.0)),),
}
"""The sign in a cell, as lines in fractions of its width and height; row numbers grow downwards."""


def write_heatmap(path: Path, report: ScanReport, metric: str = "n_spots_total") -> None:
    """Write a picture of a grid scan as PNG: a cell for each frame, row 0 on top.

    Raises `Refused` if the scan has no grid, ValueError for an unknown metric, `Broken` if it cannot be written.
    """
    with style.context("default"), replacing(path) as temporary:
        draw_heatmap(report, metric).savefig(temporary, format="png", dpi="figure")


def draw_heatmap(report: ScanReport, metric: str) -> Figure:
    """Draw it; the first axes are those of the cells: column numbers to the right, row numbers downwards."""
    grid, name = report.grid, looks.label(metric)
    if grid is None:
        raise Refused(f"{report.master.path}: scan {report.scan} has no grid to draw; give --grid COLSxROWS")
    values = grid.picture(report.known(metric), report.frames)
    kinds = _kinds(report, grid, values)
    figure, axes, bar = _canvas(grid)
    scale = scale_of(values, metric)
    axes.imshow(
        _colours(values, kinds, scale),
        extent=(-0.5, grid.columns - 0.5, grid.rows - 0.5, -0.5),
        aspect="auto",
        interpolation="nearest",
        # above the frame of the axes, which would cover half of the outermost cells
        zorder=_CELLS,
    )
    _draw_signs(figure, axes, kinds)
    _ring_best(axes, report, grid, metric)
    _mark_first(axes, grid)
    _label_axes(axes, grid)
    figure.colorbar(scale, cax=bar, extend=_beyond(values, scale), label=name)
    counts = {look: int(where.sum()) for look, where in kinds.items()}
    looks.write_words(figure, looks.title(report, metric), counts, _order(grid))
    return figure


def _kinds(report: ScanReport, grid: Grid, values: NDArray[np.float64]) -> dict[Look, NDArray[np.bool_]]:
    """Where in the picture is what has no value."""
    states = grid.picture(report.states.astype(np.int64), report.frames, fill=-1)
    kinds = {look: states == state for state, look in looks.STATE_LOOKS.items()}
    kinds[looks.UNKNOWN] = (states == State.DONE) & np.isnan(values)
    kinds[looks.NOT_SELECTED] = states == -1
    return {look: where for look, where in kinds.items() if where.any()}


def _canvas(grid: Grid) -> tuple[Figure, Any, Any]:
    """Return figure, axes in the shape of the grid, and axes for the scale."""
    left, right, below, above = MARGINS
    cell = min(SIZE[0] / grid.columns, SIZE[1] / grid.rows, CELL)
    width, height = max(grid.columns * cell, THINNEST), max(grid.rows * cell, THINNEST)
    # room for the words, however small the grid
    inner = max(width, 3.6), max(height, 1.2)
    size = inner[0] + left + right, inner[1] + below + above
    # no cell may be lost between two pixels
    dpi = max(DPI, 2 * grid.columns / width, 2 * grid.rows / height)
    figure = Figure(figsize=size, dpi=min(dpi, LARGEST / max(size)))
    total = figure.get_size_inches()
    x, y = left + (inner[0] - width) / 2, below + (inner[1] - height) / 2
    axes = figure.add_axes((x / total[0], y / total[1], width / total[0], height / total[1]))
    tall = max(height, 1.2)
    y = below + (inner[1] - tall) / 2
    bar = figure.add_axes(((x + width + 0.2) / total[0], y / total[1], 0.16 / total[0], tall / total[1]))
    return figure, axes, bar


def scale_of(values: NDArray[np.float64], metric: str) -> ScalarMappable:
    """Colours of a metric: yellow is what one looks for."""
    low, high = looks.colour_range(values, metric)

    name = "viridis_r" if metric in ESTIMATED else "viridis"
    return ScalarMappable(Normalize(low, high), colormaps[name])


def _beyond(values: NDArray[np.float64], scale: ScalarMappable) -> str:
    """At which ends of the scale there are values outside of it, in matplotlib's words."""
    known = values[np.isfinite(values)]
    below, above = (known < scale.norm.vmin).any(), (known > scale.norm.vmax).any()
    if below:
        return "both" if above else "min"
    return "max" if above else "neither"


def _colours(
    values: NDArray[np.float64], kinds: dict[Look, NDArray[np.bool_]], scale: ScalarMappable
) -> NDArray[np.float64]:
    """Red, green, blue, alpha of each cell, 0 to 1: shape (rows, columns, 4)."""
    colours = np.array(scale.cmap(scale.norm(np.nan_to_num(values))), dtype=np.float64)
    for look, where in kinds.items():
        colours[where] = to_rgba(look.face)
    return colours


def _draw_signs(figure: Figure, axes: Any, kinds: dict[Look, NDArray[np.bool_]]) -> None:
    rows, columns = next(iter(kinds.values())).shape if kinds else (1, 1)
    box = axes.get_position()
    cell = figure.dpi * figure.get_size_inches() * (box.width, box.height) / (columns, rows)
    if cell.min() < SMALLEST_SIGN:
        return
    width = float(np.clip(cell.min() / 12, 0.5, 2.0))
    for look, where in kinds.items():
        strokes = np.array(_STROKES.get(look, ())).reshape(-1, 2, 2)
        at = np.argwhere(where)[:, ::-1].reshape(-1, 1, 1, 2)
        lines = LineCollection((at + strokes).reshape(-1, 2, 2), colors=look.ink, linewidths=width, capstyle="round")
        # rounded to whole pixels, a dot would vanish
        lines.set_snap(False)
        lines.set_zorder(_SIGNS)
        axes.add_collection(lines, autolim=False)


def _ring_best(axes: Any, report: ScanReport, grid: Grid, metric: str) -> None:
    """Frame the best cell, in white within black: seen on every colour."""
    best = report.best(metric)
    if best is None or (metric not in ESTIMATED and report.known(metric)[best] == 0.0):
        return
    row, column = grid.cell(int(report.frames[best]))
    for colour, width in (("black", 2.4), ("white", 1.0)):
        look = {"fill": False, "edgecolor": colour, "linewidth": width, "clip_on": False, "zorder": _RING}
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **look))


def _mark_first(axes: Any, grid: Grid) -> None:
    """Draw a triangle outside the corner of the first image, that points to where the scan goes from there."""
    bottom, right = grid.start.startswith("bottom"), grid.start.endswith("right")
    corner = (grid.columns - 0.5 if right else -0.5, grid.rows - 0.5 if bottom else -0.5)
    marker = ("<" if right else ">") if grid.orientation == "horizontal" else ("^" if bottom else "v")
    away = (FIRST if right else -FIRST, -FIRST if bottom else FIRST)
    place = axes.transData + ScaledTranslation(away[0] / 72, away[1] / 72, axes.figure.dpi_scale_trans)
    axes.plot(*corner, marker, color="black", markersize=FIRST, transform=place, clip_on=False, zorder=_RING)


def _label_axes(axes: Any, grid: Grid) -> None:
    """Ticks in the middle of cells: mm where known, else column and row numbers from 1."""
    for axis, centres, name in zip((axes.xaxis, axes.yaxis), grid.axes(), ("x", "y"), strict=True):
        axis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
        if grid.step is None:
            axis.set_major_formatter(lambda tick, _position: f"{round(tick) + 1}")
            axis.set_label_text({"x": "column", "y": "row"}[name])
        else:
            axis.set_major_formatter(_millimetres(centres))
            axis.set_label_text(f"{name} (mm)")
    axes.set_xlim(-0.5, grid.columns - 0.5)
    axes.set_ylim(grid.rows - 0.5, -0.5)


def _millimetres(centres: NDArray[np.float64]) -> Any:
    def text(tick: float, _position: int | None) -> str:
        index = round(tick)
        return f"{centres[index]:.3f}" if 0 <= index < len(centres) else ""

    return text


def _order(grid: Grid) -> str:
    along = {"horizontal": "along rows", "vertical": "along columns"}[grid.orientation]
    return f"{grid} cells, first image {grid.start} (triangle), {along}{', snaked' if grid.snaked else ''}"
