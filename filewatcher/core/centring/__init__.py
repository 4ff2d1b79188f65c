"""Where the crystal is: `centre` for one grid scan, `centre_pair` for two at right angles.

Both take pictures (`filewatcher.core.picture`), whole or as far as they are known, and say how much that was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast, get_args

from filewatcher.core.centring import dlstbx, pair, weighted
from filewatcher.core.centring.answer import Centring, Crystal, Doubt, Method, Seen
from filewatcher.core.centring.pair import Centring3D, Crystal3D
from filewatcher.core.centring.samples import Samples, wells_of
from filewatcher.core.centring.signal import CENTRING, least
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from filewatcher.core.gridinfo import Snapshot
    from filewatcher.core.picture import Picture

__all__ = [
    "CENTRING",
    "Centring",
    "Centring3D",
    "Crystal",
    "Crystal3D",
    "Doubt",
    "Method",
    "Samples",
    "Seen",
    "centre",
    "centre_pair",
    "checked_method",
    "wells_of",
]


def centre(
    picture: Picture,
    method: Method = "weighted",
    *,
    threshold: float | None = None,
    threshold_absolute: float | None = None,
    snapshot: Snapshot | None = None,
    samples: Samples | None = None,
) -> Centring:
    """Find the crystals of one grid scan; thresholds that are None are those of the method. Raises `Refused`.

    >>> import numpy as np
    >>> from filewatcher.core.grid import Grid
    >>> from filewatcher.core.picture import from_frames
    >>> spots = np.array([0.0, 0, 0, 0, 20, 60, 0, 20, 0])
    >>> found = centre(from_frames(Grid(3, 3, snaked=True), "n_spots_total", np.arange(9), spots))
    >>> found.crystals[0].centre, found.crystals[0].image, found.doubt.settled
    ((0.9, 1.7), 6, True)
    """
    if checked_method(method) == "weighted":
        share, floor = _thresholds(threshold, threshold_absolute, weighted.THRESHOLD, least(picture.metric))
        return weighted.centre_weighted(picture, share, floor, snapshot, samples)
    share, floor = _thresholds(threshold, threshold_absolute, dlstbx.THRESHOLD, 0.0)
    return dlstbx.centre_dlstbx(picture, share, floor, snapshot, samples)


def checked_method(method: str) -> Method:
    """Return the method of this name; raises `Refused` if there is none such."""
    if method not in get_args(Method):
        raise Refused(f"method {method!r}: choose one of {', '.join(get_args(Method))}")
    return cast("Method", method)


def centre_pair(
    first: Picture,
    second: Picture,
    *,
    threshold: float | None = None,
    threshold_absolute: float | None = None,
    samples: Samples | None = None,
) -> Centring3D:
    """Find the crystals of two grid scans with a common x, the first in x and y, the second in x and z.

    There is one method: production's. Raises `Refused`.
    """
    several = samples is not None and samples.several
    usual = pair.THRESHOLD_ABSOLUTE_SEVERAL if several else 0.0
    share, floor = _thresholds(threshold, threshold_absolute, pair.THRESHOLD, usual)
    return pair.centre_lines((first, second), share, floor, samples)


def _thresholds(
    threshold: float | None, absolute: float | None, usual: float, usual_absolute: float
) -> tuple[float, float]:
    share = usual if threshold is None else threshold
    floor = usual_absolute if absolute is None else absolute
    if not 0 <= share <= 1:
        raise Refused(f"threshold {share:g}: a fraction of the strongest signal, from 0 to 1")
    if not 0 <= floor < float("inf"):
        raise Refused(f"absolute threshold {floor:g}: a number from 0")
    return share, floor
