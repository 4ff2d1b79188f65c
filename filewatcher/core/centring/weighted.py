"""Our own centring of one grid scan: the region with the most signal, and its intensity-weighted centre.

1. The signal of every known cell (`signal`); unknown cells take no part.
2. Keep cells of at least ``threshold`` times the strongest, and of at least ``threshold_absolute``.
3. Connected regions, corners included, are crystals; they are ranked by the sum of their signal.
4. Centre = sum(s r) / sum(s) over the region; the peak is its strongest cell, the earliest image of equals.
5. Uncertainty along an axis, one standard deviation in cells, with v the weighted variance of the region::

       sqrt(v / sum(s)  +  1 / (12 n)),    n = sum(s)**2 / sum(s**2)

   counting statistics of s (left out for a resolution), and a place that is known to a cell's width for each of the
   n cells that count.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.centring.answer import Centring, Crystal
from filewatcher.core.centring.doubt import doubt
from filewatcher.core.centring.regions import label
from filewatcher.core.centring.signal import COUNTED, signal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filewatcher.core.centring.samples import Samples
    from filewatcher.core.gridinfo import Snapshot
    from filewatcher.core.picture import Picture

THRESHOLD = 0.25
"""Of the strongest signal; as production's in 3D."""

RANKED = 10
"""Crystals that are described, of all that are found."""


def centre_weighted(
    picture: Picture,
    threshold: float,
    threshold_absolute: float,
    snapshot: Snapshot | None = None,
    samples: Samples | None = None,
) -> Centring:
    """Find the crystals of a picture; `centre` chooses defaults."""
    strength = signal(picture)
    blank = Centring.nothing_found(picture, "weighted", threshold, threshold_absolute, snapshot)
    strongest = float(strength.max())
    kept = (strength > 0) & (strength >= threshold * strongest) & (strength >= threshold_absolute)
    if not kept.any():
        return blank
    labels = label(kept)
    totals = np.bincount(labels[kept], strength[kept])
    ranked = np.argsort(-totals[1:], kind="stable") + 1
    cells = _cells(labels, ranked[:RANKED])
    crystals = tuple(_crystal(picture, strength, *region) for region in cells)
    best = labels == ranked[0]
    return replace(
        blank,
        doubt=doubt(np.where(kept, strength, 0.0), ~picture.known, best, crystals[0].centre, strongest),
        crystals=crystals,
        n_regions=len(ranked),
        region=np.column_stack(cells[0]),
        best_image=crystals[0].image,
        best_value=crystals[0].peak_value,
        sample_id=samples.at(crystals[0].centre[0]) if samples else None,
    )


def _cells(labels: NDArray[np.int32], chosen: NDArray[np.int64]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return (rows, columns) of the cells of each chosen region, in raster order, in one pass over the grid."""
    place = np.full(int(labels.max()) + 1, -1)
    place[chosen] = np.arange(len(chosen))
    rows, columns = np.nonzero(place[labels] >= 0)
    of = place[labels[rows, columns]]
    return [(rows[of == number], columns[of == number]) for number in range(len(chosen))]


def _crystal(
    picture: Picture, strength: NDArray[np.float64], rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> Crystal:
    weights = strength[rows, columns]
    total = float(weights.sum())
    peaks = np.flatnonzero(weights == weights.max())
    frames = picture.grid.frames(rows[peaks], columns[peaks])
    peak = peaks[np.argmin(frames)]
    x, y = float(weights @ columns) / total, float(weights @ rows) / total
    counted = picture.metric in COUNTED
    return Crystal(
        centre=(x + 0.5, y + 0.5),
        peak=(int(columns[peak]), int(rows[peak])),
        peak_value=float(picture.values[rows[peak], columns[peak]]),
        image=int(frames.min()) + 1,
        n_cells=len(rows),
        total=total,
        bounding_box=((int(columns.min()), int(rows.min())), (int(columns.max()) + 1, int(rows.max()) + 1)),
        uncertainty=(_deviation(weights, columns - x, counted), _deviation(weights, rows - y, counted)),
    )


def _deviation(weights: NDArray[np.float64], off: NDArray[np.float64], counted: bool) -> float:
    total = float(weights.sum())
    variance = float(weights @ off**2) / total
    cells = total**2 / float(weights @ weights)
    return float(np.sqrt((variance / total if counted else 0.0) + 1 / (12 * cells)))
