"""How a cell or an image looks in a picture: by colour of its value, or by its state."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Patch

from filewatcher.core.messages import COUNTS, METRICS, State
from filewatcher.core.report import ESTIMATED, UNITS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from filewatcher.core.report import ScanReport


@dataclass(frozen=True, slots=True)
class Look:
    """Of what has no value."""

    label: str
    face: str
    """No colour of the scale, to any kind of colour vision (a test measures it)."""
    hatch: str
    """matplotlib's; the same sign is drawn in the cells, because colour alone is not enough."""
    ink: str


FAILED = Look("failed", "#e31a1c", "xx", "black")
MISSING = Look("missing", "#bfbfbf", "//", "#404040")
WAITING = Look("waiting", "#ffffff", "..", "#909090")
UNKNOWN = Look("too few spots", "#ebebeb", "--", "#909090")
NOT_SELECTED = Look("not selected", "#ffffff", "", "#d0d0d0")

STATE_LOOKS: Mapping[State, Look] = {State.WAITING: WAITING, State.FAILED: FAILED, State.MISSING: MISSING}

LABELS: Mapping[str, str] = {
    "n_spots_total": "spots",
    "n_spots_no_ice": "spots outside ice rings",
    "n_spots_4A": "spots with d > 4 Å",
    "total_intensity": "total intensity",
    "estimated_d_min": "estimated resolution",
    "d_min_distl_method_1": "resolution, distl method 1",
    "d_min_distl_method_2": "resolution, distl method 2",
    "noisiness_method_1": "noisiness, method 1",
    "noisiness_method_2": "noisiness, method 2",
    "n_strong_pixels": "strong pixels",
}
"""What the metrics are called beside an axis."""

_SIGNS = {"angstrom": "Å"}

FEW_SPOTS = 10
"""A scale of spots reaches at least this far, so that the noise of an empty grid does not look like a crystal."""


def label(metric: str) -> str:
    """Return the name of a metric with its unit, for an axis; ValueError if there is no such metric."""
    if metric not in METRICS:
        raise ValueError(f"metric {metric!r}: choose one of {', '.join(METRICS)}")
    unit = UNITS.get(metric)
    return f"{LABELS[metric]} ({_SIGNS.get(unit, unit)})" if unit else LABELS[metric]


def colour_range(values: NDArray[np.float64], metric: str) -> tuple[float, float]:
    """Ends of the scale: one strong crystal must not blacken the rest.

    From 0 to the 99.5th percentile of what is not 0; for metrics of which the lowest is the best, from the 0.5th to
    the 99.5th percentile.
    """
    known = values[np.isfinite(values)]
    if metric in ESTIMATED:
        low = np.percentile(known, 0.5, method="lower") if known.size else 0.0
        high = np.percentile(known, 99.5, method="higher") if known.size else 1.0
    else:
        some = known[known > 0]
        low, high = 0.0, np.percentile(some, 99.5, method="higher") if some.size else 1.0
        if metric.startswith("n_spots"):
            high = max(high, FEW_SPOTS)
    if high <= low:
        low, high = low - 0.5, high + 0.5
    return float(low), float(high)


def title(report: ScanReport, metric: str) -> str:
    """Return three lines: the master, the states with counts, the best image."""
    states = [f"{report.count(state)} {state.word}" for state in (State.DONE, State.FAILED, State.MISSING)]
    if waiting := report.count(State.WAITING):
        states.append(f"{waiting} waiting")
    images = len(report.frames)
    name = PurePath(report.master.path).name
    return f"{name}\n{images} image{'s' * (images != 1)}: {', '.join(states)}\n{_best(report, metric)}"


def _best(report: ScanReport, metric: str) -> str:
    best = report.best(metric)
    if best is None:
        return f"{LABELS[metric]}: too few spots" if report.count(State.DONE) else "no image analysed"
    value = float(report.known(metric)[best])
    image = f"image {report.frames[best] + 1}"
    if metric in COUNTS:
        return f"best: {value:.0f} {LABELS[metric]} in {image}" if value else f"no {LABELS[metric]} in any image"
    unit = UNITS.get(metric, "")
    number = f"{value:.3g}" if metric in ESTIMATED else f"{value:.0f}"
    return f"best: {LABELS[metric]} {number} {_SIGNS.get(unit, unit)}".rstrip() + f" in {image}"


def write_words(figure: Figure, heading: str, counts: Mapping[Look, int], footer: str) -> None:
    """Write the heading above, and below what the looks mean, with counts, and the footer."""
    width, height = figure.get_size_inches()
    # a name may hold a dollar sign, which is no formula, or be a long path
    lines = [_shortened(line, int(width * 11)) for line in heading.splitlines()]
    figure.text(0.5, 1 - 0.12 / height, "\n".join(lines), ha="center", va="top", fontsize=10, parse_math=False)
    figure.text(0.5, 0.08 / height, footer, ha="center", va="bottom", fontsize=8, color="#404040")
    handles = [
        Patch(facecolor=look.face, edgecolor=look.ink, hatch=2 * look.hatch, label=f"{look.label} {count}")
        for look, count in counts.items()
    ]
    if handles:
        figure.legend(
            handles=handles,
            loc="lower center",
            bbox_to_anchor=(0.5, 0.22 / height),
            ncol=len(handles),
            fontsize=8,
            frameon=False,
        )


def _shortened(line: str, width: int) -> str:
    """Line of at most ``width`` characters: what is too long loses its middle, what is no text becomes "?"."""
    line = line.encode(errors="replace").decode()
    half = (width - 1) // 2
    return line if len(line) <= width else f"{line[:half]}…{line[-half:]}"
