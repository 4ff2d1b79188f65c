"""Images looked at while they are decompressed: the same spots as from pixels, and damage is damage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotfinding import bitshuffle
from spotfinding.chunks import Decoder, Layout
from spotfinding.errors import AnalysisError, NotReadable
from spotfinding.native import NativeSpotFinder, instruction_sets
from spotfinding.parameters import Parameters
from tests.random_images import assert_same, random_case

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spotfinding.bitshuffle import Packed
    from spotfinding.spots import Spots
    from tests.random_images import Case

SEEDS_PER_TEST = 100
OLD = Parameters(masked_pixels_erode=True)


def layout(image: NDArray[Any]) -> Layout:
    return Layout((image.shape[0], image.shape[1]), image.dtype.str, ((32008, (0, 4, image.itemsize, 0, 2)),))


def stored(image: NDArray[Any], nelems: int = 0) -> bytes:
    with h5py.File("packed", "w", driver="core", backing_store=False) as file:
        options = hdf5plugin.Bitshuffle(nelems=nelems, cname="lz4")
        return bytes(
            file.create_dataset("data", data=image, chunks=image.shape, **options).id.read_direct_chunk((0, 0))[1]
        )


def packed(image: NDArray[Any], nelems: int = 0) -> Packed:
    found = Decoder(layout(image)).packed(memoryview(stored(image, nelems)))
    assert found is not None
    return found


def answer(case: Case, finder: NativeSpotFinder, image: Packed | None) -> Spots | str | None:
    try:
        if image is None:
            return case.find(finder)
        return finder.find_packed(image, case.low, case.high, case.gain)
    except AnalysisError as error:
        return str(error)


@pytest.mark.parametrize("first", range(0, 1000, SEEDS_PER_TEST))
def test_spots_are_those_of_the_pixels(first: int) -> None:
    """Of all types and parameters, in blocks from eight pixels to many rows; nothing is left from image to image."""
    streamed = 0
    for seed in range(first, first + SEEDS_PER_TEST):
        case = random_case(seed)
        image = packed(case.pixels, [0, 8, 64, 264, 1024][seed % 5])
        for name in instruction_sets():
            finder = NativeSpotFinder(case.shape, case.parameters, case.mask, instruction_set=name)
            expected = answer(case, finder, None)
            for _ in range(2):
                found = answer(case, finder, image)
                if isinstance(found, str) or found is None:
                    assert found is None or found == expected, case
                    continue
                streamed += 1
                assert not isinstance(expected, str), case
                assert expected is not None
                assert_same(found, expected, context=f"{name}, {case}")
    assert streamed > SEEDS_PER_TEST // 2


def large(seed: int = 0) -> NDArray[Any]:
    """Wide enough for every vector, high enough for the ring of rows to come round many times."""
    rng = np.random.default_rng(seed)
    image = rng.poisson(2, (400, 357)).astype("<u2")
    for y, x in zip(rng.integers(0, 398, 60), rng.integers(0, 355, 60), strict=True):
        image[y : y + 3, x : x + 3] = rng.integers(30, 250)
    return image


@pytest.mark.parametrize("kernel", [(3, 3), (4, 3), (5, 3), (3, 4), (6, 6), (1, 1), (20, 2)])
@pytest.mark.parametrize("algorithm", ["dispersion_extended", "dispersion"])
@pytest.mark.parametrize("name", instruction_sets())
def test_rows_that_are_needed_are_kept(name: str, algorithm: str, kernel: tuple[int, int]) -> None:
    image = large()
    parameters = Parameters(masked_pixels_erode=False, kernel_size=kernel, threshold_algorithm=algorithm)
    finder = NativeSpotFinder((400, 357), parameters, instruction_set=name)
    expected = finder.find(image, 0, 65533)
    assert expected.n_strong_pixels > 100
    for nelems in (8, 64, 0, 32768):
        found = finder.find_packed(packed(image, nelems), 0, 65533)
        assert found is not None
        assert_same(found, expected)


def test_what_only_tables_can_do_is_left_to_them() -> None:
    finder = NativeSpotFinder((400, 357), OLD)
    image = large()
    assert finder.find_packed(packed(image), 0, 65533, gain=2.5) is None
    assert finder.find_packed(packed(image.astype("<f4")), None, 65533) is None
    assert finder.find_packed(packed(image.astype(">u2")), 0, 65533) is None
    image[::2] = 50000  # too many bright pixels to count them one by one
    assert finder.find_packed(packed(image), 0, 65533) is None


def test_a_packed_image_of_another_shape_is_refused() -> None:
    with pytest.raises(AnalysisError, match=r"but the detector \(400, 358\)"):
        NativeSpotFinder((400, 358), OLD).find_packed(packed(large()), 0, 65533)


def test_only_bitshuffle_with_lz4_is_packed() -> None:
    image = large()
    data = memoryview(stored(image))
    assert Decoder(layout(image)).packed(data, 1) is None  # the filter was skipped
    for filters in (
        (),
        ((32008, (0, 4, 2, 0, 3)),),
        ((32008, (0, 4, 1, 0, 2)),),
        ((32008, (0, 4, 2, 0, 2)), (2, (2,))),
    ):
        assert Decoder(Layout((400, 357), "<u2", filters)).packed(data) is None
    with pytest.raises(NotReadable, match="promises 285600 bytes, but an image has 285602"):
        Decoder(Layout((1, 142801), "<u2", ((32008, (0, 4, 2, 0, 2)),))).packed(data)


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_damage_is_found_or_gives_what_decoding_gives(data: st.DataObject) -> None:
    """And a finder that has met it finds the spots of the next image."""
    image = large()
    good = stored(image, 1024)
    bad = bytearray(good)
    where = data.draw(st.integers(12, len(bad) - 1))
    if data.draw(st.booleans()):
        del bad[where:]
    else:
        length = data.draw(st.integers(1, 40))
        bad[where : where + length] = data.draw(st.binary(min_size=1, max_size=length))
    decoder = Decoder(layout(image))
    try:
        pixels: NDArray[Any] | None = decoder.decode(bytes(bad)).copy()
    except NotReadable:
        pixels = None
    try:
        found_image = decoder.packed(memoryview(bytes(bad)))
        assert found_image is not None
        found = FINDER.find_packed(found_image, 0, 65533)
    except NotReadable:
        assert pixels is None
    else:
        assert pixels is not None
        assert found is not None
        assert_same(found, FINDER.find(pixels, 0, 65533))
    assert_same(FINDER.find_packed(packed(image), 0, 65533), EXPECTED)  # type: ignore[arg-type]  # not None, or it fails


FINDER = NativeSpotFinder((400, 357), OLD)
EXPECTED = FINDER.find(large(), 0, 65533)


def test_without_lz4s_address_nothing_is_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spotfinding.native.LZ4", None)
    assert bitshuffle.LZ4 is not None
    assert FINDER.find_packed(packed(large()), 0, 65533) is None
