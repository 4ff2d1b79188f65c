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


def differences(
    viewer: Viewer,
    grid: Grid,
    states: NDArray[np.int64],
    values: NDArray[np.float64],
    metric: str = METRICS[0],
    scan: int = 0,
) -> list[str]:
    """Compare what is shown with the data, cell by cell; returns a sentence for each cell that is another one.

    Arrays are by frame: states have shape (frames,), values (frames, metrics), as float32 has them.
    """
    order = grid.frames(*np.divmod(np.arange(len(grid)), grid.columns))
    shown = viewer.ask(NUMBERS, scan)
    found = np.array([[np.nan if value is None else value for value in cell] for cell in shown], float)
    told = np.column_stack([states, np.where((states == State.DONE)[:, None], values, np.nan)])[order]
    seen, expected = np.array(viewer.ask(SEEN, scan)), expected_colours(viewer, states, values, metric)[order]
    wrong = [("has the numbers", found, told), ("is coloured", seen, expected)]
    return [
        f"frame {frame}, row {cell // grid.columns}, column {cell % grid.columns} {what} {one[cell].tolist()}, "
        f"expected {other[cell].tolist()}"
        for what, one, other in wrong
        for cell, frame in enumerate(order.tolist())
        if not np.array_equal(one[cell], other[cell], equal_nan=True)
    ]


def expected_colours(
    viewer: Viewer, states: NDArray[np.int64], values: NDArray[np.float64], metric: str
) -> NDArray[np.int64]:
    """Return what colour each frame has to have on the scale that the viewer sees, shape (frames, 3)."""
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
