"""What is said of a centre: in the names that production uses, and how sure it is.

Places are counted in cells (*boxes*) from the outer corner of the top left cell: the middle of that cell is 0.5, 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filewatcher.core.grid import Grid
    from filewatcher.core.gridinfo import Snapshot
    from filewatcher.core.lines import Json
    from filewatcher.core.picture import Picture

Method: TypeAlias = Literal["weighted", "dlstbx"]
Box: TypeAlias = tuple[float, float]
"""(x, y), cells."""

NOTHING = "No good images found"
"""Production's words for a scan without diffraction."""


@dataclass(frozen=True, slots=True)
class Crystal:
    """A connected region of cells that diffract."""

    centre: Box
    peak: tuple[int, int]
    """(column, row) of its strongest cell."""
    peak_value: float
    """Of the metric, there."""
    image: int
    """Of the peak, from 1."""
    n_cells: int
    total: float
    """Sum of the signal over the region."""
    bounding_box: tuple[tuple[int, int], tuple[int, int]]
    """((x, y) first, (x, y) one past the last)."""
    uncertainty: Box | None = None
    """One standard deviation, cells; None where the method has none."""


@dataclass(frozen=True, slots=True)
class Seen:
    """How much of the grid is known."""

    cells: int
    known: int

    @classmethod
    def of(cls, picture: Picture) -> Seen:
        """Count the cells of a picture."""
        return cls(picture.known.size, int(np.count_nonzero(picture.known)))

    @property
    def coverage(self) -> float:
        """0 to 1."""
        return self.known / self.cells


@dataclass(frozen=True, slots=True)
class Doubt:
    """Whether the unknown cells could change the answer, if none of them is stronger than the strongest known one."""

    settled: bool
    """They could neither make another region win, nor move the centre by more than half a cell along an axis."""
    rival: bool
    """They could make another region win."""
    reach: tuple[Box, Box] | None = None
    """The centre lies from (x, y) to (x, y) as long as its region wins; None without a centre."""


