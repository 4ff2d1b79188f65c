"""The kernel against its twin in numpy, on images that nobody would make, and both on some that were made by hand."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from spotfinding.errors import AnalysisError
from spotfinding.native import NativeSpotFinder, instruction_sets
from spotfinding.parameters import Parameters
from spotfinding.reference import ReferenceSpotFinder
from tests.random_images import Case, assert_same, random_case

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spotfinding.spots import SpotFinder, Spots

SEEDS_PER_TEST = 250
OLD, NEW = Parameters(masked_pixels_erode=True), Parameters(masked_pixels_erode=False)
NATIVE = [pytest.param(partial(NativeSpotFinder, instruction_set=name), id=name) for name in instruction_sets()]
FINDERS = [pytest.param(ReferenceSpotFinder, id="reference"), *NATIVE]


def check(case: Case) -> None:
    """The kernel says of a case what the twin says, error or spots, with all instructions that there are here."""
    reference = ReferenceSpotFinder(case.shape, case.parameters, case.mask)
    strong, expected = case.strong_pixels(reference), answer(case, reference)
    for name in instruction_sets():
        native = NativeSpotFinder(case.shape, case.parameters, case.mask, instruction_set=name)
        np.testing.assert_array_equal(case.strong_pixels(native), strong, f"strong pixels by {name} of {case}")
        found = answer(case, native)
        if isinstance(expected, str) or isinstance(found, str):
            assert found == expected, case
        else:
            assert_same(found, expected, context=f"{name}, {case}")


def answer(case: Case, finder: SpotFinder) -> Spots | str:
    try:
        return case.find(finder)
    except AnalysisError as error:
        return str(error)


@pytest.mark.parametrize("first", range(0, 3000, SEEDS_PER_TEST))
def test_kernel_and_twin_agree_on_random_images(first: int) -> None:
    for seed in range(first, first + SEEDS_PER_TEST):
        check(random_case(seed))


def test_the_random_images_say_something() -> None:
    """Many have strong pixels and spots, of every type, by both algorithms; some have too many."""
    strong, spots, refused = set(), 0, 0
    for case in map(random_case, range(500)):
        finder = NativeSpotFinder(case.shape, case.parameters, case.mask)
        try:
            found = case.find(finder)
        except AnalysisError:
            refused += 1
            continue
        if found.n_strong_pixels:
            strong.add((case.pixels.dtype.str, case.parameters.threshold_algorithm))
        spots += len(found)
    assert len(strong) == 2 * 8  # types, one of them given twice as often
    assert spots > 1000
    assert refused > 0


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_kernel_and_twin_agree_on_small_images(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    dtype = np.dtype(data.draw(st.sampled_from(["u1", "u2", "u4", "i2", "i4", "f4"])))
    elements = st.sampled_from([0, 0, 0, 1, 1, 2, 3, 7, 30, 100])
    if dtype.itemsize == 4:
        elements |= st.sampled_from([2**24 - 1, 2**24, 2**24 + 5])
    pixels = data.draw(nps.arrays(np.float64, shape, elements=elements.map(float))).astype(dtype)
    mask = data.draw(st.none() | nps.arrays(np.bool_, shape))
    kernel = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)) | st.tuples(*[st.integers(1, 10**12)] * 2))
    parameters = Parameters(
        threshold_algorithm=data.draw(st.sampled_from(["dispersion_extended", "dispersion"])),
        kernel_size=kernel,
        sigma_background=data.draw(st.floats(0, 8)),
        sigma_strong=data.draw(st.floats(0, 5)),
        min_local=data.draw(st.sampled_from([0, 2, 5, 9])),
        global_threshold=data.draw(st.floats(0, 10)),
        gain=data.draw(st.none() | st.floats(0.1, 5)),
        min_spot_size=data.draw(st.integers(1, 3)),
        max_spot_size=10**12,
        max_separation=data.draw(st.none() | st.floats(0, 3)),
        max_strong_pixel_fraction=data.draw(st.sampled_from([0.1, 1.0])),
        masked_pixels_erode=data.draw(st.booleans()),
    )
    low = data.draw(st.none() | st.integers(0, 3))
    check(Case(pixels, mask, parameters, low, data.draw(st.sampled_from([5, 250, 2**31 - 3])), 1.0))


def flat(value: float = 1, shape: tuple[int, int] = (30, 40)) -> NDArray[Any]:
    return np.full(shape, value, dtype=np.uint16)


@pytest.mark.parametrize("kind", FINDERS)
def test_a_spot_is_measured(kind: Any) -> None:
    pixels = flat()
    pixels[10, 20:23] = 50, 100, 30
    pixels[11, 21] = 20
    spots = kind((30, 40), OLD, None).find(pixels, None, 65533)
    assert spots.n_strong_pixels == 4
    assert spots.bounding_box.tolist() == [[20, 23, 10, 12]]
    assert spots.intensity.tolist() == [200]
    assert spots.x.tolist() == pytest.approx([(50 * 20.5 + 120 * 21.5 + 30 * 22.5) / 200])
    assert spots.y.tolist() == pytest.approx([(180 * 10.5 + 20 * 11.5) / 200])


@pytest.mark.parametrize("kind", FINDERS)
def test_masked_pixels_next_to_a_spot_erode_it_only_by_the_old_rule(kind: Any) -> None:
    """Columns from 24 on are a gap. The spot's last column is 22: one pixel of background, then the gap."""
    pixels = flat()
    pixels[10:13, 20:23] = 200
    mask = np.zeros(pixels.shape, dtype=bool)
    mask[:, 24:30] = True
    old, new = (kind((30, 40), rule, mask).strong_pixels(pixels, None, 65533) for rule in (OLD, NEW))
    assert np.argwhere(new).tolist() == [[y, x] for y in (10, 11, 12) for x in (20, 21, 22)]
    assert np.argwhere(old).tolist() == [[y, x] for y in (10, 11, 12) for x in (20, 21)]
    marked = np.where(mask, 65535, pixels).astype(np.uint16)  # the same, said by the pixels themselves
    for rule, expected in ((OLD, old), (NEW, new)):
        strong = kind((30, 40), rule, None).strong_pixels(marked, None, 65533)
        np.testing.assert_array_equal(strong, expected)


