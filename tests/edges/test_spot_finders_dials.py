"""Both finders of spots against their judge, DIALS's own classes: identical, on images from nowhere and real ones."""

from __future__ import annotations

import csv
import gzip
import json
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import h5py
import hdf5plugin  # noqa: F401  makes h5py read the real data
import numpy as np
import pytest
from dials.algorithms.image.threshold import DispersionExtendedThreshold, DispersionThreshold
from dials.algorithms.spot_finding.factory import FilterRunner, PeakCentroidDistanceFilter
from dials.array_family import flex
from dials.model.data import PixelList, PixelListLabeller
from dxtbx import flumpy

from spotfinding.errors import AnalysisError
from spotfinding.native import NativeSpotFinder
from spotfinding.parameters import Parameters
from spotfinding.reference import ReferenceSpotFinder
from spotfinding.spots import Spots
from tests.random_images import Case, assert_same, random_case

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SEEDS_PER_TEST = 250
CENTROID = 1e-6
"""px; everything else is compared exactly."""


def judge_strong(case: Case) -> flex.bool:
    """DIALS's strong pixels."""
    p = case.parameters
    valid = case.pixels <= case.high
    if case.low is not None:
        valid &= case.pixels >= case.low
    if case.mask is not None:
        valid &= ~case.mask
    image = flumpy.from_numpy(counts(case, valid))
    extended = p.threshold_algorithm == "dispersion_extended"
    kind = DispersionExtendedThreshold if extended else DispersionThreshold
    threshold = kind(case.shape, p.kernel_size, p.sigma_background, p.sigma_strong, p.global_threshold, p.min_local)
    strong = flex.bool(image.accessor(), False)
    if p.gain is None:
        threshold(image, flumpy.from_numpy(valid), strong)
    else:
        threshold(image, flumpy.from_numpy(valid), flex.double(image.accessor(), p.gain), strong)
    return strong


