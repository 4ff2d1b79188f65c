"""How far X-rays get into the sensor of a pixel detector: linear attenuation coefficients, without DIALS.

The numbers are NIST's: J. H. Hubbell and S. M. Seltzer, Tables of X-Ray Mass Attenuation Coefficients (NISTIR 5632),
https://www.nist.gov/pml/x-ray-mass-attenuation-coefficients. cctbx has the same ones (cctbx.eltbx), from where dxtbx
takes mu; a test compares the two over the wavelengths of the field.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

from spotfinding.errors import AnalysisError

EV_ANGSTROM = 6.62607015 * 2.99792458 / 1.602176634 * 1000
"""Planck's constant times the speed of light, eV angstrom."""

WAY_OUT = " (parallax_correction=false does without)"


@dataclass(frozen=True, slots=True)
class Material:
    """What a sensor is made of; an absorption edge has its energy twice, below and above."""

    density: float
    """g/cm^3."""
    energies: tuple[float, ...]
    """MeV, ascending."""
    mass_attenuation: tuple[float, ...]
    """cm^2/g, at these energies, coherent scattering included."""


# fmt: off
MATERIALS: dict[str, Material] = {
    "Si": Material(
        2.33,
        (0.001, 0.0015, 0.0018389, 0.0018389, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03,
            0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2),
        (1570.0, 535.5, 309.2, 3192.0, 2777.0, 978.4, 452.9, 245.0, 147.0, 64.68, 33.89, 10.34, 4.464, 1.436, 0.7012,
            0.4385, 0.3207, 0.2228, 0.1835, 0.1448, 0.1275),
    ),
    "GaAs": Material(
        5.32,
        (0.001, 0.00105613, 0.0011154, 0.0011154, 0.00112877, 0.0011423, 0.0011423, 0.00121752, 0.0012977, 0.0012977,
            0.00131034, 0.0013231, 0.0013231, 0.00134073, 0.0013586, 0.0013586, 0.0015, 0.0015265, 0.0015265, 0.002,
            0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.0103671, 0.0103671, 0.0110916, 0.0118667, 0.0118667, 0.015, 0.02,
            0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2),
        (1917.0, 1685.0, 1481.0, 2772.0, 3180.0, 3532.0, 4372.0, 4130.0, 3657.0, 4066.0, 3971.0, 3879.0, 5652.0,
            5525.0, 5415.0, 6266.0, 5159.0, 4939.0, 5278.0, 2731.0, 970.2, 453.9, 249.5, 152.4, 69.6, 37.8, 34.25,
            126.0, 105.9, 88.99, 168.5, 92.2, 42.58, 13.97, 6.262, 3.365, 2.042, 0.9587, 0.5598, 0.2509, 0.1671),
    ),
    "CdTe": Material(
        6.2,
        (0.001, 0.001003, 0.001006, 0.001006, 0.0015, 0.002, 0.003, 0.003537, 0.003537, 0.003631, 0.003727, 0.003727,
            0.004, 0.004018, 0.004018, 0.004177, 0.004341, 0.004341, 0.004475, 0.004612, 0.004612, 0.004773, 0.004939,
            0.004939, 0.005, 0.006, 0.008, 0.01, 0.015, 0.02, 0.026711, 0.026711, 0.03, 0.031814, 0.031814, 0.04, 0.05,
            0.06, 0.08, 0.1, 0.15, 0.2),
        (7927.0, 7875.0, 7824.0, 8014.0, 3291.0, 1664.0, 614.6, 406.4, 778.7, 730.0, 684.0, 860.1, 723.0, 715.1,
            793.4, 722.1, 656.2, 932.8, 873.9, 813.5, 943.8, 870.2, 799.9, 865.3, 839.2, 528.6, 249.2, 138.1, 46.57,
            21.44, 9.834, 29.43, 21.82, 18.73, 34.92, 19.3, 10.67, 6.542, 3.019, 1.671, 0.6071, 0.3246),
    ),
}
# fmt: on
"""Those of the detectors in use, from 1 to 200 keV (0.06 to 12 angstrom)."""


def attenuation(material: str, wavelength: float) -> float:
    """Return the linear attenuation coefficient of a sensor, 1/mm; `wavelength` in angstrom.

    Between the energies of the table, ln(mu) is linear in ln(energy). Raises `AnalysisError` for a material or an
    energy that the table does not have.

    >>> round(attenuation("Si", 1.0), 4)
    4.208
    """
    known = MATERIALS.get(material)
    if known is None:
        there = ", ".join(MATERIALS)
        raise AnalysisError(f"no attenuation is known of the sensor material {material!r}, only of {there}{WAY_OUT}")
    energy = EV_ANGSTROM / wavelength / 1000000
    above = bisect_right(known.energies, energy)
    if not 0 < above < len(known.energies):
        raise AnalysisError(
            f"no attenuation of {material} is known at {wavelength:g} angstrom, only from 0.062 to 12.3{WAY_OUT}"
        )
    (x0, x1), (y0, y1) = (
        [math.log(value) for value in column[above - 1 : above + 1]]
        for column in (known.energies, known.mass_attenuation)
    )
    mass_attenuation = math.exp(y0 + (y1 - y0) * (math.log(energy) - x0) / (x1 - x0))
    return mass_attenuation * known.density / 10.0  # from 1/cm