@pytest.mark.parametrize("kind", FINDERS)
def test_a_dead_pixel_inside_a_spot_erodes_it_only_by_the_old_rule(kind: Any) -> None:
    pixels = flat()
    pixels[10:15, 20:25] = 200
    pixels[12, 22] = 65535
    old, new = (kind((30, 40), rule).strong_pixels(pixels, None, 65533) for rule in (OLD, NEW))
    assert np.argwhere(new).tolist() == [[y, x] for y in range(10, 15) for x in range(20, 25) if (y, x) != (12, 22)]
    assert not old[10:15, 20:25].any()


@pytest.mark.parametrize("rule", [OLD, NEW])
@pytest.mark.parametrize("kind", FINDERS)
def test_the_edge_of_the_image_erodes_nothing(kind: Any, rule: Parameters) -> None:
    pixels = flat()
    pixels[0:2, 0:2] = pixels[-2:, -2:] = 300
    strong = kind((30, 40), rule).strong_pixels(pixels, None, 65533)
    assert np.argwhere(strong).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [28, 38], [28, 39], [29, 38], [29, 39]]


def image_with_gaps(rng: np.random.Generator) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """Wide enough to be surveyed, four columns at a time; spots lie at the edges, in the corners and beside gaps."""
    shape = int(rng.integers(8, 40)), int(rng.choice([64, 66, 68, 71, 100, 127, 128, 132, 200]))
    expected = np.full(shape, float(rng.choice([0.1, 0.3, 1, 10, 40, 70])))
    gap, row = int(rng.integers(0, shape[1])), int(rng.integers(0, shape[0]))
    slow, fast = np.indices(shape)
    for _ in range(int(rng.integers(1, 16))):
        y = rng.choice([0, 1, shape[0] - 2, shape[0] - 1, row, rng.integers(shape[0])]) + rng.normal(0, 1)
        x = rng.choice([0, 1, 3, shape[1] - 3, shape[1] - 1, gap, rng.integers(shape[1])]) + rng.normal(0, 1.5)
        expected += rng.choice([5, 20, 60, 500]) * np.exp(-((slow - y) ** 2 + (fast - x) ** 2) / rng.uniform(1, 6))
    mask = rng.random(shape) < rng.choice([0, 0, 0.003, 0.05])
    mask[:, gap : gap + int(rng.integers(0, 14))] = True
    mask[row : row + int(rng.integers(0, 9))] |= bool(rng.random() < 0.5)
    pixels = rng.poisson(expected).astype(np.uint16)
    pixels[mask & (rng.random(shape) < 0.9)] = 65535
    return pixels, mask


@pytest.mark.parametrize("rule", [OLD, NEW])
@pytest.mark.parametrize("kind", NATIVE)
def test_the_survey_misses_nothing(kind: Any, rule: Parameters) -> None:
    strong = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        pixels, mask = image_with_gaps(rng)
        few = int(rng.choice([2, 2, 10, 30]))
        high = int(rng.choice([65533, 65533, 300, 40]))
        parameters = replace(rule, min_local=few, sigma_background=float(rng.choice([6, 6, 3, 1])))
        shape = pixels.shape[0], pixels.shape[1]
        expected = ReferenceSpotFinder(shape, parameters, mask).strong_pixels(pixels, None, high)
        found = kind(shape, parameters, mask).strong_pixels(pixels, None, high)
        np.testing.assert_array_equal(found, expected, f"seed {seed}: {shape}, {parameters}")
        strong += int(np.count_nonzero(found))
    assert strong > 3000


@pytest.mark.parametrize("kind", FINDERS)
def test_pixels_that_touch_at_a_corner_are_two_spots(kind: Any) -> None:
    pixels = flat()
    pixels[10, 20], pixels[11, 21] = 100, 100
    one = Parameters(masked_pixels_erode=True, min_spot_size=1)
    assert kind((30, 40), one).find(pixels, None, 65533).n_pixels.tolist() == [1, 1]


