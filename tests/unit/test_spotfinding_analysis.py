"""The interface of a worker: its words, its engines, and what it refuses."""

from __future__ import annotations

import pickle
import zlib
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from filewatcher.core import detector, messages
from spotfinding.analysis import Analysis, Record
from spotfinding.chunks import Chunk, Layout
from spotfinding.detector import Detector
from spotfinding.errors import AnalysisError, NotReadable
from spotfinding.parameters import Parameters

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SHAPE = (60, 80)
DETECTOR = Detector(SHAPE, (0.1, 0.1), (1, 0, 0), (0, -1, 0), (-4.0, 3.0, -30.0), 1.0)


@pytest.mark.parametrize(("ours", "theirs"), [(Detector, detector.Detector), (Record, messages.Statistics)])
def test_the_words_are_those_of_the_watcher(ours: Any, theirs: Any) -> None:
    assert [(f.name, f.type, f.default) for f in fields(ours)] == [(f.name, f.type, f.default) for f in fields(theirs)]


def test_a_detector_is_made_from_the_watchers() -> None:
    theirs = detector.Detector(**asdict(DETECTOR))
    assert pickle.loads(pickle.dumps(Detector(**asdict(theirs)))) == DETECTOR


def packed(mask: NDArray[np.bool_]) -> Detector:
    assert mask.ndim == 2
    shape = (mask.shape[0], mask.shape[1])
    data = zlib.compress(np.packbits(mask).tobytes())
    return Detector(shape, (0.1, 0.1), (1, 0, 0), (0, -1, 0), (0, 0, -1), 1.0, mask=data, name="eiger")


@given(hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_a_mask_is_unpacked(mask: NDArray[np.bool_]) -> None:
    unpacked = packed(mask).pixel_mask()
    assert unpacked is not None
    assert unpacked.dtype == np.bool_
    np.testing.assert_array_equal(unpacked, mask)


@given(st.binary(max_size=60))
def test_a_mask_that_is_none_is_refused(junk: bytes) -> None:
    detector = Detector((90, 90), (0.1, 0.1), (1, 0, 0), (0, -1, 0), (0, 0, -1), 1.0, mask=junk, name="eiger")
    with pytest.raises(AnalysisError, match="the pixel mask of eiger is damaged"):
        detector.pixel_mask()


def test_a_mask_of_another_shape_is_refused() -> None:
    detector = Detector(**(asdict(packed(np.zeros((4, 8), dtype=bool))) | {"shape": (5, 8)}))
    with pytest.raises(AnalysisError, match=r"has 4 bytes of 8 pixels, which is not an image of 5 x 8 \(slow x fast\)"):
        detector.pixel_mask()


@pytest.fixture(scope="module", params=["native", "dials"])
def analysis(request: pytest.FixtureRequest) -> Analysis:
    return Analysis(DETECTOR, Parameters(), request.param)


def test_everything_is_resolved(analysis: Analysis) -> None:
    assert Analysis(DETECTOR, Parameters(), "auto").engine_name == "native"
    assert None not in (analysis.parameters.masked_pixels_erode, analysis.parameters.trusted_range)


def test_a_frame_is_analysed(analysis: Analysis, tmp_path: Path) -> None:
    image = np.random.default_rng(0).poisson(1, SHAPE).astype("<u2")
    image[20:23, 30:33] = 60
    path = tmp_path / "data.h5"
    path.write_bytes(image.tobytes())
    analysis.warm_up()
    record = analysis(Chunk(str(path), 0, image.nbytes), Layout(SHAPE, "<u2"))
    assert (record.n_spots_total, record.n_strong_pixels) == (1, 9)
    assert record.total_intensity == image[20:23, 30:33].sum()
    measured = analysis.spots(Chunk(str(path), 0, image.nbytes), Layout(SHAPE, "<u2"))
    assert measured.spots.bounding_box.tolist() == [[30, 33, 20, 23]]
    assert (measured.spots.n_pixels.tolist(), measured.spots.intensity.tolist()) == ([9], [record.total_intensity])
    assert 0 < measured.d[0] < 40
    assert pickle.loads(pickle.dumps(record)) == record


def test_a_compressed_frame_is_analysed_as_its_pixels_are(analysis: Analysis, tmp_path: Path) -> None:
    image = np.random.default_rng(0).poisson(1, SHAPE).astype("<u2")
    image[20:23, 30:33] = 60
    with h5py.File("compressed", "w", driver="core", backing_store=False) as file:
        data = file.create_dataset("data", data=image, chunks=SHAPE, **hdf5plugin.Bitshuffle(cname="lz4"))
        stored = data.id.read_direct_chunk((0, 0))[1]
    path, layout = tmp_path / "data.h5", Layout(SHAPE, "<u2", ((32008, (0, 4, 2, 0, 2)),))
    path.write_bytes(stored)
    chunk = Chunk(str(path), 0, len(stored))
    assert analysis(chunk, layout) == analysis.find(image)
    assert analysis.spots(chunk, layout).spots.n_pixels.tolist() == [9]
    path.write_bytes(stored[:-1] + b"\0")
    for changed in (Chunk(str(path), 0, len(stored) - 1), Chunk(str(path), 12, len(stored) - 12)):
        with pytest.raises(NotReadable, match=r"data\.h5: .* read 5 times"):
            analysis(changed, layout)


def test_bytes_that_are_not_there_are_given_back(analysis: Analysis, tmp_path: Path) -> None:
    with pytest.raises(NotReadable, match=r"absent\.h5: No such file or directory \(10 bytes at 0, read 5 times\)"):
        analysis(Chunk(str(tmp_path / "absent.h5"), 0, 10), Layout(SHAPE, "<u2"))


@pytest.mark.parametrize(
    ("layout", "says"),
    [
        (
            Layout((30, 80), "<u2"),
            "its images have 30 x 80 pixels (slow x fast), but the detector in the master has 60 x 80",
        ),
        (
            Layout(SHAPE, "<f8"),
            "the pixels are <f8; supported are u1, u2, u4, i2, i4, f4 (unsigned, signed, floating; bytes per pixel)",
        ),
    ],
)
def test_images_that_cannot_be_analysed_are_refused(analysis: Analysis, layout: Layout, says: str) -> None:
    with pytest.raises(AnalysisError) as caught:
        analysis(Chunk("/d.h5", 0, 1), layout)
    assert str(caught.value) == f"/d.h5: {says}"
    assert type(caught.value) is AnalysisError