@dataclass(frozen=True, slots=True, eq=False)
class Centring:
    """Where the crystal of one grid scan is."""

    method: Method
    metric: str
    threshold: float
    """Fraction of the strongest signal."""
    threshold_absolute: float
    """In units of the signal."""
    grid: Grid
    seen: Seen
    doubt: Doubt
    version: int = 0
    """Of the picture."""
    crystals: tuple[Crystal, ...] = ()
    """The best first; of ``dlstbx`` that one only. Empty = no diffraction."""
    n_regions: int = 0
    """How many there are: ``crystals`` has the first few."""
    region: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 2), np.int64))
    """Of the best: (row, column) of its cells, shape (cells, 2)."""
    best_image: int | None = None
    """From 1."""
    best_value: float | None = None
    """Of the metric on the best image. ``dlstbx``: of all images, which need not be one of the region."""
    snapshot: Snapshot | None = None
    sample_id: int | None = None

    @classmethod
    def nothing_found(
        cls,
        picture: Picture,
        method: Method,
        threshold: float,
        threshold_absolute: float,
        snapshot: Snapshot | None,
    ) -> Centring:
        """Return the answer without any region: an unknown cell could make one."""
        some = not picture.known.all()
        return cls(
            method=method,
            metric=picture.metric,
            threshold=threshold,
            threshold_absolute=threshold_absolute,
            grid=picture.grid,
            seen=Seen.of(picture),
            doubt=Doubt(settled=not some, rival=some),
            version=picture.version,
            snapshot=snapshot,
        )

    @property
    def status(self) -> str:
        """``ok`` or ``fail``."""
        return "ok" if self.crystals else "fail"

    @property
    def message(self) -> str:
        """``ok``, or why there is no centre."""
        if self.crystals:
            return "ok"
        return NOTHING if self.seen.known else "No image is known yet"

    def pixel(self) -> tuple[float, float] | None:
        """Return the best centre in the camera's picture, (x, y); None if it or the scale is unknown."""
        if not self.crystals or self.snapshot is None or self.grid.step is None:
            return None
        return self.snapshot.pixel(self.crystals[0].centre, self.grid.step)

    def production(self, *, region: bool = True) -> dict[str, Json]:
        """Return the fields of production's answer (``Dials5AResults.json``), null where there is nothing to say."""
        best, pixel = self.crystals[0] if self.crystals else None, self.pixel()
        view, step = self.snapshot, self.grid.step
        return {
            "centre_of_mass": None if best is None else list(best.centre),
            "max_voxel": None if best is None else list(best.peak),
            "max_count": None if best is None or self.best_value is None else float(self.best_value),
            "n_voxels": None if best is None else best.n_cells,
            "total_count": None if best is None else float(best.total),
            "sample_id": None if best is None else self.sample_id,
            "steps": [self.grid.columns, self.grid.rows],
            "box_size_px": None if view is None or step is None else list(view.box_size(step)),
            "snapshot_offset": None if view is None else list(view.offset),
            "centre_x": None if pixel is None else pixel[0],
            "centre_y": None if pixel is None else pixel[1],
            "centre_x_box": None if best is None else best.centre[0],
            "centre_y_box": None if best is None else best.centre[1],
            "status": self.status,
            "message": self.message,
            "best_image": self.best_image,
            "reflections_in_best_image": _whole(self.best_value),
            "best_region": None if best is None or not region else [[int(r), int(c)] for r, c in self.region],
        }

    def as_json(self, *, region: bool = True) -> dict[str, Json]:
        """Return production's fields, then ours; without ``region`` not the list of the region's cells."""
        fields = self.production(region=region)
        if not region:
            del fields["best_region"]
        return fields | {
            "type": "2d",
            **_how(self.method, self.metric, self.threshold, self.threshold_absolute),
            "version": self.version,
            **_seen(self.seen),
            "settled": self.doubt.settled,
            "rival": self.doubt.rival,
            "centre_reach_box": None if self.doubt.reach is None else [list(end) for end in self.doubt.reach],
            "n_crystals": self.n_regions,
            "crystals": [self._crystal(crystal) for crystal in self.crystals],
        }

    def place_mm(self, crystal: Crystal) -> tuple[float, float] | None:
        """Return the centre of a crystal in mm on the axes of the grid; None if its step is unknown."""
        if self.grid.step is None:
            return None
        (dx, dy), (x0, y0) = self.grid.step, self.grid.origin or (0.0, 0.0)
        return x0 + dx * (crystal.centre[0] - 0.5), y0 + dy * (crystal.centre[1] - 0.5)

    def size_um(self, crystal: Crystal) -> tuple[float, float] | None:
        """Return width and height of a crystal's region; None if the step is unknown."""
        if self.grid.step is None:
            return None
        (x0, y0), (x1, y1) = crystal.bounding_box
        return 1000 * abs(self.grid.step[0]) * (x1 - x0), 1000 * abs(self.grid.step[1]) * (y1 - y0)

    def uncertainty_um(self, crystal: Crystal) -> tuple[float, float] | None:
        """Return one standard deviation of a crystal's centre; None if it or the step is unknown."""
        if self.grid.step is None or crystal.uncertainty is None:
            return None
        (dx, dy), (x, y) = self.grid.step, crystal.uncertainty
        return 1000 * abs(dx) * x, 1000 * abs(dy) * y

    def _crystal(self, crystal: Crystal) -> dict[str, Json]:
        return {
            "centre_of_mass": list(crystal.centre),
            "max_voxel": list(crystal.peak),
            "max_count": crystal.peak_value,
            "n_voxels": crystal.n_cells,
            "total_count": crystal.total,
            "best_image": crystal.image,
            "bounding_box": [list(corner) for corner in crystal.bounding_box],
            "centre_mm": _list(self.place_mm(crystal)),
            "size_um": _list(self.size_um(crystal)),
            "uncertainty_box": _list(crystal.uncertainty),
            "uncertainty_um": _list(self.uncertainty_um(crystal)),
        }


def _list(numbers: tuple[float, ...] | None) -> Json:
    return None if numbers is None else list(numbers)


def _whole(number: float | None) -> int | float | None:
    """Counts as whole numbers."""
    return int(number) if number is not None and float(number).is_integer() else number


def _how(method: Method, metric: str, threshold: float, threshold_absolute: float) -> dict[str, Json]:
    return {"method": method, "metric": metric, "threshold": threshold, "threshold_absolute": threshold_absolute}


def _seen(seen: Seen) -> dict[str, Json]:
    return {"cells": seen.cells, "known": seen.known, "coverage": seen.coverage}