@pytest.mark.parametrize("kind", FINDERS)
def test_a_blank_image_has_no_spots(kind: Any) -> None:
    spots = kind((30, 40), OLD).find(flat(0), None, 65533)
    assert (len(spots), spots.n_strong_pixels, spots.bounding_box.shape) == (0, 0, (0, 4))


@pytest.mark.parametrize("kind", FINDERS)
def test_limits_outside_of_the_type_are_none(kind: Any) -> None:
    pixels = flat()
    pixels[10:13, 20:23] = 200
    finder = kind((30, 40), OLD)
    expected = finder.find(pixels, None, 65535)
    assert len(expected) == 1
    assert_same(finder.find(pixels, -100, 1e12), expected)
    assert_same(finder.find(pixels.astype(np.int16), -1e9, 1e9), expected)
    assert finder.find(pixels, 70000, 80000).n_strong_pixels == 0
    assert finder.find(pixels, None, -1).n_strong_pixels == 0


@pytest.mark.parametrize("kind", FINDERS)
def test_what_is_no_image_of_the_detector_is_refused(kind: Any) -> None:
    finder = kind((30, 40), OLD)
    for pixels in (flat()[:-1], flat()[None], flat().ravel(), np.zeros((0, 40), dtype=np.uint16)):
        with pytest.raises(AnalysisError, match=r"but the detector \(30, 40\)"):
            finder.find(pixels, None, 65533)


@pytest.mark.parametrize("dtype", ["f8", "c8", "u8", "?", "f2", "S2", "M8[s]"])
def test_other_types_of_pixels_are_refused(dtype: str) -> None:
    with pytest.raises(TypeError, match="supported are u1 u2 u4 i2 i4 f4"):
        NativeSpotFinder((30, 40), OLD).find(np.zeros((30, 40), dtype=dtype), None, 65533)


def test_how_pixels_lie_in_memory_does_not_matter() -> None:
    pixels = flat()
    pixels[10:13, 20:23] = 200
    finder = NativeSpotFinder((30, 40), OLD)
    expected = finder.find(pixels, None, 65533)
    assert len(expected) == 1
    wide = np.zeros((60, 120), dtype=np.uint16)
    wide[::2, ::3] = pixels
    odd = np.frombuffer(b"\0" + pixels.tobytes(), dtype=np.uint8)[1:].view(np.uint16).reshape(pixels.shape)
    assert not odd.flags.aligned
    for other in (wide[::2, ::3], np.asfortranarray(pixels), pixels.astype(">u2"), odd, pixels[::-1][::-1]):
        assert_same(finder.find(other, None, 65533), expected)


def test_threads_may_share_a_finder() -> None:
    images = []
    for n in range(40):
        image = np.random.default_rng(n).poisson(2, (300, 400)).astype(np.uint16)
        image[10 * (n % 20) : 10 * (n % 20) + 3, 5 * n : 5 * n + 3] += 100
        images.append(image)
    finder = NativeSpotFinder((300, 400), OLD)
    expected = [finder.find(image, None, 65533) for image in images]
    answers: dict[int, Any] = {}

    def work(first: int) -> None:
        for n in range(first, len(images), 4):
            answers[n] = finder.find(images[n], None, 65533)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n, spots in enumerate(expected):
        assert_same(answers[n], spots)


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="the mask must have the shape of the images"):
        NativeSpotFinder((30, 40), OLD, np.zeros((40, 30), dtype=bool))


def test_instructions_that_this_processor_does_not_have_are_refused() -> None:
    assert instruction_sets()[0] == "scalar"
    assert NativeSpotFinder((30, 40), OLD).instruction_set == instruction_sets()[-1]
    with pytest.raises(ValueError, match="instruction_set='mmx': this processor has scalar"):
        NativeSpotFinder((30, 40), OLD, instruction_set="mmx")


@pytest.mark.parametrize("kind", NATIVE)
@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i4", "f4"])
def test_images_one_after_the_other_leave_nothing_behind(kind: Any, dtype: str) -> None:
    """Wide enough for every vector, and of a width that is no multiple of one."""
    images = []
    for n in range(6):
        rng = np.random.default_rng(n)
        image = rng.poisson((n % 3) * 10, (120, 357)).astype(dtype)
        for y, x in zip(rng.integers(0, 118, 12), rng.integers(0, 355, 12), strict=True):
            image[y : y + 3, x : x + 3] = rng.integers(100, 250)
        if n == 4:
            image[40:60, 100:200] = 20000 if image.itemsize > 1 else 255
        images.append(image)
    finder = kind(images[0].shape, NEW)
    expected = [ReferenceSpotFinder((120, 357), NEW).find(image, None, 25000) for image in images]
    assert any(len(spots) for spots in expected)
    for n in (0, 1, 2, 3, 4, 5, 4, 3, 5, 0):
        assert_same(finder.find(images[n], None, 25000), expected[n])
