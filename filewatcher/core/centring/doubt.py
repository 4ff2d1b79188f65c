"""Whether cells that are not known could change an answer: bounds, not guesses.

One assumption is made: no unknown cell is stronger than the strongest known one. Then the threshold stays, unknown
cells can only add to regions or join them, and what they can do at most is a matter of sums.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.centring.answer import Doubt
from filewatcher.core.centring.regions import label

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filewatcher.core.centring.answer import Box

HALF = 0.5
"""Cells: a centre that could move further is not settled."""


def doubt(
    weights: NDArray[np.float64], unknown: NDArray[np.bool_], best: NDArray[np.bool_], centre: Box, strongest: float
) -> Doubt:
    """Bound what unknown cells could do to a region that wins by its sum of weights, and to its weighted centre.

    ``weights`` are those of the cells in any region, 0 elsewhere; ``best`` is the region that has won, ``strongest``
    the weight that no unknown cell exceeds. All arrays have shape (rows, columns).
    """
    if not unknown.any():
        return Doubt(settled=True, rival=False, reach=(centre, centre))
    most = np.where(unknown, strongest, weights)
    together = label((weights > 0) | unknown)
    mine = together[best][0]
    total = float(weights[best].sum())
    sums = np.bincount(together.ravel(), most.ravel())
    # beside the best region, even in its own company, others could unite
    sums[0], sums[mine] = 0.0, sums[mine] - total
    rival = bool(sums.max() >= total)
    joining = np.where((together == mine) & ~best, most, 0.0)
    x = _extremes(joining.sum(axis=0), total, centre[0])
    y = _extremes(joining.sum(axis=1), total, centre[1])
    moved = max(centre[0] - x[0], x[1] - centre[0], centre[1] - y[0], y[1] - centre[1])
    return Doubt(settled=not rival and moved <= HALF, rival=rival, reach=((x[0], y[0]), (x[1], y[1])))


def _extremes(weights: NDArray[np.float64], total: float, centre: float) -> tuple[float, float]:
    """Least and largest mean of a mass ``total`` at ``centre`` and of any of ``weights``, one per cell of an axis.

    The largest mean takes in all that lies beyond some place, and nothing before it.
    """
    places = np.arange(len(weights)) + 0.5
    moment = total * centre
    up = (moment + np.cumsum((weights * places)[::-1])) / (total + np.cumsum(weights[::-1]))
    down = (moment + np.cumsum(weights * places)) / (total + np.cumsum(weights))
    return min(centre, float(down.min())), max(centre, float(up.max()))
