"""Scans to look at: what a grid over two crystals and a rotation would give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from filewatcher.core.grid import Grid
from filewatcher.core.messages import METRICS, State

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filewatcher.testing.pageserver import PageServer


def grid_words(columns: int, rows: int, **more: Any) -> dict[str, Any]:
    """A grid as the server tells of it."""
    usual = {"orientation": "horizontal", "snaked": True, "start": "top-left", "step_mm": [0.02, 0.02]}
    return {"columns": columns, "rows": rows} | usual | more


def grid_of(words: dict[str, Any]) -> Grid:
    return Grid(
        words["columns"], words["rows"], snaked=words["snaked"], orientation=words["orientation"], start=words["start"]
    )


def scan(columns: int, rows: int, **more: Any) -> dict[str, Any]:
    return {"expected": columns * rows, "grid": grid_words(columns, rows, **more)}


def numbers(grid: Grid, seed: int = 0) -> NDArray[np.float64]:
    """All numbers of all frames, shape (frames, metrics), as float32 has them."""
    random = np.random.default_rng(seed)
    rows, columns = grid.cells(np.arange(len(grid)))
    x, y = columns / grid.columns, rows / grid.rows
    spots = 400 * np.exp(-(((x - 0.6) / 0.06) ** 2) - ((y - 0.4) / 0.09) ** 2)
    spots += 90 * np.exp(-(((x - 0.2) / 0.1) ** 2) - ((y - 0.75) / 0.05) ** 2)
    return statistics(np.floor(spots + random.poisson(1.5, len(grid))), random)


def rotation(frames: int, seed: int = 0) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    spots = 220 + 90 * np.sin(np.linspace(0, 2 * np.pi, frames)) + random.normal(0, 18, frames)
    return statistics(np.floor(spots), random)


def statistics(spots: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    values = np.full((len(spots), len(METRICS)), -1.0)
    told = spots > 10
    resolution = 1.5 + 3 * np.exp(-spots[told] / 90) + random.uniform(0, 0.05, told.sum())
    values[:, 0], values[:, 1], values[:, 2] = spots, np.floor(0.9 * spots), np.floor(0.4 * spots)
    values[:, 3], values[:, 9] = spots * 57.25, spots * 13
    for place, more in zip((4, 5, 6), (0.0, 0.1, 0.2), strict=True):
        values[told, place] = resolution + more
    values[told, 7], values[told, 8] = 0.25, 0.5
    return values.astype(np.float32).astype(np.float64)


def record(
    server: PageServer,
    name: str,
    values: NDArray[np.float64],
    frames: range | list[int],
    *,
    scan: int = 0,
    failed: frozenset[int] = frozenset(),
    missing: frozenset[int] = frozenset(),
) -> None:
    """Let frames end, some of them badly."""
    states = [State.FAILED if f in failed else State.MISSING if f in missing else State.DONE for f in frames]
    told = values[list(frames)].copy()
    told[[state != State.DONE for state in states]] = np.nan
    server.record(name, scan, list(frames), states, told)
