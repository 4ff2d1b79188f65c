"""The engine `dials`: real DIALS on our pixels, kept warm.

It does what ``dials.command_line.find_spots_server.work(file, ["d_max=40", ...])`` does for a single image, with
DIALS's own classes and in DIALS's order, but builds the models from `Detector` instead of the master, and builds
everything costly (threshold tables, buffers, mask) once instead of for each image.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from cctbx import eltbx, uctbx
from dials.algorithms.image.threshold import DispersionExtendedThreshold, DispersionThreshold
from dials.algorithms.shoebox import MaskCode
from dials.algorithms.spot_finding.factory import FilterRunner, PeakCentroidDistanceFilter
from dials.algorithms.spot_finding.per_image_analysis import stats_for_reflection_table
from dials.array_family import flex
from dials.model.data import PixelList, PixelListLabeller
from dxtbx import flumpy
from dxtbx.model import (
    Beam,
    Experiment,
    ExperimentList,
    ParallaxCorrectedPxMmStrategy,
    SimplePxMmStrategy,
)
from dxtbx.model import Detector as DxtbxDetector

from spotfinding.analysis import Measured, Record
from spotfinding.errors import AnalysisError
from spotfinding.spots import Spots
from spotfinding.validity import valid_range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from spotfinding.bitshuffle import Packed
    from spotfinding.detector import Detector
    from spotfinding.parameters import Parameters


@contextmanager
def _dials_errors(sentence: str) -> Iterator[None]:
    """Translate what DIALS raises: C++ assertions arrive as RuntimeError, the rest is its Python's."""
    try:
        yield
    except (RuntimeError, AssertionError, ArithmeticError, LookupError, ValueError) as error:
        detail = " ".join(str(error).split()) or type(error).__name__
        raise AnalysisError(f"{sentence}: {detail}") from error