def counts(case: Case, valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The image as DIALS has it; what is not valid is 0, because it multiplies that with 0, and 0 x NaN is NaN."""
    return np.ascontiguousarray(np.where(valid, case.pixels, 0).astype(np.float64) / case.gain)


def judge_spots(case: Case, strong: flex.bool) -> Spots:
    """DIALS's spots of its strong pixels (as algorithms/spot_finding/finder.py)."""
    p = case.parameters
    image = flumpy.from_numpy(counts(case, flumpy.to_numpy(strong)))
    pixels = PixelList(0, image, strong)
    labeller = PixelListLabeller()
    labeller.add(pixels)
    if not labeller.num_pixels():
        none, no_pixels = np.zeros(0), np.zeros(0, dtype=np.int32)
        return Spots(none, none, none, no_pixels, np.zeros((0, 4), dtype=np.int32), 0)
    sizes = p.min_spot_size, p.max_spot_size
    shoeboxes = flex.PixelListShoeboxCreator(labeller, 0, 0, True, *sizes, False).result()
    shoeboxes = shoeboxes.select(shoeboxes.is_allocated())
    observed = flex.observation(shoeboxes.panels(), shoeboxes.centroid_valid(), shoeboxes.summed_intensity())
    separation = [] if p.max_separation is None else [PeakCentroidDistanceFilter(p.max_separation)]
    kept = FilterRunner(separation)(None, observations=observed, shoeboxes=shoeboxes)
    observed, shoeboxes = observed.select(kept), shoeboxes.select(kept)
    x, y, _ = (flumpy.to_numpy(part) for part in observed.centroids().px_position().parts())
    return Spots(
        x=x,
        y=y,
        intensity=flumpy.to_numpy(observed.intensities().observed_value()),
        n_pixels=np.array([(flumpy.to_numpy(s.mask) > 0).sum() for s in shoeboxes], dtype=np.int32),
        bounding_box=np.array([s.bbox[:4] for s in shoeboxes], dtype=np.int32).reshape(-1, 4),
        n_strong_pixels=len(pixels),
    )


def check(case: Case, kinds: tuple[type[Any], ...] = (ReferenceSpotFinder, NativeSpotFinder)) -> Spots:
    strong = judge_strong(case)
    expected = judge_spots(case, strong)
    for kind in kinds:
        finder = kind(case.shape, case.parameters, case.mask)
        found = finder.strong_pixels(case.pixels, case.low, case.high, case.gain)
        np.testing.assert_array_equal(found, flumpy.to_numpy(strong), f"{kind.__name__}, strong pixels of {case}")
        assert_same(case.find(finder), expected, centroid=CENTROID, context=f"{kind.__name__}, {case}")
    return expected


@pytest.mark.parametrize("first", range(0, 2500, SEEDS_PER_TEST))
def test_both_finders_agree_with_dials_on_random_images(first: int) -> None:
    for seed in range(first, first + SEEDS_PER_TEST):
        case = random_case(seed)
        check(replace(case, parameters=like_dials(case.parameters)))


def like_dials(parameters: Parameters) -> Parameters:
    """Debian's DIALS has the old rule; and the refusal of too many strong pixels is not its threshold's."""
    return replace(parameters, masked_pixels_erode=True, max_strong_pixel_fraction=1.0)


GRID, BLANK = "i24_thaumatin_grid/thau_3_2.nxs", "eiger2_16m_blank/eiger2_16m_blank.nxs"
SIDES = ("x0", "x1", "y0", "y1")
HIGHEST = {GRID: 115897 - 1, BLANK: 21517 - 1}
"""Saturation values, which DIALS 3.12 excludes. Neither master has a mask: gaps are the largest value of the type."""


def read_case(test_data: Path, master: str, number: int, algorithm: str) -> Case:
    with h5py.File(test_data / master, "r", swmr=True) as file:
        pixels = file["entry/data/data"][number]
    parameters = Parameters(threshold_algorithm=algorithm, masked_pixels_erode=True)
    return Case(pixels, None, parameters, None, HIGHEST[master], 1.0)


@pytest.mark.data
@pytest.mark.parametrize("algorithm", ["dispersion_extended", "dispersion"])
@pytest.mark.parametrize(("master", "number"), [(GRID, 2), (GRID, 13), (GRID, 15), (BLANK, 0)])
def test_both_finders_agree_with_dials_on_real_images(
    master: str, number: int, algorithm: str, test_data: Path
) -> None:
    """The twin on a part of each only: it is slow."""
    case = read_case(test_data, master, number, algorithm)
    spots = check(case, (NativeSpotFinder,))
    assert (len(spots) > 100) == (number in (2, 13))
    check(replace(case, pixels=np.ascontiguousarray(case.pixels[800:1700, 1000:1900])), (ReferenceSpotFinder,))


@pytest.mark.data
@pytest.mark.parametrize("algorithm", ["dispersion_extended", "dispersion"])
def test_a_real_grid_scan_gives_the_list_of_dials(algorithm: str, test_data: Path) -> None:
    """PILATUS3 6M, thaumatin: every spot that DIALS's own command line wrote down, image by image."""
    name = "default" if algorithm == "dispersion_extended" else "dispersion"
    strong = json.loads((test_data / "reference_counts.json").read_text())
    expected: dict[int, list[dict[str, str]]] = defaultdict(list)
    with gzip.open(test_data / f"i24_thaumatin_grid/spots_{name}.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            expected[int(row["image"]) - 1].append(row)
    for number in range(19):
        case = read_case(test_data, GRID, number, algorithm)
        spots = case.find(NativeSpotFinder(case.shape, case.parameters))
        assert spots.n_strong_pixels == strong["i24_thaumatin_grid"][name]["strong_pixels_per_image"][number]
        rows = sorted(expected[number], key=lambda row: [int(row[f"bbox_{side}"]) for side in SIDES])
        order = np.lexsort(spots.bounding_box.T[::-1])
        assert spots.bounding_box[order].tolist() == [[int(row[f"bbox_{side}"]) for side in SIDES] for row in rows]
        assert spots.n_pixels[order].tolist() == [int(row["n_strong_px"]) for row in rows]
        assert spots.intensity[order].tolist() == [float(row["intensity_sum"]) for row in rows]
        assert spots.x[order].tolist() == pytest.approx([float(row["x_px"]) for row in rows], abs=5.1e-4)
        assert spots.y[order].tolist() == pytest.approx([float(row["y_px"]) for row in rows], abs=5.1e-4)


@pytest.mark.data
def test_a_real_detector_without_beam_has_no_spots(test_data: Path) -> None:
    """EIGER2 16M: a million pixels of gap, a few hot ones."""
    for number, n_strong in enumerate((10, 3)):
        case = read_case(test_data, BLANK, number, "dispersion_extended")
        spots = case.find(NativeSpotFinder(case.shape, case.parameters))
        assert (len(spots), spots.n_strong_pixels) == (0, n_strong)


def test_too_many_strong_pixels_are_an_error_in_the_words_of_dials() -> None:
    pixels = np.ones((30, 40), dtype=np.uint16)
    pixels[10:20, 10:20] = 100
    few = Parameters(masked_pixels_erode=True, max_strong_pixel_fraction=0.01)
    for kind in (ReferenceSpotFinder, NativeSpotFinder):
        with pytest.raises(AnalysisError, match=r"^The number of strong pixels found \(\d+\) is greater than"):
            kind((30, 40), few).find(pixels, None, 65533)
