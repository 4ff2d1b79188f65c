"""Grid scans that came as JSON: values per image, in the order of acquisition, and the grid they lie on.

::

    {"scans": [{"values": [0, 3, null, ...], "gridinfo": {"steps_x": 14, "steps_y": 11, "snaked": 1, ...}}, ...],
     "sample_id": 1, "multipin_sample_ids": {"1": 1, "2": 2}, "loop_type": "multipin_2x50+100"}

``null`` = missing. All but ``scans`` is optional; ``well_limits`` (from and to in cells, one pair per well) may stand
for ``loop_type``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.centring import Samples, wells_of
from filewatcher.core.gridinfo import GridInfo
from filewatcher.core.picture import from_frames
from filewatcher.core.report import ESTIMATED
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filewatcher.core.gridinfo import Snapshot
    from filewatcher.core.picture import Picture


SMALLEST, LARGEST = 1e-15, 1e15
"""What a value may be, 0 apart: beyond, sums and inverses would leave the range of floating-point numbers."""


@dataclass(frozen=True, slots=True)
class StoredScans:
    """What can be centred again."""

    pictures: tuple[Picture, ...]
    """One per scan."""
    snapshot: Snapshot | None = None
    """Of the first scan."""
    samples: Samples | None = None


def parse_scans(content: bytes, metric: str, name: str) -> StoredScans:
    """Read scans whose values are those of ``metric``; raises `Refused`, naming the file, the scan and the value."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Refused(f"{name} is neither a results.h5 nor JSON: {error}") from error
    scans = document.get("scans") if isinstance(document, dict) else None
    if not isinstance(scans, list) or not scans:
        raise Refused(f'{name}: expected {{"scans": [{{"values": [...], "gridinfo": {{...}}}}]}}')
    read = [_scan(scan, metric, f"scan {number} of {name}") for number, scan in enumerate(scans)]
    step = read[0][1].grid.step
    return StoredScans(
        tuple(picture for picture, _ in read),
        read[0][1].snapshot,
        _samples(document, None if step is None else step[0], name),
    )


def _scan(scan: object, metric: str, where: str) -> tuple[Picture, GridInfo]:
    row = scan.get("gridinfo") if isinstance(scan, dict) else None
    listed = scan.get("values") if isinstance(scan, dict) else None
    if not isinstance(row, dict) or not isinstance(listed, list):
        raise Refused(f'{where}: expected {{"values": [...], "gridinfo": {{...}}}}')
    info = GridInfo.parse(row, f"gridinfo of {where}")
    info.grid.check(len(listed), where)
    values = np.array([_value(value, metric, f"{where}, image {i}") for i, value in enumerate(listed, 1)])
    known = np.flatnonzero(~np.isnan(values))
    return from_frames(info.grid, metric, known, values[known]), info


def _value(value: object, metric: str, where: str) -> float:
    """A number; NaN = missing."""
    if value is None:
        return math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        too_few = value == -1 and metric in ESTIMATED
        if too_few or value == 0 or SMALLEST <= value <= LARGEST:
            return float(value)
    raise Refused(f"{where}: {metric} is {value!r}: expected a number from 0 to {LARGEST:g}, or null if missing")


def _samples(document: Mapping[str, object], step: float | None, name: str) -> Samples | None:
    sample = _number(document.get("sample_id"), f"{name}: sample_id")
    by_well, loop, limits = (document.get(key) for key in ("multipin_sample_ids", "loop_type", "well_limits"))
    wells: tuple[tuple[float, float], ...] = ()
    if limits is not None:
        wells = _limits(limits, name)
    elif isinstance(loop, str) and loop.startswith("multipin"):
        if step is None:
            raise Refused(f"{name}: loop_type {loop} is in um, and the gridinfo has no dx_mm to make cells of it")
        wells = wells_of(loop, step)
    if not isinstance(by_well, Mapping | None):
        raise Refused(f'{name}: multipin_sample_ids is {by_well!r}: expected {{"1": <sample id>, ...}}')
    ids = {_number(well, f"{name}: well"): _number(of, f"{name}: sample") for well, of in (by_well or {}).items()}
    found = Samples(sample, {well: of for well, of in ids.items() if well is not None and of is not None}, wells)
    return None if found == Samples() else found


def _number(value: object, what: str) -> int | None:
    try:
        return None if value is None else int(str(value).removesuffix(".0"))
    except ValueError:
        raise Refused(f"{what} is {value!r}: expected a whole number") from None


def _limits(limits: object, name: str) -> tuple[tuple[float, float], ...]:
    pairs: NDArray[np.float64] | None = None
    if isinstance(limits, Sequence):
        try:
            pairs = np.array(limits, float).reshape(-1, 2)
        except (ValueError, TypeError):
            pairs = None
    if pairs is None or not np.isfinite(pairs).all():
        raise Refused(f"{name}: well_limits is {limits!r}: expected [[from, to], ...] in cells")
    return tuple((float(low), float(high)) for low, high in pairs)
