"""The sample: which cell the beam is on at which frame, and how much crystal is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filewatcher.testing.detector.settings import Simulation

BLANKS = 2
"""Distinct images without a crystal."""


@dataclass(frozen=True, slots=True)
class Still:
    """What one image of the pool shows."""

    crystal: int
    """Which crystal, from 0; -1 = none."""
    strength: float
    """0 to 1, the diffracting volume in the beam."""


@dataclass(frozen=True, slots=True)
class _Ellipse:
    """A crystal seen along the beam; lengths in parts of the grid."""

    half_width: float
    half_height: float
    strength: float
    at: tuple[float, float] | None = None
    """Column, row of its middle; None = as the simulation says."""


_CRYSTALS = (_Ellipse(0.25, 0.25, 1.0), _Ellipse(0.10, 0.12, 0.5, (0.88, 0.15)))


def cells(sim: Simulation) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return column and row of every frame, from 0 at the top left; shape (frames,)."""
    columns = sim.grid[0]
    row, column = np.divmod(np.arange(sim.n_frames), columns)
    if sim.snaked:
        column = np.where(row % 2 == 1, columns - 1 - column, column)
    return column, row


def positions(sim: Simulation) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ``sam_x`` and ``sam_y`` of every frame in mm, the middle of the grid at 0; shape (frames,)."""
    step = 0.0 if sim.oscillation else sim.step_um / 1000
    column, row = cells(sim)
    return (column - (sim.grid[0] - 1) / 2) * step, (row - (sim.grid[1] - 1) / 2) * step


def angles(sim: Simulation) -> NDArray[np.float64]:
    """Return omega at the beginning of every frame in degrees; shape (frames,)."""
    return 90.0 * sim.turn + sim.oscillation * np.arange(sim.n_frames)


def stills(sim: Simulation) -> tuple[Still, ...]:
    """Return what the images of the pool show: blanks first, then each crystal from weak to strong."""
    shown = [Still(-1, 0.0)] * BLANKS
    for crystal in range(sim.crystals):
        most = _CRYSTALS[crystal].strength
        # squared: where a crystal is thin it is mostly its rim, which diffracts worse
        shown += [Still(crystal, most * ((level + 1) / sim.levels) ** 2) for level in range(sim.levels)]
    return tuple(shown)


def images(sim: Simulation) -> NDArray[np.int64]:
    """Return which image of the pool every frame shows; shape (frames,)."""
    return np.concatenate([_images(scan) for scan in sim.scans])


def _images(sim: Simulation) -> NDArray[np.int64]:
    if sim.oscillation:
        # a plate: thinnest along the beam at 0 degrees, and so dark that the weakest image is its own
        thickness = 0.05 + 0.95 * np.sin(np.radians(angles(sim))) ** 2
        level = np.ceil(thickness * sim.levels).astype(np.int64)
        return np.asarray(BLANKS + level - 1, np.int64)
    column, row = cells(sim)
    chosen = np.arange(sim.n_frames) % BLANKS
    for crystal in range(sim.crystals):
        depth = _depth(_CRYSTALS[crystal], sim, column, row)
        level = np.ceil(depth * sim.levels).astype(np.int64)
        chosen = np.where(level > 0, BLANKS + crystal * sim.levels + level - 1, chosen)
    return chosen


def _depth(
    ellipse: _Ellipse, sim: Simulation, column: NDArray[np.int64], row: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Thickness of a lens along the beam, 1 in its middle, 0 outside; never less than about a cell wide."""
    columns, rows = sim.grid
    x, y = ellipse.at or sim.crystal_at
    dx = (column - x * (columns - 1)) / max(0.8, ellipse.half_width * columns)
    dy = (row - y * (rows - 1)) / max(0.8, ellipse.half_height * rows)
    depth: NDArray[np.float64] = np.clip(1 - dx**2 - dy**2, 0, 1)
    return depth
