"""Which pixel values count, by the rules of dxtbx and DECTRIS; the same for every engine."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def valid_range(dtype: np.dtype[Any], trusted: tuple[float, float], *, inclusive: bool) -> tuple[float | None, float]:
    """Return the smallest and the largest valid value of a pixel type, both inclusive; None = no smallest.

    `trusted` is the smallest valid value and the saturation value; `inclusive`: is the latter valid? For integers
    the answers are integers of that type, so that numpy compares without converting the image.

    >>> valid_range(np.dtype("u2"), (0, 50000), inclusive=False), valid_range(np.dtype("u2"), (1, 1e9), inclusive=True)
    ((None, 49999), (1, 65533))
    """
    low, high = trusted
    if dtype.kind == "f":
        # dxtbx: exclusive means exclusive on both sides, of a range that starts one below the smallest value
        bounds = np.array((low, high) if inclusive else (low - 1, high), dtype=dtype.newbyteorder("="))
        return tuple(bounds.tolist()) if inclusive else tuple(np.nextafter(bounds, bounds[::-1]).tolist())
    info = np.iinfo(dtype)
    first = math.ceil(max(low, info.min))
    high = min(high, info.max + 1)
    last = math.floor(high) if inclusive else math.ceil(high) - 1
    if dtype.kind == "u":  # the marks of DECTRIS; dxtbx has no more than int32
        last = min(last, int(info.max) - 2, 2**31 - 3)
    return (None if first == info.min else first), last
