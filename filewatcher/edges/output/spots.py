"""``spots.png`` of a scan without a grid: spots, resolution and intensity against image number, and angle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from filewatcher.core.report import ESTIMATED
from filewatcher.edges.output import looks
from filewatcher.edges.output.replace import replacing

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from filewatcher.core.report import ScanReport

PANELS = ("n_spots_total", "estimated_d_min", "total_intensity")
"""From top to bottom."""

_INK = "#31688e"
_SIZE = (8.0, 7.5)
_DPI = 150.0


def write_spots(path: Path, report: ScanReport) -> None:
    """Write a picture of a scan as PNG: a point per image, the best resolution on top; `Broken` if that fails.

    The strip below shows what is failed, missing or waiting; even a single image among thousands is seen there.
    """
    with style.context("default"), replacing(path) as temporary:
        draw_spots(report).savefig(temporary, format="png", dpi="figure")


def draw_spots(report: ScanReport) -> Figure:
    """Draw it; the last axes are the strip: image numbers to the right, 0 to 1 upwards."""
    images = report.frames + 1
    figure = Figure(figsize=_SIZE, dpi=_DPI)
    *panels, strip = figure.subplots(4, 1, sharex=True, gridspec_kw={"height_ratios": (12, 12, 12, 1), "hspace": 0.12})
    figure.subplots_adjust(left=0.11, right=0.97, bottom=0.15, top=0.84)
    for axes, metric in zip(panels, PANELS, strict=True):
        _draw_points(axes, images, report.known(metric), metric)
        if metric in ESTIMATED:
            axes.invert_yaxis()
    figure.align_ylabels(panels)
    if report.angles is not None:
        _draw_angles(panels[0], images, report.angles)
    counts = _draw_strip(strip, images, report)
    if len(images):
        strip.set_xlim(images.min() - 0.5, images.max() + 0.5)
    few = int(np.isnan(report.known(PANELS[1])).sum() - np.isnan(report.known(PANELS[0])).sum())
    footer = f"images with too few spots to estimate a resolution: {few}" if few else ""
    looks.write_words(figure, looks.title(report, PANELS[0]), counts, footer)
    return figure


def _draw_angles(axes: Any, images: NDArray[np.int64], angles: NDArray[np.float64]) -> None:
    """An axis of degrees on top; none where the steps are not equal, for it would be wrong somewhere."""
    if len(images) < 2:
        return
    step, start = np.polyfit(images, angles, 1)
    if not step or np.abs(start + step * images - angles).max() > abs(step):
        return
    top = axes.secondary_xaxis("top", functions=(lambda x: start + step * x, lambda angle: (angle - start) / step))
    top.set_xlabel("angle at the beginning of the image (degrees)")


def _draw_points(axes: Any, images: NDArray[np.int64], values: NDArray[np.float64], metric: str) -> None:
    size = 16.0 if len(images) <= 200 else 5.0
    axes.scatter(images, values, s=size, color=_INK, linewidths=0)
    if metric not in ESTIMATED:
        top = max(float(np.nanmax(values, initial=0.0)), looks.FEW_SPOTS)
        axes.set_ylim(-0.04 * top, 1.05 * top)
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    if np.isnan(values).all():
        axes.text(0.5, 0.5, "nothing known", transform=axes.transAxes, ha="center", va="center", color="#808080")
        axes.set_yticks([])
    axes.ticklabel_format(axis="y", scilimits=(-4, 5))
    axes.set_ylabel(looks.label(metric), fontsize=9)
    axes.grid(visible=True, color="#e0e0e0", linewidth=0.6)
    axes.set_axisbelow(True)


def _draw_strip(axes: Any, images: NDArray[np.int64], report: ScanReport) -> dict[looks.Look, int]:
    """Draw a bar per run of images in one state; returns how many images there are of each look."""
    counts = {}
    for state, look in looks.STATE_LOOKS.items():
        which = np.flatnonzero(report.states == state)
        if not which.size:
            continue
        counts[look] = int(which.size)
        runs = np.split(which, np.flatnonzero(np.diff(which) > 1) + 1)
        bars = [(images[run[0]] - 0.5, images[run[-1]] - images[run[0]] + 1.0) for run in runs]
        # the edge gives a bar of one image among thousands a width
        axes.broken_barh(bars, (0, 1), facecolor=look.face, edgecolor=look.face, linewidth=1.5)
        axes.broken_barh(bars, (0, 1), facecolor="none", edgecolor=look.ink, hatch=2 * look.hatch, linewidth=0)
        if look is looks.FAILED:
            axes.scatter([start + width / 2 for start, width in bars], [0.5] * len(bars), 14, look.ink, "x")
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.set_xlabel("image")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    return counts
