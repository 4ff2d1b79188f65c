"""Numbers with units: what a master writes, in the units that we use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filewatcher.edges.swmr.tree import text
from filewatcher.errors import Broken

if TYPE_CHECKING:
    import h5py

MM = {
    "m": 1e3, "meter": 1e3, "metre": 1e3, "cm": 10.0, "centimeter": 10.0, "mm": 1.0, "millimeter": 1.0,
    "millimetre": 1.0, "um": 1e-3, "micron": 1e-3, "micrometer": 1e-3, "micrometre": 1e-3, "µm": 1e-3, "μm": 1e-3,
    "nm": 1e-6, "nanometer": 1e-6, "nanometre": 1e-6, "angstrom": 1e-7, "a": 1e-7, "å": 1e-7,
}  # fmt: skip
ANGSTROM = {unit: mm * 1e7 for unit, mm in MM.items()}
SECONDS = {"s": 1.0, "sec": 1.0, "second": 1.0, "ms": 1e-3, "millisecond": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6,
           "microsecond": 1e-6, "ns": 1e-9, "nanosecond": 1e-9}  # fmt: skip
DEGREES = {"deg": 1.0, "degree": 1.0, "°": 1.0, "rad": 57.29577951308232, "radian": 57.29577951308232}
KEV = {"ev": 1e-3, "kev": 1.0}
PLANCK_C = 12.398419843320026
"""h c in keV angstrom (2019 SI, exact)."""


def factor(dataset: h5py.Dataset, units: dict[str, float], default: str, attribute: str = "units") -> float:
    """Return what a dataset's numbers are to be multiplied by. Raises `Broken` for a unit of another kind.

    `default` is the unit where the attribute is not there.
    """
    said = text(dataset.attrs.get(attribute)) or default
    name = said.lower()
    found = units.get(name, units.get(name.removesuffix("s")))
    if found is None:
        raise Broken(
            f"{dataset.file.filename}:{dataset.name} has {attribute} {said!r}, which is none of "
            f"{', '.join(sorted(units))}: the master has to say it in one of these"
        )
    return found