class DialsEngine:
    """Spots as the installed DIALS finds them, for one detector and one set of resolved parameters.

    Valid are pixels that are not masked, from the smallest valid value to the saturation value (itself valid only
    if `trusted_range` is inclusive). The two largest values of an unsigned type are DECTRIS's marks for gaps and
    bad pixels and never valid; dxtbx does the same where the master has ``bit_depth_readout``. uint32 counts from
    2^31 - 2 up, which dxtbx turns into negative numbers, are not valid either. Pixels of float images are taken as
    they are; NaN is not valid (DIALS itself would lose everything below and right of it). As in dxtbx, counts
    are divided by the detector's gain, if it is not 1.
    """

    def __init__(self, detector: Detector, parameters: Parameters) -> None:
        self._shape = detector.shape
        self._gain = detector.gain
        self._parameters = parameters
        self._trusted = detector.trusted_range
        mask = detector.pixel_mask()
        self._unmasked = None if mask is None else ~mask
        with _dials_errors("DIALS cannot use this detector"):
            self._experiments = dials_models(detector, parallax=parameters.parallax_correction)
        self._threshold = _threshold(detector.shape, parameters)
        grid = flex.grid(*detector.shape)
        # These live as long as the engine: new ones would be page-faulted in for every image (140 MB for 16M).
        self._image, self._valid, self._strong = flex.double(grid), flex.bool(grid), flex.bool(grid)
        self._gain_map = None if parameters.gain is None else flex.double(grid, parameters.gain)
        distance = parameters.max_separation
        self._filter = FilterRunner([] if distance is None else [PeakCentroidDistanceFilter(distance)])

    def find(self, pixels: NDArray[np.generic]) -> Record:
        """Analyse one image, shape (slow, fast); see `spotfinding.analysis.Engine`."""
        spots, n_strong = self._found(pixels)
        with _dials_errors("DIALS cannot analyse this image"):
            statistics = stats_for_reflection_table(
                spots, filter_ice=self._parameters.filter_ice, ice_rings_width=self._parameters.ice_rings_width
            )
        return _record(statistics, n_strong_pixels=n_strong)

    def find_packed(self, image: Packed) -> None:
        """Return None: DIALS needs pixels."""

    def spots(self, pixels: NDArray[np.generic]) -> Measured:
        """Return the spots of one image; see `spotfinding.analysis.Engine`."""
        table, n_strong = self._found(pixels)
        table = table.select(table["rlp"].norms() > 0)
        if not len(table):
            return Measured(_spots_of(np.zeros((0, 3)), table, n_strong), np.zeros(0))
        place = table["xyzobs.px.value"].as_numpy_array().reshape(-1, 3)
        return Measured(_spots_of(place, table, n_strong), _d(table).as_numpy_array())

    def _found(self, pixels: NDArray[np.generic]) -> tuple[flex.reflection_table, int]:
        """The spots within d_min..d_max, and how many pixels are strong."""
        if pixels.shape != self._shape:
            raise AnalysisError(f"the image has {pixels.shape} pixels, but the detector {self._shape} (slow, fast)")
        self._fill(pixels)
        with _dials_errors("DIALS cannot analyse this image"):
            strong = self._strong_pixels()
            return self._filtered_by_resolution(self._spots(strong)), len(strong)

    def _fill(self, pixels: NDArray[np.generic]) -> None:
        """Copy the image into DIALS's buffers, and find out which pixels are valid."""
        image, valid = flumpy.to_numpy(self._image), flumpy.to_numpy(self._valid)
        inclusive = self._parameters.trusted_range == "inclusive"
        low, high = valid_range(pixels.dtype, self._trusted, inclusive=inclusive)
        with np.errstate(invalid="ignore"):  # NaN compares as false, which is what is wanted
            np.less_equal(pixels, high, out=valid)
            if low is not None:
                np.logical_and(valid, np.greater_equal(pixels, low), out=valid)
        if self._unmasked is not None:
            np.logical_and(valid, self._unmasked, out=valid)
        np.copyto(image, pixels, casting="unsafe")
        if pixels.dtype.kind == "f":
            np.copyto(image, 0, where=~valid)  # DIALS multiplies with 0 what is not valid, and 0 x NaN is NaN
        if self._gain > 0 and abs(self._gain - 1) > 1e-7:  # ImageSet::get_gain of dxtbx
            np.divide(image, self._gain, out=image)

    def _strong_pixels(self) -> PixelList:
        """Threshold the image."""
        if self._gain_map is None:
            self._threshold(self._image, self._valid, self._strong)
        else:
            self._threshold(self._image, self._valid, self._gain_map, self._strong)
        strong = PixelList(0, self._image, self._strong)
        fraction = self._parameters.max_strong_pixel_fraction
        most = math.ceil(fraction * len(self._image))
        if fraction < 1 and len(strong) > most:
            raise AnalysisError(
                f"The number of strong pixels found ({len(strong)}) is greater than the maximum allowed ({most}). "
                "Try changing spot finding parameters"
            )
        return strong

    def _spots(self, strong: PixelList) -> flex.reflection_table:
        """Connect strong pixels to spots, measure and filter these (DIALS: algorithms/spot_finding/finder.py)."""
        labeller = PixelListLabeller()
        labeller.add(strong)
        shoeboxes = flex.shoebox()
        if labeller.num_pixels() > 0:
            sizes = (self._parameters.min_spot_size, self._parameters.max_spot_size)
            panel, z_range, two_dimensional, hot_mask = 0, 0, True, False
            shoeboxes = flex.PixelListShoeboxCreator(
                labeller, panel, z_range, two_dimensional, *sizes, hot_mask
            ).result()
            shoeboxes = shoeboxes.select(shoeboxes.is_allocated())
        observed = flex.observation(shoeboxes.panels(), shoeboxes.centroid_valid(), shoeboxes.summed_intensity())
        flags = self._filter(None, observations=observed, shoeboxes=shoeboxes)
        return flex.reflection_table(observed.select(flags), shoeboxes.select(flags))

    def _filtered_by_resolution(self, spots: flex.reflection_table) -> flex.reflection_table:
        """Add the reciprocal space positions, drop spots outside d_min..d_max."""
        spots["id"] = flex.int(len(spots), 0)
        spots.centroid_px_to_mm(self._experiments)
        spots.map_centroids_to_reciprocal_space(self._experiments)
        d = _d(spots)
        keep = flex.bool(len(spots), True)
        if self._parameters.d_min is not None:
            keep &= d >= self._parameters.d_min
        if self._parameters.d_max is not None:
            keep &= d <= self._parameters.d_max
        return spots.select(keep)


