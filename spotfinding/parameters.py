"""The parameters of spot finding: what may be set, to what, and what words of a command line mean."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotfinding.rules import (
    ParameterError,
    Rule,
    choice,
    kernel,
    number,
    numbers_above_zero,
    optional,
    switch,
    whole,
    whole_or_auto,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ParameterError", "Parameters"]


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a spot is. Defaults are those of DIALS, with d_max = 40 as in Diamond's per-image analysis.

    Raises `ParameterError` for a value that is not allowed.
    """

    d_min: float | None = None
    """Angstrom; spots whose centroid has a smaller d are dropped, pixels never. None = off."""
    d_max: float | None = 40.0
    """Angstrom; spots whose centroid has a larger d are dropped, pixels never. None = off."""
    threshold_algorithm: str = "dispersion_extended"
    """``dispersion_extended`` or ``dispersion``."""
    kernel_size: tuple[int, int] = (3, 3)
    """Pixels on either side, in the order of DIALS; (3, 3) = a box of 7 x 7."""
    sigma_background: float = 6.0
    """Standard deviations of the index of dispersion above which a neighbourhood is not background."""
    sigma_strong: float = 3.0
    """Standard deviations above the local mean from which a pixel is strong."""
    min_local: int = 2
    """Valid pixels needed in the box; 0 or less = all of them."""
    global_threshold: float = 0.0
    """Counts; strong pixels are above this."""
    gain: float | None = None
    """Counts per photon of all pixels, on top of the detector's; None = 1."""
    min_spot_size: int = 3
    """Pixels; 3 is what DIALS's Auto means for pixel array detectors."""
    max_spot_size: int = 1000
    """Pixels."""
    max_separation: float | None = 2.0
    """Pixels between the peak and the centroid of a spot; None = off."""
    max_strong_pixel_fraction: float = 0.25
    """Of all pixels; an image with more fails. 1 = off."""
    parallax_correction: bool = True
    """Correct for the depth in the sensor at which photons are absorbed, when resolution is calculated."""
    filter_ice: bool = True
    """Leave spots on ice rings out of ``n_spots_no_ice``, ``total_intensity``, ``estimated_d_min``."""
    ice_rings_width: float = 0.004
    """1/angstrom^2, the whole width of a ring; above 0."""
    masked_pixels_erode: bool | None = None
    """dispersion_extended only: do masked pixels erode like background? DIALS < 3.24 yes. None = as the
    installed one, else as the newest."""
    trusted_range: str | None = None
    """``exclusive``: the saturation value itself is not valid (dxtbx < 3.12), or ``inclusive``. None = as
    the installed DIALS, else as the newest."""

    def __post_init__(self) -> None:
        for name, rule in RULES.items():
            object.__setattr__(self, name, rule.checked(name, getattr(self, name)))
        if self.d_min is not None and self.d_max is not None and self.d_min >= self.d_max:
            raise ParameterError(
                f"d_min={self.d_min:g} d_max={self.d_max:g}: no spot is left; d_min must be smaller than d_max"
            )
        if self.min_spot_size > self.max_spot_size:
            raise ParameterError(
                f"min_spot_size={self.min_spot_size} max_spot_size={self.max_spot_size}: no spot is left; "
                "min_spot_size must not be larger than max_spot_size"
            )
        box = (2 * self.kernel_size[0] + 1) * (2 * self.kernel_size[1] + 1)
        if self.min_local == 1 or self.min_local > box:
            raise ParameterError(
                f"min_local={self.min_local}: allowed is 2 to {box}, the pixels of the box that kernel_size="
                f"{self.kernel_size[0]},{self.kernel_size[1]} makes, or 0 for all of them"
            )

    @classmethod
    def parse(cls, words: Sequence[str]) -> Parameters:
        """Understand ``key=value`` words and paths of ``.phil`` files; of two values for one key the later wins.

        ``none`` switches off. Keys are the names above or DIALS's own, as far down as one likes. Raises
        `ParameterError` that names the key or file, the value, and what is allowed.

        >>> Parameters.parse(["d_min=2", "threshold.dispersion.sigma_strong=4", "d_max=none"]).sigma_strong
        4.0
        """
        values: dict[str, Any] = {}
        for word in words:
            key, equals, text = (part.strip() for part in word.partition("="))
            if equals:
                name = find_name(key)
                values[name] = RULES[name].read(name, text)
            elif key.endswith((".phil", ".eff")):
                from spotfinding.phil import read_phil  # noqa: PLC0415  imports DIALS

                values.update(read_phil(Path(key)))
            else:
                raise ParameterError(f"{word!r} is neither key=value nor the path of a .phil file")
        return cls(**values)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Parameters:
        """The inverse of `as_json`; `ParameterError` for an unknown key."""
        for key in values:
            if key not in RULES:
                raise ParameterError(unknown(key))
        return cls(**values)

    def as_json(self) -> dict[str, Any]:
        """Return all parameters as what `json` can write.

        >>> Parameters.from_json(Parameters().as_json()) == Parameters()
        True
        """
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


