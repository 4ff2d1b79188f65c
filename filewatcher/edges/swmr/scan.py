"""What a master says of a scan besides its images: exposure time and sample positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.observations import Positions
from filewatcher.edges.swmr.tree import number
from filewatcher.edges.swmr.units import DEGREES, MM, SECONDS, factor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filewatcher.edges.swmr.tree import Tree

ROTATION = 0.5
"""Degrees that omega moves in a scan, from which on it is a rotation."""


def exposure_time(tree: Tree, entry: str) -> float | None:
    """Seconds per frame: ``frame_time``, else ``count_time`` and the readout time; None = unknown.

    What lies in a file that is not there yet counts as unknown: it is only needed for time-outs.
    """
    detector = f"{entry}/instrument/detector"
    whole = _seconds(tree, f"{detector}/frame_time")
    if whole:
        return whole
    counting = _seconds(tree, f"{detector}/count_time")
    if not counting:
        return None
    return counting + (_seconds(tree, f"{detector}/detector_readout_time") or 0.0)


def _seconds(tree: Tree, name: str) -> float | None:
    dataset = tree.find(name).dataset
    if dataset is None:
        return None
    value = number(tree.read(dataset))
    return None if value is None else value * factor(dataset, SECONDS, "s")


def sample_positions(tree: Tree, entry: str, frames: int) -> Positions | None:
    """Sample position of each frame in mm; None where nothing moves, or the master has no value per frame.

    None too for a rotation: a sample that moves while it turns is on a helix, not on a grid.

    ``x`` is sam_x. The other one is whichever of sam_y and sam_z moves; a grid that is tilted between these two (a
    scan at an omega of its own) moves both, and ``y`` is then the way along the line on which they move, signed as
    the one that moves more.
    """
    axes = {name: _axis(tree, entry, name, frames) for name in ("sam_x", "sam_y", "sam_z")}
    moving = {name: float(np.ptp(values)) for name, values in axes.items() if values is not None and frames > 1}
    if not any(moving.values()) or rotation_angles(tree, entry, frames) is not None:
        return None
    still = np.zeros(frames)
    x = axes["sam_x"] if axes["sam_x"] is not None else still
    others = [values for name in ("sam_y", "sam_z") if (values := axes[name]) is not None and np.ptp(values) > 0]
    return Positions(x, _along(others) if others else axes["sam_y"] if axes["sam_y"] is not None else still)


def rotation_angles(tree: Tree, entry: str, frames: int) -> NDArray[np.float64] | None:
    """Degrees at which each frame begins; None where no axis has a value per frame and moves more than readback noise.

    The first of omega and phi that turns, as NXmx has it (``transformations``), else as DECTRIS does (``goniometer``).
    """
    for place in ("transformations/omega", "goniometer/omega", "transformations/phi", "goniometer/phi"):
        dataset = tree.find(f"{entry}/sample/{place}").dataset
        if dataset is not None and dataset.shape == (frames,):
            angles = np.asarray(tree.read(dataset), np.float64) * factor(dataset, DEGREES, "deg")
            if np.isfinite(angles).all() and frames and np.ptp(angles) > ROTATION:
                return angles
    return None


def _along(axes: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Position along the line on which two axes move together."""
    if len(axes) == 1:
        return axes[0]
    both = np.stack(axes)
    spread = np.ptp(both, axis=1)
    larger = int(np.argmax(spread))
    if spread.min() < 1e-3 * spread.max():  # readback noise of the one that rests
        return axes[larger]
    mean = both.mean(axis=1, keepdims=True)
    direction = np.linalg.svd(both - mean, full_matrices=False)[0][:, 0]
    direction *= np.sign(direction[larger])
    return np.asarray(direction @ (both - mean) + mean[larger], np.float64)


def _axis(tree: Tree, entry: str, name: str, frames: int) -> NDArray[np.float64] | None:
    for place in (f"sample/transformations/{name}", f"sample/sample_{name[-1]}/{name}", f"data/{name}"):
        dataset = tree.find(f"{entry}/{place}").dataset
        if dataset is not None and dataset.shape == (frames,):
            values = np.asarray(tree.read(dataset), np.float64) * factor(dataset, MM, "mm")
            if np.isfinite(values).all():
                return values
    return None
