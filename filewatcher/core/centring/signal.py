"""How strongly a cell speaks for a crystal, by each metric: larger is better, 0 = no diffraction, never negative."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.messages import COUNTS, METRICS
from filewatcher.core.report import ESTIMATED
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filewatcher.core.picture import Picture

COUNTED: frozenset[str] = COUNTS | {"total_intensity"}
"""Metrics whose variance is at least their value (Poisson)."""

CENTRING: tuple[str, ...] = tuple(name for name in METRICS if not name.startswith("noisiness"))
"""Metrics that say where a crystal is."""

SPOTS_AT_LEAST = 3.0
"""Fewer on an image are noise: production's limit for pins with several samples."""


def signal(picture: Picture) -> NDArray[np.float64]:
    """Return the signal seen in each cell, shape (rows, columns): 0 where nothing is known. Raises `Refused`.

    Counts and intensities speak for themselves. Of a resolution d it is d**-3, the volume of reciprocal space that
    diffracts, to which the number of reflections is proportional; 0 where too few spots tell of none.
    """
    if picture.metric not in CENTRING:
        raise Refused(f"metric {picture.metric!r} does not say where a crystal is: choose one of {', '.join(CENTRING)}")
    values = np.maximum(np.nan_to_num(picture.values), 0.0)
    if picture.metric in ESTIMATED:
        return np.power(values, -3.0, out=np.zeros_like(values), where=values > 0)
    return values


def least(metric: str) -> float:
    """Return the signal below which a cell is taken for empty, unless the user says another."""
    return SPOTS_AT_LEAST if metric.startswith("n_spots") else 0.0
