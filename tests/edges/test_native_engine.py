"""The engine `native` against the engine `dials`, over detectors, parameters and images that nobody thought of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotfinding.detector import Detector
from spotfinding.engines import PROVEN_KERNEL, build, resolve
from spotfinding.errors import AnalysisError
from spotfinding.judge import Judge
from spotfinding.native_engine import NativeEngine
from spotfinding.parameters import Parameters
from spotfinding.reference import ReferenceSpotFinder
from tests.strategies import detectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spotfinding.analysis import Record


FLAT = Detector(
    shape=(110, 140),
    pixel_size=(1.0, 1.0),
    fast_axis=(1, 0, 0),
    slow_axis=(0, -1, 0),
    origin=(-70.0, 55.0, -150.0),
    wavelength=0.9763,
    thickness=0.45,
    material="Si",
)

kernel = st.integers(1, PROVEN_KERNEL)
parameters = st.builds(
    Parameters,
    d_min=st.sampled_from([None, None, 2.5]),
    d_max=st.sampled_from([None, 40.0, 12.0]),
    threshold_algorithm=st.sampled_from(["dispersion_extended", "dispersion"]),
    kernel_size=st.just((3, 3)) | st.tuples(kernel, kernel),
    sigma_background=st.sampled_from([6.0, 3.0, 0.0]),
    sigma_strong=st.sampled_from([3.0, 1.0, 5.0]),
    min_local=st.sampled_from([2, 0, 5]),
    global_threshold=st.sampled_from([0.0, 5.0]),
    gain=st.sampled_from([None, None, 2.0, 0.7]),
    min_spot_size=st.sampled_from([3, 1]),
    max_spot_size=st.sampled_from([1000, 20]),
    max_separation=st.sampled_from([2.0, 0.5, None]),
    max_strong_pixel_fraction=st.sampled_from([0.25, 1.0, 0.01]),
    parallax_correction=st.booleans(),
    filter_ice=st.booleans(),
    ice_rings_width=st.sampled_from([0.004, 0.02]),
)


def image(shape: tuple[int, int], dtype: str, seed: int) -> NDArray[Any]:
    """Spots of all strengths over a background, with pixels around the trusted range."""
    rng = np.random.default_rng(seed)
    background = rng.choice([0.2, 2.0, 30.0])
    expected = np.full(shape, background)
    slow, fast = np.indices(shape)
    for _ in range(rng.choice([0, 4, 15, 60, 250])):
        y, x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        box = np.s_[max(0, int(y) - 6) : int(y) + 7, max(0, int(x) - 6) : int(x) + 7]
        r2 = (slow[box] - y) ** 2 + (fast[box] - x) ** 2
        expected[box] += rng.exponential(60 * np.sqrt(background)) * np.exp(-r2 / rng.uniform(0.5, 4))
    counts: NDArray[Any] = np.minimum(rng.poisson(expected), 250).astype(dtype)
    if dtype == "<f4":
        counts += rng.normal(0, 0.2, shape).astype(dtype)
        counts[rng.random(shape) < 0.01] = np.nan
    return counts


def answer(engine: Any, pixels: NDArray[Any]) -> Record | None:
    """None = it fails; each in its own words."""
    try:
        found: Record = engine.find(pixels)
    except AnalysisError:
        return None
    return found


@settings(max_examples=150, deadline=None)
@given(
    detector=detectors(shape=(110, 140), pixels=(0.3, 1.5)),
    chosen=parameters,
    dtype=st.sampled_from(["u1", "<u2", "<u4", "<i4", "<f4"]),
    seed=st.integers(0, 2**32),
    gain=st.sampled_from([1.0, 1.0, 2.5]),
)
def test_native_is_dials_for_any_detector_parameters_and_pixels(
    detector: Detector, chosen: Parameters, dtype: str, seed: int, gain: float
) -> None:
    detector = replace(detector, gain=gain, trusted_range=(0, 220))
    resolved = resolve("dials", chosen).parameters
    native, dials = (build(name, detector, resolved) for name in ("native", "dials"))
    pixels = image(detector.shape, dtype, seed)
    ours = answer(native, pixels)
    assert ours == answer(dials, pixels)
    assert ours == answer(NativeEngine(detector, resolved, ReferenceSpotFinder), pixels)
    assert resolve("auto", chosen, detector).engine == "native"
    if ours is not None:
        found, expected = native.spots(pixels), dials.spots(pixels)
        assert len(found.spots) == ours.n_spots_total
        np.testing.assert_array_equal(found.d, expected.d)
        for column in ("x", "y", "intensity", "n_pixels", "bounding_box", "n_strong_pixels"):
            np.testing.assert_array_equal(getattr(found.spots, column), getattr(expected.spots, column))


def test_the_images_above_say_something() -> None:
    """Many spots, some, and none; estimates of resolution, and none; failures."""
    native = build("native", FLAT, resolve("dials", Parameters()).parameters)
    answers = [answer(native, image(FLAT.shape, "<u2", seed)) for seed in range(40)]
    records = [record for record in answers if record is not None]
    assert sum(record.estimated_d_min > 0 for record in records) > 10
    assert sum(record.n_spots_total == 0 for record in records) > 3
    assert sum(0 < record.n_spots_no_ice <= 10 for record in records) > 3
    strict = build("native", FLAT, Parameters(max_strong_pixel_fraction=0.01, trusted_range="exclusive"))
    assert sum(answer(strict, image(FLAT.shape, "<u2", seed)) is None for seed in range(40)) > 3


def beside_a_gap(installed: Parameters) -> tuple[NDArray[Any], Parameters]:
    """A spot that one rule of erosion finds and the other does not, and the rule that this DIALS does not have."""
    pixels = np.random.default_rng(3).poisson(2, FLAT.shape).astype("<u2")
    pixels[40:46, 50:56] = 120
    pixels[:, 56:60] = 65535
    return pixels, replace(installed, masked_pixels_erode=not installed.masked_pixels_erode)


def test_the_judge_sees_another_rule_of_erosion() -> None:
    same = resolve("dials", Parameters()).parameters
    pixels, other = beside_a_gap(same)
    assert Judge(FLAT, same).differences(pixels, build("native", FLAT, same).find(pixels)) == ()
    record = build("native", FLAT, other).find(pixels)
    found = {name: (ours, dials) for name, ours, dials in Judge(FLAT, other).differences(pixels, record)}
    assert "n_strong_pixels" in found
    assert found["n_strong_pixels"][0] == record.n_strong_pixels
    assert found["n_strong_pixels"][1] == build("dials", FLAT, same).find(pixels).n_strong_pixels


def test_the_judge_sees_that_only_one_fails() -> None:
    resolved = resolve("dials", Parameters(max_strong_pixel_fraction=0.001)).parameters
    pixels = image(FLAT.shape, "<u2", 2)
    judge = Judge(FLAT, resolved)
    with pytest.raises(AnalysisError) as failure:
        build("native", FLAT, resolved).find(pixels)
    assert judge.differences(pixels, failure.value) == ()
    lenient = build("native", FLAT, replace(resolved, max_strong_pixel_fraction=1.0)).find(pixels)
    ((what, ours, dials),) = judge.differences(pixels, lenient)
    assert (what, ours) == ("error", None)
    assert "number of strong pixels" in str(dials)
    calm = np.ones(FLAT.shape, "<u2")
    ((what, ours, dials),) = judge.differences(calm, AnalysisError("the cat sat on it"))
    assert (what, ours, dials) == ("error", "the cat sat on it", None)
