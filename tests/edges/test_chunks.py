"""Bytes of a chunk -> pixels: what HDF5 wrote comes back, and what is not whole is found out."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spotfinding.chunks import DTYPES, Decoder, Layout, unsupported
from spotfinding.errors import NotReadable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

PIPELINES: dict[str, Mapping[str, Any]] = {
    "none": {},
    "bslz4": hdf5plugin.Bitshuffle(cname="lz4"),
    "bslz4_small_blocks": hdf5plugin.Bitshuffle(nelems=64, cname="lz4"),
    "bszstd": hdf5plugin.Bitshuffle(cname="zstd"),
    "lz4": hdf5plugin.LZ4(),
    "lz4_small_blocks": hdf5plugin.LZ4(nbytes=100),
    "gzip": {"compression": "gzip"},
    "shuffle": {"shuffle": True},
    "shuffle_gzip": {"compression": "gzip", "shuffle": True},
    "shuffle_lz4": {**hdf5plugin.LZ4(), "shuffle": True},
    "shuffle_bslz4": {**hdf5plugin.Bitshuffle(cname="lz4"), "shuffle": True},
}
ALL_DTYPES = [f"{order}{kind}" for kind in DTYPES for order in "<>"]


def written(image: NDArray[Any], pipeline: str) -> tuple[bytes, Layout]:
    """What HDF5 stores for an image, and how."""
    # the name of a file in memory must not be one that is open
    with h5py.File(f"{pipeline}{image.dtype.str}", "w", driver="core", backing_store=False) as file:
        data = file.create_dataset("data", data=image[None], chunks=(1, *image.shape), **PIPELINES[pipeline])
        plist = data.id.get_create_plist()
        filters = [plist.get_filter(i) for i in range(plist.get_nfilters())]
        layout = Layout((image.shape[0], image.shape[1]), data.dtype.str, tuple((f[0], tuple(f[2])) for f in filters))
        filter_mask, stored = data.id.read_direct_chunk((0, 0, 0))
    assert filter_mask == 0
    return bytes(stored), layout


def poisson(shape: tuple[int, int], dtype: str) -> NDArray[Any]:
    image: NDArray[Any] = np.random.default_rng(0).poisson(3, shape).astype(dtype)
    return image


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_what_hdf5_wrote_comes_back(pipeline: str, dtype: str) -> None:
    image = poisson((67, 131), dtype)
    image[3, 5] = np.inf if image.dtype.kind == "f" else np.iinfo(dtype).max
    data, layout = written(image, pipeline)
    assert unsupported(layout) is None
    pixels = Decoder(layout).decode(data)
    assert pixels.dtype == image.dtype
    np.testing.assert_array_equal(pixels, image)


@given(
    image=st.sampled_from(ALL_DTYPES).flatmap(lambda dtype: hnp.arrays(dtype, st.tuples(*[st.integers(1, 40)] * 2))),
    pipeline=st.sampled_from(sorted(PIPELINES)),
)
@settings(max_examples=200, deadline=None)
def test_any_image_comes_back(image: NDArray[Any], pipeline: str) -> None:
    data, layout = written(image, pipeline)
    pixels = Decoder(layout).decode(memoryview(data))
    assert pixels.tobytes() == image.tobytes()
    assert pixels.shape == image.shape


def noise() -> NDArray[Any]:
    """Not compressible: what comes late may be in the middle of bytes that LZ4 only copies."""
    image: NDArray[Any] = np.random.default_rng(1).integers(0, 2**16, (100, 90)).astype("<u2")
    return image


@pytest.mark.parametrize("pipeline", ["bslz4", "bszstd", "lz4", "gzip", "shuffle_gzip", "shuffle_lz4"])
@given(missing=st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_a_chunk_that_is_too_short_is_not_readable(pipeline: str, missing: float) -> None:
    data, layout = written(noise(), pipeline)
    with pytest.raises(NotReadable):
        Decoder(layout).decode(data[: -max(1, round(missing * len(data)))])


@pytest.mark.parametrize("pipeline", ["bslz4", "gzip", "shuffle_gzip"])
@given(missing=st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_a_chunk_with_a_hole_at_its_end_is_not_readable(pipeline: str, missing: float) -> None:
    """Zeros, where a network file system knows the size of a file before its bytes."""
    data, layout = written(noise(), pipeline)
    hole = max(128, round(missing * len(data)))
    with pytest.raises(NotReadable):
        Decoder(layout).decode(data[:-hole] + bytes(hole))


@given(
    seed=st.integers(0, 2**32 - 1),
    mean=st.sampled_from([0, 0.001, 0.1, 5, 5000]),
    blank=st.integers(0, 60),
    nelems=st.sampled_from([0, 64, 32768]),
)
@settings(max_examples=100, deadline=None)
def test_an_image_that_ends_in_zeros_is_no_hole(seed: int, mean: float, blank: int, nelems: int) -> None:
    rng = np.random.default_rng(seed)
    image = (rng.poisson(mean, (60, 257)) + (mean > 5) * rng.integers(0, 60000, (60, 257))).astype("<u4")
    image[60 - blank :] = 0
    with h5py.File(f"{seed}", "w", driver="core", backing_store=False) as file:
        options = hdf5plugin.Bitshuffle(nelems=nelems, cname="lz4")
        data = file.create_dataset("data", data=image[None], chunks=(1, *image.shape), **options)
        stored = bytes(data.id.read_direct_chunk((0, 0, 0))[1])
    decoder = Decoder(Layout((60, 257), "<u4", ((32008, (0, 4, 4, nelems, 2)),)))
    np.testing.assert_array_equal(decoder.decode(stored), image)


@pytest.mark.parametrize("pipeline", ["bslz4", "bszstd", "lz4", "gzip", "shuffle_gzip", "shuffle_bslz4"])
@given(junk=st.binary(max_size=300))
@settings(max_examples=50, deadline=None)
def test_junk_is_not_readable(pipeline: str, junk: bytes) -> None:
    _, layout = written(poisson((20, 20), "<u2"), pipeline)
    with pytest.raises(NotReadable):
        Decoder(layout).decode(junk)


def header(length: int, block: int) -> bytes:
    return length.to_bytes(8, "big") + block.to_bytes(4, "big")


@pytest.mark.parametrize(
    ("pipeline", "wrong", "says"),
    [
        ("bslz4", header(0, 0), "promises 0 bytes, but an image has 800"),
        ("bslz4", header(1600, 8192), "promises 1600 bytes, but an image has 800"),
        ("bslz4", header(2**64 - 1, 8192), "but an image has 800"),
        ("bslz4", header(800, 0), "promises blocks of 0 bytes"),
        ("bslz4", header(800, 1000), "promises blocks of 1000 bytes"),
        ("bslz4", header(800, 2**32 - 16), "promises blocks of 4294967280 bytes"),
        ("bszstd", header(799, 8192), "promises 799 bytes, but an image has 800"),
        ("lz4", header(0, 0), "promises 0 bytes, but an image has 800"),
        ("lz4", header(800, 0), "promises blocks of 0 bytes"),
    ],
)
def test_a_wrong_header_is_not_readable(pipeline: str, wrong: bytes, says: str) -> None:
    data, layout = written(poisson((20, 20), "<u2"), pipeline)
    with pytest.raises(NotReadable, match=says):
        Decoder(layout).decode(wrong + data[12:])


@pytest.mark.parametrize("pipeline", ["none", "shuffle", "bslz4", "lz4", "gzip", "shuffle_gzip"])
@pytest.mark.parametrize("shape", [(20, 19), (20, 21)])
def test_a_chunk_of_another_shape_is_not_readable(pipeline: str, shape: tuple[int, int]) -> None:
    data, _ = written(poisson(shape, "<u2"), pipeline)
    _, layout = written(poisson((20, 20), "<u2"), pipeline)
    with pytest.raises(NotReadable):
        Decoder(layout).decode(data)


def test_a_bomb_is_stopped_at_the_size_of_an_image() -> None:
    _, layout = written(poisson((20, 20), "<u2"), "gzip")
    with pytest.raises(NotReadable, match="gzip gives more than 800 bytes"):
        Decoder(layout).decode(zlib.compress(bytes(10**7)))


@pytest.mark.parametrize("filter_mask", [0b00, 0b01, 0b10, 0b11])
def test_filters_that_the_writer_skipped_are_not_undone(filter_mask: int) -> None:
    image = poisson((30, 40), "<u2")
    raw = image.tobytes()
    shuffled = np.frombuffer(raw, dtype="u1").reshape(-1, 2).T.tobytes()
    data = raw if filter_mask & 1 else shuffled
    data = data if filter_mask & 2 else zlib.compress(data)
    _, layout = written(image, "shuffle_gzip")
    np.testing.assert_array_equal(Decoder(layout).decode(data, filter_mask), image)


def test_a_pipeline_whose_lengths_are_only_known_at_the_end_is_undone() -> None:
    """Two compressions: what comes out of the second is of unknown length."""
    image = poisson((30, 40), "<u2")
    once, layout = written(image, "bslz4")
    twice = Layout(layout.shape, layout.dtype, (*layout.filters, (1, (6,))))
    np.testing.assert_array_equal(Decoder(twice).decode(zlib.compress(once)), image)


def test_one_decoder_serves_one_image_after_the_other() -> None:
    first, second = poisson((30, 40), "<u2"), poisson((30, 40), "<u2") + 1
    _, layout = written(first, "shuffle_gzip")
    decoder = Decoder(layout)
    for image in (first, second, first):
        np.testing.assert_array_equal(decoder.decode(written(image, "shuffle_gzip")[0]), image)


SUPPORTED = (
    "supported are bitshuffle with LZ4 or Zstd (32008), LZ4 (32004), gzip (1), shuffle (2) and no filter at all: "
    "have the file writer use one of these"
)


@pytest.mark.parametrize(
    ("layout", "says"),
    [
        (
            Layout((2, 2), "<u2", ((32001, ()),)),
            f"the images are stored with HDF5 filter 32001 (Blosc); {SUPPORTED}",
        ),
        (Layout((2, 2), "<u2", ((2, (2,)), (40000, ()))), f"the images are stored with HDF5 filter 40000; {SUPPORTED}"),
        (
            Layout((2, 2), "<u2", ((32008, (0, 4, 2, 0, 0)),)),
            f"the images are stored with bitshuffle (0, 4, 2, 0, 0) without LZ4 or Zstd; {SUPPORTED}",
        ),
        (
            Layout((2, 2), "<u2", ((2, ()),)),
            "the images are stored with shuffle (), which does not say the size of a pixel",
        ),
        (
            Layout((2, 2), "<i8"),
            "the pixels are <i8; supported are u1, u2, u4, i2, i4, f4 (unsigned, signed, floating; bytes per pixel)",
        ),
        (
            Layout((2, 2), "colour"),
            "the pixels are colour; supported are u1, u2, u4, i2, i4, f4 (unsigned, signed, floating; bytes per pixel)",
        ),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(layout: Layout, says: str) -> None:
    assert unsupported(layout) == says
    with pytest.raises(ValueError, match=re.escape(says)):
        Decoder(layout)
