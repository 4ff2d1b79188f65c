"""The nine numbers of DIALS's per-image analysis, from resolutions and intensities of spots; numpy only.

Equal to ``dials.algorithms.spot_finding.per_image_analysis`` (unchanged from DIALS 3.12 to 3.30) to the last bit,
where that is odd too: such places say *as DIALS*. Sums run in DIALS's order, and `math` stands where numpy's own
functions round differently from the C library's. The d_min_distl methods are those of Zhang, Sauter, van den Bedem,
Snell and Deacon, J. Appl. Cryst. (2006) 39, 112-119, section 2.4.4.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from spotfinding.analysis import Record
from spotfinding.errors import AnalysisError
from spotfinding.geometry import d_of
from spotfinding.ice import on_ice_ring

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

UNKNOWN = -1.0
"""Said where an image has too few spots to tell."""
ENOUGH = 10
"""Resolution is estimated from more spots off the ice rings than this."""
WILSON_CUTOFF = math.sqrt(-math.log(1e-2))
"""Normalised amplitude that one in a hundred spots exceeds (Read, Acta Cryst. (1999) D55, 1759)."""


def image_statistics(
    d_star: Floats, intensity: Floats, n_strong_pixels: int, *, filter_ice: bool, ice_rings_width: float
) -> Record:
    """Return the numbers of one image; `d_star` is 1/d in 1/angstrom, `intensity` above 0, both of shape (spots,).

    Raises `AnalysisError` where DIALS fails: all spots at one resolution.
    """
    somewhere = d_star > 0
    d_star, intensity = d_star[somewhere], intensity[somewhere]
    d = d_of(d_star)
    ice = on_ice_ring(1.0 / (d * d), ice_rings_width) if filter_ice else np.zeros(len(d), dtype=bool)
    n_no_ice = len(d) - int(np.count_nonzero(ice))
    estimates = (UNKNOWN,) * 5
    if n_no_ice > ENOUGH:
        d_min = estimated_d_min(d, d_star * d_star, intensity, ice)
        (d_min_1, noisiness_1), (d_min_2, noisiness_2) = distl_method_1(d, d_star), distl_method_2(d)
        estimates = d_min, d_min_1, d_min_2, noisiness_1, noisiness_2
    n_4a = int(np.count_nonzero(d > 4))
    return Record(len(d), n_no_ice, n_4a, _sum(intensity[~ice]), *estimates, n_strong_pixels)


# ---- the resolution to which spots are significant ----------------------------------------------------------------


def estimated_d_min(d: Floats, d_star_sq: Floats, intensity: Floats, ice: Flags) -> float:
    """Return the smallest d of a spot that is neither an outlier nor ice and lies below a line, angstrom.

    The line goes through the strong spots of each shell, in a plot of ln(I/sigma) against 1/d^2.
    """
    # math.log and not np.log: numpy's own differs from the C library's in the last bit
    log_i_over_sigma = np.array(list(map(math.log, (intensity / np.sqrt(intensity)).tolist())))
    shell, n_shells = _shells_of_equal_population(d)
    outlier = _wilson_outliers(intensity, ice, shell, n_shells)
    weak, strong = _percentiles(log_i_over_sigma, shell, ~outlier & ~ice & (shell < n_shells))
    # as DIALS: each value is paired with the 1/d^2 of the spot at the other end
    slope, intercept = _line(d_star_sq[weak], log_i_over_sigma[strong])
    lower_slope, _ = _line(d_star_sq[strong], log_i_over_sigma[weak])
    if slope == lower_slope:  # as DIALS, which intersects the two lines for its plot
        return UNKNOWN
    rise = (slope + intercept) - intercept
    below = (d_star_sq * -rise + (log_i_over_sigma - intercept) < 0) & ~outlier & ~ice
    return 1.0 / math.sqrt(d_star_sq[below].max()) if below.any() else UNKNOWN


def _shells_of_equal_population(d: Floats) -> tuple[NDArray[np.intp], int]:
    """Return the shell of each spot, and how many there are: 5 to 20, of some 20 spots or more.

    As DIALS: the spot at the largest d is in none; its number is that of shells.
    """
    n_shells = max(min(len(d) // 20, 20), 5)
    per_shell = len(d) / n_shells
    d_sorted = np.sort(d)[::-1]
    last = [_nearest((i + 1) * per_shell) - 1 for i in range(n_shells)]
    edges = np.array([d_sorted[0], *d_sorted[last]])
    # d < edges[i] and d >= edges[i + 1]: edges go down, spots with the d of an edge are in the shell above it
    shell = np.searchsorted(-edges, -d, side="left") - 1
    return np.where(shell < 0, n_shells, shell), n_shells


def _nearest(value: float) -> int:
    """Round half away from zero, for positive values."""
    return int(value + 0.5)


def _wilson_outliers(intensity: Floats, ice: Flags, shell: NDArray[np.intp], n_shells: int) -> Flags:
    """Tell which spots are too strong for the mean of their shell; once more without these, until none is.

    Ice does not count for the mean. As DIALS: nothing is an outlier in a shell in which all is ice.
    """
    amplitude = np.sqrt(intensity)
    judged = (shell < n_shells) & (np.bincount(shell[~ice], minlength=n_shells + 1) > 0)[shell]
    outlier = np.zeros(len(intensity), dtype=bool)
    while True:
        for_mean = judged & ~ice & ~outlier
        sums = np.bincount(shell[for_mean], intensity[for_mean], n_shells + 1)
        number = np.bincount(shell[for_mean], minlength=n_shells + 1)
        mean = sums * (1.0 / np.maximum(number, 1))
        new = np.zeros(len(intensity), dtype=bool)
        new[judged] = amplitude[judged] / np.sqrt(mean[shell[judged]]) >= WILSON_CUTOFF
        new &= ~outlier
        if not new.any():
            return outlier
        outlier |= new


def _percentiles(values: Floats, shell: NDArray[np.intp], chosen: Flags) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which of the chosen spots have the 10 % and the 90 % value of their shell, for each that has any."""
    places = np.flatnonzero(chosen)
    order = places[np.lexsort((values[places], shell[places]))]
    number = np.bincount(shell[places])
    number = number[number > 0]
    first = np.cumsum(number) - number
    low = 0.1
    return (
        order[first + np.floor(low * number).astype(np.intp)],
        order[first + np.floor((1 - low) * number).astype(np.intp)],
    )


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    """Return slope and intercept of the line of least squares, by the rules of scitbx (math/linear_regression.h)."""
    n = len(x)
    if not n or x.min() == x.max():
        return 0.0, 0.0
    if y.min() == y.max():
        return 0.0, float(y[0])
    sum_x, sum_y, sum_xx, sum_xy = _sum(x), _sum(y), _sum(x * x), _sum(x * y)
    spread_x, spread_y = _spread(x, sum_x / n), _spread(y, sum_y / n)
    determinant = n * sum_xx - sum_x * sum_x
    if spread_x < spread_y * 1e-15 or determinant == 0:  # x differ in their last bit only
        return 0.0, 0.0
    return (n * sum_xy - sum_x * sum_y) / determinant, (sum_xx * sum_y - sum_x * sum_xy) / determinant


