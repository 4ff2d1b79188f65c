"""Which sample a place on a pin belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from filewatcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Samples:
    """The sample of a pin, or those in the wells of a multi-sample pin."""

    sample_id: int | None = None
    """Of the pin; of one with several samples usually that in the first well."""
    by_well: Mapping[int, int] = field(default_factory=dict)
    """Well, from 1 -> sample id; empty = a pin with one sample."""
    wells: tuple[tuple[float, float], ...] = ()
    """From and to along x of each well, cells."""

    @property
    def several(self) -> bool:
        """Whether it is a multi-sample pin."""
        return bool(self.wells)

    def at(self, x: float) -> int | None:
        """Return the sample at a place along the pin, in cells; None between the wells of a multi-sample pin.

        >>> pin = Samples(7, by_well={1: 7, 2: 8}, wells=((0.0, 4.0), (4.0, 7.0)))
        >>> pin.at(2.0), pin.at(5.8), pin.at(7.5)
        (7, 8, None)
        """
        if not self.several:
            return self.sample_id
        inside = (number for number, (low, high) in enumerate(self.wells, 1) if low <= x < high)
        return self.by_well.get(next(inside, 0))


def wells_of(loop_type: str, step_mm: float) -> tuple[tuple[float, float], ...]:
    """Return where the wells of a loop type ``multipin_<n>x<width>+<offset>`` (um) are, in cells of ``step_mm``.

    ``offset`` is that of the middle of the first well. Raises `Refused` for another loop type.

    >>> wells_of("multipin_3x50+100", step_mm=0.025)
    ((3.0, 5.0), (5.0, 7.0), (7.0, 9.0))
    """
    number = r"([0-9]+(?:\.[0-9]+)?)"
    match = re.fullmatch(rf"multipin_([0-9]{{1,4}})x{number}\+{number}", loop_type.strip())
    if match is None:
        raise Refused(f"loop type {loop_type!r}: expected multipin_<wells>x<width>+<offset> in um, as multipin_6x50+9")
    width, offset, cell = float(match[2]), float(match[3]), 1000 * abs(step_mm)
    middles = (offset + width * well for well in range(int(match[1])))
    return tuple(((middle - width / 2) / cell, (middle + width / 2) / cell) for middle in middles)
