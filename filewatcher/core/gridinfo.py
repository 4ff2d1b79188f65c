"""The grid as ISPyB describes it, ``GridInfo``: counts as floats, flags as numbers or words, and the camera's view.

Columns of ISPyB 5 (``micronsPerPixelX``); older rows have ``pixelsPerMicronX``, which held microns per pixel as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from filewatcher.core.grid import Corner, Grid, Orientation
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST = 1e9
"""Columns or rows: no grid has more."""

_FLAGS = {"1": True, "true": True, "yes": True, "y": True, "0": False, "false": False, "no": False, "n": False}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where a grid lies in the picture of the on-axis camera."""

    offset: tuple[float, float]
    """Pixels, (x, y) of the outer corner of the top left cell."""
    microns_per_pixel: tuple[float, float]
    """(x, y)."""

    def box_size(self, step: tuple[float, float]) -> tuple[float, float]:
        """Return the size in pixels of a cell with this step in mm."""
        return 1000 * step[0] / self.microns_per_pixel[0], 1000 * step[1] / self.microns_per_pixel[1]

    def pixel(self, box: tuple[float, float], step: tuple[float, float]) -> tuple[float, float]:
        """Return the pixel (x, y) of a place counted in cells from the outer corner of the top left one.

        >>> Snapshot(offset=(396.2, 241.2), microns_per_pixel=(0.8, 0.8)).pixel((5.5, 3.0), step=(0.001, 0.001))
        (403.075, 244.95)
        """
        width, height = self.box_size(step)
        return self.offset[0] + box[0] * width, self.offset[1] + box[1] * height


@dataclass(frozen=True, slots=True)
class GridInfo:
    """One row of ISPyB's ``GridInfo``."""

    grid: Grid
    snapshot: Snapshot | None = None
    """None where the row does not say."""

    @classmethod
    def parse(cls, row: Mapping[str, object], where: str = "gridinfo") -> GridInfo:
        """Read a row by its column names; raises `Refused`, naming ``where``, column and value.

        Two more are ours: ``start``, the corner of the first image, and ``cells_per_frame``, for a scan that took one
        frame for every so many cells along its lines.

        >>> info = GridInfo.parse({"steps_x": 14.0, "steps_y": "11", "dx_mm": 0.02, "dy_mm": 0.01, "snaked": "1",
        ...                        "orientation": "horizontal"})
        >>> str(info.grid), info.grid.snaked, info.grid.step, info.snapshot
        ('14x11', True, (0.02, 0.01), None)
        """
        read = _Row(row, where)
        steps = read.pair("dx_mm", "dy_mm")
        orientation = str(row.get("orientation", "horizontal")).strip().lower()
        start = str(row.get("start", "top-left")).strip().lower()
        columns, rows, snaked = read.count("steps_x"), read.count("steps_y"), read.flag("snaked")
        together = 1 if row.get("cells_per_frame") is None else read.count("cells_per_frame")
        try:
            grid = Grid(
                columns,
                rows,
                snaked=snaked,
                orientation=cast("Orientation", orientation),
                start=cast("Corner", start),
                step=steps,
            ).coarser(together)
        except Refused as error:
            raise Refused(f"{where}: {error}") from error
        return cls(grid, read.snapshot())


class _Row:
    """A row whose values come as numbers or as words."""

    def __init__(self, row: Mapping[str, object], where: str) -> None:
        self._row, self._where = row, where

    def count(self, name: str) -> int:
        number = self.number(name)
        if number is None or not 1 <= number < LARGEST or number != int(number):
            raise Refused(f"{self._where}: {name} is {self._row.get(name)!r}: expected a whole number from 1")
        return int(number)

    def number(self, name: str) -> float | None:
        value = self._row.get(name)
        if value is None:
            return None
        try:
            number = float(value) if isinstance(value, int | float | str) else math.nan
        except (ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise Refused(f"{self._where}: {name} is {value!r}: expected a number")
        return number

    def pair(self, x: str, y: str) -> tuple[float, float] | None:
        """Both or neither."""
        values = self.number(x), self.number(y)
        if values == (None, None):
            return None
        if values[0] is None or values[1] is None:
            given, lacking = (x, y) if values[1] is None else (y, x)
            raise Refused(f"{self._where}: it has {given} without {lacking}: give both or neither")
        return values[0], values[1]

    def flag(self, name: str) -> bool:
        value = self._row.get(name)
        word = str(int(value)) if isinstance(value, bool | int | float) and value in {0, 1} else str(value)
        if (flag := _FLAGS.get(word.strip().lower())) is None:
            raise Refused(f"{self._where}: {name} is {value!r}: expected 0 or 1")
        return flag

    def snapshot(self) -> Snapshot | None:
        offset = self.pair("snapshot_offsetXPixel", "snapshot_offsetYPixel")
        scale = self.pair("micronsPerPixelX", "micronsPerPixelY") or self.pair("pixelsPerMicronX", "pixelsPerMicronY")
        if offset is None or scale is None:
            return None
        if min(scale) <= 0:
            raise Refused(f"{self._where}: micronsPerPixel is {scale}: expected numbers above 0")
        return Snapshot(offset, scale)