def _spread(values: Floats, mean: float) -> float:
    return float(max(abs(values.min() - mean), abs(values.max() - mean)))


# ---- where the spots end -------------------------------------------------------------------------------------------


def distl_method_1(d: Floats, d_star: Floats) -> tuple[float, float]:
    """Return the resolution where 1/d^3 of the spots, put in order, bends upwards, angstrom; and how uneven it grows.

    The bend is where the curve is farthest from its chord.
    """
    step = max(2, math.ceil(len(d) / 40))
    chosen = np.argsort(-d, kind="stable")[: len(d) // step * step : step]
    d_star_cubed = np.array([radius**3.0 for radius in d_star[chosen].tolist()])
    n = len(chosen)
    slopes = (d_star_cubed[1:] - d_star_cubed[0]) / np.arange(1.0, n)
    skipped = 3
    end = int(np.argmax(slopes[skipped:])) + 1 + skipped
    # distances of the points before the end from the line between the first point and that one
    normal = d_star_cubed[end] - d_star_cubed[0], -float(end)
    length = math.sqrt(normal[0] * normal[0] + normal[1] * normal[1])
    across, along = normal[0] / length, normal[1] / length
    gaps = np.abs(across * -np.arange(float(end)) + along * (d_star_cubed[0] - d_star_cubed[:end]))
    gaps[0] = 0
    deviations = gaps - _sum(gaps) / end
    spread = math.sqrt(_sum(deviations * deviations) / (end - 1))
    widest = int(np.argmax(gaps))
    # the last point that is nearly as far
    bend = widest + int(np.flatnonzero(np.append(True, gaps[widest + 1 :] > gaps[widest] - 0.5 * spread))[-1])
    # pairs i < j of slopes that do not grow
    uneven = np.count_nonzero(np.triu(slopes[:, None] >= slopes[None, :], 1))
    return float(d[chosen[bend]]), uneven / ((n - 1) * (n - 2) / 2)


def distl_method_2(d: Floats) -> tuple[float, float]:
    """Return where two shells in a row have few spots, angstrom; and how often a shell has no more than one outside.

    Shells are of equal volume; few are less than 15 % of the mean of the first two. Raises `AnalysisError` where
    DIALS fails: no volume between the spots.
    """
    edges = _shells_of_equal_volume(d)
    up = np.sort(d)
    at_or_above = len(d) - np.searchsorted(up, edges)
    counts = np.maximum(np.diff(at_or_above), 0).tolist()
    few = 0.15 * ((counts[0] + counts[1]) / 2)
    m = len(counts)
    last = next((i for i in range(m - 1) if counts[i] < few and counts[i + 1] < few), m - 2)
    column = np.array(counts)
    uneven = np.count_nonzero(np.triu(column[:, None] <= column[None, :], 1))
    return float(edges[last + 1]), uneven / (0.5 * m * (m - 1))


def _shells_of_equal_volume(d: Floats) -> Floats:
    """Return the limits in d of 20 to 40 shells of equal volume in reciprocal space, angstrom, descending.

    The innermost holds 5 % of the spots, or 25 if that is more, but not more than a quarter. As DIALS: whether the
    spot at the largest d is in it or in none is a matter of rounding, in a cube and its root.
    """
    down = np.unique(d)[::-1]
    innermost = math.ceil(min(max(25, 0.05 * len(down)), 0.25 * len(down)))
    if len(down) < 2:
        raise AnalysisError(ONE_RESOLUTION)
    first, limit, last = ((1 / radius) ** 3.0 for radius in down[[0, innermost, -1]].tolist())
    if not limit - first > 0:
        raise AnalysisError(ONE_RESOLUTION)
    n_shells = max(min(math.ceil((last - first) / (limit - first)), 40), 20)
    step = (last - first) / n_shells
    return np.array([1 / (first + i * step if i else first) ** (1 / 3) for i in range(n_shells + 1)])


ONE_RESOLUTION = "all spots are at one resolution, so that there are no shells for d_min_distl_method_2"


def _sum(values: Floats) -> float:
    """From the first to the last, as DIALS: numpy's own sum goes another way and rounds otherwise."""
    return float(np.add.accumulate(values)[-1]) if len(values) else 0.0
