"""What is known of a scan at one moment: what the results file, the pictures and the summary are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.messages import COUNTS, METRICS, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from filewatcher.core.centring import Centring
    from filewatcher.core.grid import Grid
    from filewatcher.core.gridinfo import Snapshot
    from filewatcher.core.observations import MasterFile
    from filewatcher.core.verification import Verification

ESTIMATED: frozenset[str] = frozenset(METRICS) - COUNTS - {"total_intensity"}
"""Metrics that are -1.0 where an image has too few spots to say; of all of them the lowest is the best."""

UNITS: Mapping[str, str] = {
    "total_intensity": "counts",
    "estimated_d_min": "angstrom",
    "d_min_distl_method_1": "angstrom",
    "d_min_distl_method_2": "angstrom",
}
"""Of the metrics that have one, as NeXus writes it."""


@dataclass(frozen=True, slots=True, eq=False)
class ScanReport:
    """One scan. All arrays have shape (frames selected,) and the same order."""

    collection: str
    """Its name."""
    scan: int
    """From 0."""
    master: MasterFile
    expected: int
    """Frames selected: done + failed + missing in the end."""
    frames: NDArray[np.int64]
    """Logical frame, from 0; a selection may skip some."""
    states: NDArray[np.uint8]
    """`State` of each."""
    values: Mapping[str, NDArray[np.float64]]
    """Per name in `METRICS`; NaN unless the frame is done, -1.0 as in `Statistics`."""
    errors: Mapping[int, str]
    """By position in the arrays: why a frame is failed or missing."""
    attempts: NDArray[np.int64]
    """How often each was sent to a worker; 0 = never."""
    engine: str
    """``native`` or ``dials``."""
    grid: Grid | None = None
    """None = not a grid scan."""
    parameters: Mapping[str, object] = field(default_factory=dict)
    """As resolved: every parameter with the value that was used."""
    versions: Mapping[str, object] = field(default_factory=dict)
    """Of the programs and libraries that decide on results."""
    times: Mapping[str, object] = field(default_factory=dict)
    """Seconds, and points in time as ISO 8601."""
    warnings: tuple[str, ...] = ()
    """What had to be assumed, in words."""
    engine_reason: str = ""
    """Why this engine, and whose rules it follows, in words."""
    verification: Verification | None = None
    """None = nothing was compared with real DIALS."""
    centring: Centring | None = None
    """Where the crystal is; None without a grid."""
    angles: NDArray[np.float64] | None = None
    """Of a rotation: degrees at which each frame begins."""
    snapshot: Snapshot | None = None
    """Where the grid lies in the camera's picture; None = not known."""

    def __post_init__(self) -> None:
        """Raise ValueError if the arrays do not belong together."""
        shapes = {"states": self.states.shape, "attempts": self.attempts.shape}
        shapes |= {name: self.values[name].shape for name in METRICS}
        if self.angles is not None:
            shapes["angles"] = self.angles.shape
        for name, shape in shapes.items():
            if shape != self.frames.shape:
                raise ValueError(f"{name} has shape {shape}, frames {self.frames.shape}")

    def count(self, state: State) -> int:
        """Frames in a state."""
        return int(np.count_nonzero(self.states == state))

    def known(self, metric: str) -> NDArray[np.float64]:
        """Values fit for a picture or an average: NaN unless done, and NaN where there were too few spots to say."""
        values = self.values[metric]
        unknown = self.states != State.DONE
        if metric in ESTIMATED:
            unknown = unknown | (values < 0)
        return np.where(unknown, np.nan, values)

    def best(self, metric: str) -> int | None:
        """Position in the arrays of the best known value, the first of equals; None if no value is known."""
        values = self.known(metric)
        if np.isnan(values).all():
            return None
        return int(np.nanargmin(values) if metric in ESTIMATED else np.nanargmax(values))