def _d(spots: flex.reflection_table) -> flex.double:
    """Angstrom."""
    return uctbx.d_star_sq_as_d(flex.pow2(spots["rlp"].norms()))


def _spots_of(place: NDArray[np.float64], table: flex.reflection_table, n_strong: int) -> Spots:
    """DIALS's table as ours; `place`: centroids, px, shape (spots, 3)."""
    shoeboxes = table["shoebox"]
    return Spots(
        x=place[:, 0],
        y=place[:, 1],
        intensity=table["intensity.sum.value"].as_numpy_array(),
        n_pixels=shoeboxes.count_mask_values(MaskCode.Foreground).as_numpy_array().astype(np.int32),
        bounding_box=np.array([box[:4] for box in shoeboxes.bounding_boxes()], dtype=np.int32).reshape(-1, 4),
        n_strong_pixels=n_strong,
    )


def _threshold(shape: tuple[int, int], parameters: Parameters) -> DispersionExtendedThreshold | DispersionThreshold:
    """DIALS's threshold with its tables, 434 MB for 16M."""
    kind = (
        DispersionExtendedThreshold if parameters.threshold_algorithm == "dispersion_extended" else DispersionThreshold
    )
    return kind(
        shape,
        parameters.kernel_size,
        parameters.sigma_background,
        parameters.sigma_strong,
        parameters.global_threshold,
        parameters.min_local,
    )


def dials_models(detector: Detector, *, parallax: bool) -> ExperimentList:
    """Return the models of dxtbx, as its reader of NXmx files makes them (dxtbx/nexus/__init__.py)."""
    model = DxtbxDetector()
    panel = model.add_panel()
    panel.set_type("SENSOR_PAD")
    panel.set_name(detector.name)
    panel.set_local_frame(detector.fast_axis, detector.slow_axis, detector.origin)
    panel.set_pixel_size(detector.pixel_size)
    panel.set_image_size(detector.shape[::-1])
    panel.set_trusted_range(detector.trusted_range)
    panel.set_material(detector.material)
    panel.set_thickness(detector.thickness)
    if parallax and detector.material and detector.thickness > 0:
        mu = _attenuation(detector.material, detector.wavelength)
        panel.set_mu(mu)
        panel.set_px_mm_strategy(ParallaxCorrectedPxMmStrategy(mu, detector.thickness))
    else:
        panel.set_px_mm_strategy(SimplePxMmStrategy())
    no_divergence = (0.0, 0.0)
    beam = Beam(detector.sample_to_source, detector.wavelength, *no_divergence)
    experiment = Experiment(beam=beam, detector=model)  # type: ignore[call-arg]  # dxtbx's stub knows no defaults
    return ExperimentList([experiment])


def _attenuation(material: str, wavelength: float) -> float:
    """Linear attenuation coefficient of a sensor, 1/mm."""
    sentence = (
        f"DIALS has no attenuation of the sensor material {material!r} at {wavelength} angstrom "
        "(parallax_correction=false does without)"
    )
    with _dials_errors(sentence):
        table = eltbx.attenuation_coefficient.get_table(material)
        return float(table.mu_at_angstrom(wavelength)) / 10.0  # the table has 1/cm


def _record(statistics: Any, *, n_strong_pixels: int) -> Record:
    """DIALS's numbers as ours: it gives ints and floats as they come."""
    return Record(
        n_spots_total=int(statistics.n_spots_total),
        n_spots_no_ice=int(statistics.n_spots_no_ice),
        n_spots_4A=int(statistics.n_spots_4A),
        total_intensity=float(statistics.total_intensity),
        estimated_d_min=float(statistics.estimated_d_min),
        d_min_distl_method_1=float(statistics.d_min_distl_method_1),
        d_min_distl_method_2=float(statistics.d_min_distl_method_2),
        noisiness_method_1=float(statistics.noisiness_method_1),
        noisiness_method_2=float(statistics.noisiness_method_2),
        n_strong_pixels=n_strong_pixels,
    )
