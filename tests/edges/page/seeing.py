"""What the page shows, cell by cell, against the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps

from filewatcher.core.messages import METRICS, State
from filewatcher.core.report import ESTIMATED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filewatcher.core.grid import Grid
    from filewatcher.testing.viewer import Viewer

UNKNOWN = 4
"""As in states.js: done, with too few spots to say a value."""

SEEN = """(scan) => {
    const { view, grid, store } = __grid.panes[scan];
    const { cells, viewport } = view;
    const { data, width } = cells.getImageData(0, 0, view.width, view.height);
    const colours = [];
    for (let row = 0; row < grid.rows; row++) for (let column = 0; column < grid.columns; column++) {
        const [x, y] = viewport.place(column + 0.5, row + 0.5).map(Math.floor);
        colours.push(Array.from(data.subarray(4 * (y * width + x), 4 * (y * width + x) + 3)));
    }
    return colours;
}"""
NUMBERS = """(scan) => {
    const { grid, store } = __grid.panes[scan];
    return Array.from({ length: grid.rows * grid.columns }, (_, i) => {
        const frame = grid.frame(Math.floor(i / grid.columns), i % grid.columns);
        const told = (values) => (Number.isNaN(values[frame]) ? null : values[frame]);
        return [store.states[frame] ?? 0, ...store.values.map(told)];
    });
}"""
SCALE = "() => { const { low, high, root } = __grid.ranges.scale(); return [low, high, root]; }"
LOOKS = "async () => (await import('/static/states.js')).LOOKS[document.documentElement.dataset.theme]"


def check(
    viewer: Viewer,
    grid: Grid,
    states: NDArray[np.int64],
    values: NDArray[np.float64],
    metric: str = METRICS[0],
    scan: int = 0,
) -> None:
    """Compare what is shown with the data, cell by cell; arrays are by frame."""
    order = grid.frames(*np.divmod(np.arange(len(grid)), grid.columns))
    shown = viewer.ask(NUMBERS, scan)
    found = np.array([[np.nan if value is None else value for value in cell] for cell in shown], float)
    assert np.array_equal(found[:, 0], states[order])
    told = np.where((states == State.DONE)[:, None], values, np.nan)
    assert np.array_equal(found[:, 1:], told[order], equal_nan=True)
    assert np.array_equal(np.array(viewer.ask(SEEN, scan)), expected_colours(viewer, states, values, metric)[order])


def expected_colours(
    viewer: Viewer, states: NDArray[np.int64], values: NDArray[np.float64], metric: str
) -> NDArray[np.int64]:
    low, high, root = viewer.ask(SCALE)
    of = values[:, METRICS.index(metric)]
    share = np.clip((of - low) * (1 / (high - low)), 0, 1)
    share = 1 - share if metric in ESTIMATED else share
    levels = np.floor(255 * (np.sqrt(share) if root else share) + 0.5).astype(int)
    colours = colormaps["viridis"](levels, bytes=True)[:, :3].astype(int)
    looks = states.copy()
    if metric in ESTIMATED:
        looks[(states == State.DONE) & (of < 0)] = UNKNOWN
    for look, face in viewer.ask(LOOKS).items():
        colours[looks == int(look)] = face["face"]
    return np.array(colours)
