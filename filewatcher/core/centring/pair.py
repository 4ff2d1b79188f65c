"""Centring in three dimensions from two grid scans at right angles, as in production at Diamond (python-dlstbx).

The scans share x, the axis of rotation: A[x, y] and B[x, z]. The volume is V[x, y, z] = A[x, y] B[x, z].

1. In each scan, what is below ``threshold_absolute`` is 0.
2. A pin with one sample is one region; on a pin with several, connected regions of V > 0 are treated each by itself.
3. Keep voxels of at least ``threshold`` times the region's maximum; connected, corners included, they are crystals.
4. Centre = sum(V r) / sum(V); crystals are ranked by sum(V).

The whole volume is never made: a line of voxels along z is only looked at where it can reach the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.centring.answer import Seen
from filewatcher.core.centring.regions import Lines, label_lines, places, steps
from filewatcher.core.centring.signal import signal
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filewatcher.core.centring.samples import Samples
    from filewatcher.core.lines import Json
    from filewatcher.core.picture import Picture

THRESHOLD = 0.25
THRESHOLD_ABSOLUTE_SEVERAL = 3.0
"""For a pin with several samples; else 0."""

LARGEST = 50_000_000
"""Voxels that are looked at; more would not fit into the memory of a small machine."""

Voxel = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Crystal3D:
    """A connected region of voxels; names and conventions are production's."""

    centre_of_mass: tuple[float, float, float]
    """(x, y, z) in cells; the middle of the first voxel is 0.5, 0.5, 0.5."""
    max_voxel: Voxel
    max_count: float
    n_voxels: int
    total_count: float
    bounding_box: tuple[Voxel, Voxel]
    """First, and one past the last."""
    sample_id: int | None = None

    def as_json(self) -> dict[str, Json]:
        """Return production's record."""
        return {
            "centre_of_mass": list(self.centre_of_mass),
            "max_voxel": list(self.max_voxel),
            "max_count": self.max_count,
            "n_voxels": self.n_voxels,
            "total_count": self.total_count,
            "bounding_box": [list(corner) for corner in self.bounding_box],
            "sample_id": self.sample_id,
        }


@dataclass(frozen=True, slots=True)
class Centring3D:
    """Where the crystals of a pair of grid scans are."""

    metric: str
    threshold: float
    threshold_absolute: float
    seen: tuple[Seen, Seen]
    """Of each scan."""
    settled: bool
    """No unknown cell could change anything, if none is stronger than the strongest known one of its scan."""
    versions: tuple[int, int]
    """Of the two pictures."""
    crystals: tuple[Crystal3D, ...] = ()
    """The largest ``total_count`` first; empty = no diffraction."""

    @property
    def status(self) -> str:
        """``success`` or ``failed``, as ISPyB's XrayCentring has it."""
        return "success" if self.crystals else "failed"

    def production(self) -> list[Json]:
        """Return production's list of results."""
        return [crystal.as_json() for crystal in self.crystals]

    def as_json(self) -> dict[str, Json]:
        """Return production's message (``type``, ``status``, ``results``), then our fields."""
        return {
            "type": "3d",
            "status": self.status,
            "results": self.production(),
            "method": "dlstbx",
            "metric": self.metric,
            "threshold": self.threshold,
            "threshold_absolute": self.threshold_absolute,
            "versions": list(self.versions),
            "cells": [seen.cells for seen in self.seen],
            "known": [seen.known for seen in self.seen],
            "coverage": [seen.coverage for seen in self.seen],
            "settled": self.settled,
        }


