"""Scans to find crystals in."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import numpy as np
from hypothesis import strategies as st

from filewatcher.core.centring import Method
from filewatcher.core.grid import Corner, Grid, Orientation
from filewatcher.core.messages import FrameFailed, FrameMissing, FrameResult, Statistics
from filewatcher.core.picture import Picture, from_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

METHODS: tuple[Method, ...] = get_args(Method)
NAN = float("nan")

counts = st.one_of(st.just(0), st.integers(0, 12), st.integers(0, 200))
grids = st.builds(
    Grid,
    st.integers(1, 8),
    st.integers(1, 8),
    snaked=st.booleans(),
    orientation=st.sampled_from(get_args(Orientation)),
    start=st.sampled_from(get_args(Corner)),
)


@st.composite
def scans(draw: st.DrawFn) -> tuple[Grid, NDArray[np.float64]]:
    """A grid and the spots of its frames, in the order of acquisition."""
    grid = draw(grids)
    return grid, np.array(draw(st.lists(counts, min_size=len(grid), max_size=len(grid))), float)


def picture(grid: Grid, spots: NDArray[np.float64], unknown: set[int] | None = None) -> Picture:
    frames = np.array([frame for frame in range(len(grid)) if frame not in (unknown or ())], np.int64)
    return from_frames(grid, "n_spots_total", frames, spots[frames])


def seen(values: list[list[float]], metric: str = "n_spots_total") -> Picture:
    """Picture from rows as they are seen; NaN = unknown."""
    array = np.array(values, float)
    grid = Grid(array.shape[1], array.shape[0], snaked=False)
    known = np.flatnonzero(~np.isnan(array.ravel()))
    return from_frames(grid, metric, known, array.ravel()[known])


def outcome(frame: int, spots: float, kind: int) -> FrameResult | FrameFailed | FrameMissing:
    if kind == 1:
        return FrameFailed(0, frame, "broken")
    if kind == 2:
        return FrameMissing(0, frame, "never came")
    few = Statistics(int(spots), int(spots), int(spots), spots, -1.0, -1.0, -1.0, -1.0, -1.0, int(spots))
    return FrameResult(0, frame, few, "dials")
