"""Rings of hexagonal ice, which no crystal of interest makes: spots on them are not counted."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from spotfinding.errors import AnalysisError

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELL_A, CELL_C = 4.498, 7.338
"""Angstrom; ice Ih as in DIALS (per_image_analysis.ice_rings_selection)."""

FINEST = 400.0
"""1/angstrom^2, that is d = 0.05 angstrom: no diffraction gets there, only a wrong wavelength."""


@cache
def ice_lines(d_star_sq_max: float) -> NDArray[np.float64]:
    """Return 1/d^2 of the allowed lines of ice Ih (P6_3/mmc) up to a limit, 1/angstrom^2, ascending.

    Allowed is hkl but for hhl with odd l (International Tables A, space group 194; 00l is one of these). Lines of
    h >= k >= 0, l >= 0 stand for all.

    >>> [round(float(d), 2) for d in 1 / np.sqrt(ice_lines(0.15))]
    [3.9, 3.67, 3.44, 2.67]
    """
    most_h = int(np.sqrt(d_star_sq_max * 0.75) * CELL_A) + 1
    most_l = int(np.sqrt(d_star_sq_max) * CELL_C) + 1
    h, k, l = np.ogrid[: most_h + 1, : most_h + 1, : most_l + 1]  # noqa: E741  Miller's own letters
    allowed = (h >= k) & (h + k + l > 0) & ~((h == k) & (l % 2 == 1))
    lines = 4 / 3 * (h * h + h * k + k * k) / CELL_A**2 + l * l / CELL_C**2
    found: NDArray[np.float64] = np.unique(lines[allowed & (lines <= d_star_sq_max)])
    found.flags.writeable = False
    return found


def on_ice_ring(d_star_sq: NDArray[np.float64], width: float) -> NDArray[np.bool_]:
    """Tell which spots, by their 1/d^2, are less than half a width, 1/angstrom^2, away from a line of ice.

    Raises `AnalysisError` for spots at resolutions that do not exist.
    """
    if not len(d_star_sq):
        return np.zeros(0, dtype=bool)
    half = width / 2.0
    if not d_star_sq.max() + half <= FINEST:
        raise AnalysisError(
            f"there is a spot at d = {1 / np.sqrt(d_star_sq.max()):.3g} angstrom: check wavelength and distance, or "
            "ice_rings_width"
        )
    # in steps, so that a few tables serve all images
    lines = ice_lines(float(np.ceil(d_star_sq.max() + half)))
    above = np.searchsorted(lines, d_star_sq)
    nearest_below = lines[np.maximum(above - 1, 0)]
    nearest_above = lines[np.minimum(above, len(lines) - 1)]
    near: NDArray[np.bool_] = (np.abs(d_star_sq - nearest_below) < half) | (np.abs(d_star_sq - nearest_above) < half)
    return near