def centre_lines(
    pictures: tuple[Picture, Picture], threshold: float, threshold_absolute: float, samples: Samples | None = None
) -> Centring3D:
    """Find the crystals of a pair; `centre_pair` chooses defaults. Raises `Refused` if the scans are no pair."""
    first, second = pictures
    if first.grid.columns != second.grid.columns:
        raise Refused(
            f"grids {first.grid} and {second.grid} are no pair: the first has {first.grid.columns} columns, "
            f"the second {second.grid.columns}, and x is common to both"
        )
    # x first: shape (x, y) and (x, z)
    scans = _cut(signal(first).T, threshold_absolute), _cut(signal(second).T, threshold_absolute)
    several = samples is not None and samples.several
    strongest = float((scans[0].max(axis=1) * scans[1].max(axis=1)).max())
    at_least = 0.0 if several else threshold * strongest
    x, y, volume = _reaching(*scans, at_least)
    kept = volume > 0 if several else (volume > 0) & (volume >= at_least)
    shape = scans[0].shape
    if several:
        labels = _label(kept, x, y, shape)
        most = np.zeros(labels.max(initial=0) + 1)
        np.maximum.at(most, labels[kept], volume[kept])
        kept &= volume >= threshold * most[labels]
    found = _crystals(_label(kept, x, y, shape), x, y, volume, samples)
    return Centring3D(
        metric=first.metric,
        threshold=threshold,
        threshold_absolute=threshold_absolute,
        seen=(Seen.of(first), Seen.of(second)),
        settled=_settled(pictures, scans, at_least, strongest),
        versions=(first.version, second.version),
        crystals=tuple(sorted(found, key=lambda crystal: -crystal.total_count)),
    )


def _cut(scan: NDArray[np.float64], at_least: float) -> NDArray[np.float64]:
    return np.where(scan < at_least, 0.0, scan)


def _reaching(
    a: NDArray[np.float64], b: NDArray[np.float64], at_least: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return x and y of the lines along z that have a voxel of at least ``at_least``, and V there, (lines, z)."""
    reach = a * b.max(axis=1)[:, np.newaxis]
    x, y = np.nonzero((reach > 0) & (reach >= at_least))
    if len(x) * b.shape[1] > LARGEST:
        raise Refused(
            f"{len(x) * b.shape[1]} voxels reach the thresholds, more than {LARGEST}: raise --threshold-absolute"
        )
    return x, y, a[x, y][:, np.newaxis] * b[x]


def _label(
    kept: NDArray[np.bool_], x: NDArray[np.int64], y: NDArray[np.int64], leading: tuple[int, ...]
) -> NDArray[np.int32]:
    return label_lines(Lines(kept, places(leading, np.stack([x, y])), steps(leading)))


def _crystals(
    labels: NDArray[np.int32],
    line_x: NDArray[np.int64],
    line_y: NDArray[np.int64],
    volume: NDArray[np.float64],
    samples: Samples | None,
) -> list[Crystal3D]:
    """Describe every region: sorted by region, each is a slice, in raster order within."""
    line, z = np.nonzero(labels)
    numbers = labels[line, z]
    order = np.argsort(numbers, kind="stable")
    where = np.stack([line_x[line], line_y[line], z])[:, order]
    weights = volume[line, z][order]
    ends = np.cumsum(np.bincount(numbers)[1:]) if len(numbers) else np.empty(0, np.int64)
    return [
        _crystal(where[:, end - size : end], weights[end - size : end], samples)
        for end, size in zip(ends.tolist(), np.diff(ends, prepend=0).tolist(), strict=True)
    ]


def _crystal(where: NDArray[np.int64], weights: NDArray[np.float64], samples: Samples | None) -> Crystal3D:
    total = float(weights.sum())
    peak = int(np.argmax(weights))
    x, y, z = ((where @ weights) / total + 0.5).tolist()
    return Crystal3D(
        centre_of_mass=(x, y, z),
        max_voxel=_voxel(where[:, peak]),
        max_count=float(weights[peak]),
        n_voxels=len(weights),
        total_count=total,
        bounding_box=(_voxel(where.min(axis=1)), _voxel(where.max(axis=1) + 1)),
        sample_id=samples.at(x) if samples else None,
    )


def _voxel(place: NDArray[np.int64]) -> Voxel:
    x, y, z = place.tolist()
    return x, y, z


def _settled(
    pictures: tuple[Picture, Picture], scans: tuple[NDArray[np.float64], ...], at_least: float, strongest: float
) -> bool:
    """Whether no voxel through an unknown cell can reach the threshold, or move it."""
    unknown = [~picture.known.T for picture in pictures]
    if not any(cells.any() for cells in unknown):
        return True
    full = [np.where(cells, scan.max(), scan) for cells, scan in zip(unknown, scans, strict=True)]
    for here, there in ((0, 1), (1, 0)):
        most = np.where(unknown[here], full[here] * full[there].max(axis=1)[:, np.newaxis], 0.0).max()
        if most > 0 and most >= at_least:
            return False
    return strongest > 0
