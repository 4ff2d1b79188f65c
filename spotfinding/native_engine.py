"""The engine `native`: DIALS's spots and numbers without DIALS, some sixty times faster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spotfinding.analysis import Measured
from spotfinding.geometry import Geometry, d_of
from spotfinding.native import NativeSpotFinder
from spotfinding.statistics import image_statistics
from spotfinding.validity import valid_range

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from spotfinding.analysis import Record
    from spotfinding.bitshuffle import Packed
    from spotfinding.detector import Detector
    from spotfinding.parameters import Parameters
    from spotfinding.spots import SpotFinder, Spots


class NativeEngine:
    """A spot finder, the geometry and the statistics of one detector and one set of resolved parameters.

    Which pixels are valid is as in `spotfinding.dials_engine.DialsEngine`. Another finder may be given: the readable
    one of `spotfinding.reference` finds the same spots.

    Raises `AnalysisError` for a detector that has no geometry.
    """

    def __init__(
        self,
        detector: Detector,
        parameters: Parameters,
        finder: Callable[[tuple[int, int], Parameters, NDArray[np.bool_] | None], SpotFinder] = NativeSpotFinder,
    ) -> None:
        self._trusted, self._gain = detector.trusted_range, detector.gain
        self._parameters = parameters
        self._geometry = Geometry(detector, parallax=parameters.parallax_correction)
        self._finder = finder(detector.shape, parameters, detector.pixel_mask())

    def find(self, pixels: NDArray[np.generic]) -> Record:
        """Analyse one image, shape (slow, fast); see `spotfinding.analysis.Engine`."""
        return self._record(self._finder.find(pixels, *self._limits(pixels.dtype), self._gain))

    def find_packed(self, image: Packed) -> Record | None:
        """Analyse one image while it is decompressed; see `spotfinding.analysis.Engine`."""
        spots = self._finder.find_packed(image, *self._limits(image.dtype), self._gain)
        return None if spots is None else self._record(spots)

    def spots(self, pixels: NDArray[np.generic]) -> Measured:
        """Return the spots of one image; see `spotfinding.analysis.Engine`."""
        spots = self._finder.find(pixels, *self._limits(pixels.dtype), self._gain)
        d_star, keep = self._placed(spots)
        return Measured(spots.select(keep), d_of(d_star[keep]))

    def _limits(self, dtype: np.dtype[Any]) -> tuple[float | None, float]:
        return valid_range(dtype, self._trusted, inclusive=self._parameters.trusted_range == "inclusive")

    def _record(self, spots: Spots) -> Record:
        d_star, keep = self._placed(spots)
        return image_statistics(
            d_star[keep],
            spots.intensity[keep],
            spots.n_strong_pixels,
            filter_ice=self._parameters.filter_ice,
            ice_rings_width=self._parameters.ice_rings_width,
        )

    def _placed(self, spots: Spots) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return 1/d of the spots, and which of them are within d_min..d_max."""
        p = self._parameters
        d_star = self._geometry.d_star(spots.x, spots.y)
        d = d_of(d_star)
        keep = d_star > 0
        if p.d_min is not None:
            keep &= d >= p.d_min
        if p.d_max is not None:
            keep &= d <= p.d_max
        return d_star, keep
