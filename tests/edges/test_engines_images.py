"""Both engines on one image after the other: nothing is left behind, every pixel type is taken."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotfinding import engines
from spotfinding.analysis import AnalysisError
from spotfinding.detector import Detector
from spotfinding.parameters import Parameters
from spotfinding.validity import valid_range

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spotfinding.analysis import Engine

SHAPE = (150, 200)
SATURATION = 5000
DETECTOR = Detector(
    shape=SHAPE,
    pixel_size=(0.172, 0.172),
    fast_axis=(1, 0, 0),
    slow_axis=(0, -1, 0),
    origin=(-15.0, 12.0, -50.0),
    wavelength=1.0,
    thickness=0.45,
    material="Si",
    trusted_range=(0, SATURATION),
)


def image(n_spots: int, dtype: str = "<u2") -> NDArray[Any]:
    """Spots of 3 x 3 pixels on a background of 2 counts."""
    rng = np.random.default_rng(n_spots)
    expected = np.full(SHAPE, 2.0)
    for y, x in zip(rng.integers(2, SHAPE[0] - 2, n_spots), rng.integers(2, SHAPE[1] - 2, n_spots), strict=True):
        expected[y - 1 : y + 2, x - 1 : x + 2] += rng.uniform(20, 200)
    counts: NDArray[Any] = np.minimum(rng.poisson(expected), 250).astype(dtype)
    return counts


def build(name: str, detector: Detector, **values: Any) -> Engine:
    return engines.build(name, detector, engines.resolve(name, Parameters(**values)).parameters)


@pytest.fixture(scope="module", params=["dials", "native"])
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def engine(name: str) -> Engine:
    return build(name, DETECTOR)


def test_nothing_of_one_image_is_left_for_the_next(engine: Engine) -> None:
    stack = [image(n) for n in (60, 0, 20, 40)]
    first = [engine.find(frame) for frame in stack]
    assert first[0].estimated_d_min > 0
    assert first[1].n_spots_total == 0
    assert len(set(first)) == len(stack)
    assert [engine.find(frame) for frame in stack[::-1]] == first[::-1]


@pytest.mark.parametrize("dtype", [">u2", ">u4", "<i4", ">i2", "u1", ">f4"])
def test_byte_order_and_width_of_pixels_do_not_matter(engine: Engine, dtype: str) -> None:
    before = image(60, dtype)
    pixels = before.copy()
    assert engine.find(pixels) == engine.find(image(60))
    np.testing.assert_array_equal(pixels, before)


def test_nan_is_a_masked_pixel(engine: Engine) -> None:
    marked, masked = image(60, "<f4"), image(60, "<f4")
    marked[30:33, 40:100], masked[30:33, 40:100] = np.nan, -5
    marked[100, 40:150], masked[100, 40:150] = np.inf, SATURATION + 1
    assert engine.find(marked) == engine.find(masked) != engine.find(image(60))


def test_the_mask_of_the_detector_hides_spots(engine: Engine, name: str) -> None:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[:, :100] = True
    half = replace(DETECTOR, mask=zlib.compress(np.packbits(mask).tobytes()))
    record = build(name, half).find(image(60))
    marked = image(60)
    marked[:, :100] = 65535
    assert 0 < record.n_spots_total < engine.find(image(60)).n_spots_total
    assert record == engine.find(marked)


def test_an_image_of_another_shape_is_refused(engine: Engine) -> None:
    with pytest.raises(AnalysisError, match=r"the image has \(3, 4\) pixels, but the detector \(150, 200\)"):
        engine.find(np.zeros((3, 4), dtype=np.uint16))


def test_a_detector_that_no_engine_can_take_is_refused() -> None:
    flat = replace(DETECTOR, slow_axis=DETECTOR.fast_axis)
    with pytest.raises(AnalysisError, match=r"^DIALS cannot use this detector: .+"):
        build("dials", flat)
    with pytest.raises(AnalysisError, match="are not at right angles"):
        build("native", flat)


def test_an_error_of_dials_becomes_a_sentence_and_is_one_of_ours_too() -> None:
    """Twelve spots on one circle: DIALS's method 2 finds no shells between them."""
    centred = replace(DETECTOR, pixel_size=(0.125, 0.125), origin=(-12.5625, 9.4375, -50.0), thickness=0.0)
    circle = np.full(SHAPE, 1, dtype=np.uint16)
    for y, x in ((25, 0), (15, 20), (20, 15)):
        for dy, dx in ((y, x), (x, -y), (-y, -x), (-x, y)):
            circle[74 + dy : 77 + dy, 99 + dx : 102 + dx] = 100
    with pytest.raises(AnalysisError, match=r"^DIALS cannot analyse this image: .+"):
        build("dials", centred).find(circle)
    with pytest.raises(AnalysisError, match=r"^all spots are at one resolution"):
        build("native", centred).find(circle)
    assert len(build("native", centred).spots(circle).spots) == 12


def test_a_sensor_that_an_engine_does_not_know_is_refused_unless_its_correction_is_off() -> None:
    unknown = replace(DETECTOR, material="Unobtainium")
    with pytest.raises(AnalysisError, match=r"sensor material 'Unobtainium' at 1\.0 angstrom"):
        build("dials", unknown)
    with pytest.raises(AnalysisError, match=r"no attenuation is known of the sensor material 'Unobtainium'"):
        build("native", unknown)
    for engine in ("dials", "native"):
        build(engine, unknown, parallax_correction=False)


@given(
    dtype=st.sampled_from(["u1", "u2", "u4", "i2", "i4", "f4"]),
    low=st.integers(-10, 10),
    high=st.one_of(st.integers(11, 300), st.integers(60000, 70000), st.integers(2**31 - 5, 2**32 + 5)),
    inclusive=st.booleans(),
    data=st.data(),
)
def test_the_valid_range_is_that_of_dxtbx(
    dtype: str, low: int, high: int, inclusive: bool, data: st.DataObject
) -> None:
    """dxtbx: int32, exclusive above low - 1; the two marks of unsigned types become -1 and -2."""
    kind = np.dtype(dtype)
    smallest, largest = valid_range(kind, (low, high), inclusive=inclusive)
    limits = (-(2**15), 2**15 - 1) if kind.kind == "f" else (int(np.iinfo(kind).min), int(np.iinfo(kind).max))
    near = st.sampled_from([low, low - 1, high, high - 1, high + 1, *limits, limits[1] - 1, limits[1] - 2, 2**31 - 2])
    value = data.draw(st.one_of(near, st.integers(*limits)).filter(lambda v: limits[0] <= v <= limits[1]))
    marked = kind.kind == "u" and (value > limits[1] - 2 or value >= 2**31 - 2)
    expected = not marked and low <= value and (value <= high if inclusive else value < high)
    assert ((smallest is None or value >= smallest) and value <= largest) == expected