RULES: dict[str, Rule] = {
    "d_min": optional(numbers_above_zero),
    "d_max": optional(numbers_above_zero),
    "threshold_algorithm": choice("dispersion_extended", "dispersion"),
    "kernel_size": kernel,
    "sigma_background": number(0),
    "sigma_strong": number(0),
    "min_local": whole(),
    "global_threshold": number(0),
    "gain": optional(numbers_above_zero),
    "min_spot_size": whole_or_auto(1, auto=3),
    "max_spot_size": whole(1),
    "max_separation": optional(number(0)),
    "max_strong_pixel_fraction": number(0, 1),
    "parallax_correction": switch,
    "filter_ice": switch,
    "ice_rings_width": numbers_above_zero,
    "masked_pixels_erode": optional(switch),
    "trusted_range": optional(choice("exclusive", "inclusive")),
}

DIALS_NAMES: dict[str, str] = {
    "spotfinder.threshold.algorithm": "threshold_algorithm",
    "spotfinder.threshold.dispersion.kernel_size": "kernel_size",
    "spotfinder.threshold.dispersion.sigma_background": "sigma_background",
    "spotfinder.threshold.dispersion.sigma_strong": "sigma_strong",
    "spotfinder.threshold.dispersion.min_local": "min_local",
    "spotfinder.threshold.dispersion.global_threshold": "global_threshold",
    "spotfinder.threshold.dispersion.gain": "gain",
    "spotfinder.filter.min_spot_size": "min_spot_size",
    "spotfinder.filter.max_spot_size": "max_spot_size",
    "spotfinder.filter.max_separation": "max_separation",
    "spotfinder.filter.max_strong_pixel_fraction": "max_strong_pixel_fraction",
    "ice_rings.filter": "filter_ice",
    "ice_rings.width": "ice_rings_width",
}
"""Full names in DIALS (the last two in its spot finding server) -> ours."""

PIXEL_LIMITS = ("spotfinder.filter.d_min", "spotfinder.filter.d_max")
"""DIALS's limits on pixels, which we do not have."""


def find_name(key: str) -> str:
    """Our name for a key of a command line; `ParameterError` with the nearest name if there is none."""
    if key in RULES:
        return key
    if "." in key:
        for limit in PIXEL_LIMITS:
            if f".{limit}".endswith(f".{key}"):
                raise ParameterError(pixel_limit(key))
        for full, name in DIALS_NAMES.items():
            if f".{full}".endswith(f".{key}"):
                return name
    raise ParameterError(unknown(key))


def unknown(key: str) -> str:
    """Say that there is no such parameter, and which one may have been meant."""
    near = difflib.get_close_matches(key.rpartition(".")[2], RULES, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(RULES)}"
    return f"unknown parameter {key}: {hint}"


def pixel_limit(key: str) -> str:
    """Say why a resolution limit on pixels is refused."""
    return (
        f"{key} limits the resolution of pixels: our d_min/d_max filter spot centroids, never pixels; "
        f"write {key.rpartition('.')[2]}=... among the parameters instead"
    )
