"""An image as a picture: every block is its brightest pixel, and what is masked or overloaded is told apart."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from spotfinding.analysis import Analysis
from spotfinding.detector import Detector
from spotfinding.geometry import Geometry
from spotfinding.imageview import beam_on, notes, picture, ring_radius
from spotfinding.parameters import Parameters
from spotfinding.rendering import LEVELS, MASKED, OVERLOADED, Exposure, block_size, chosen_black, render

if TYPE_CHECKING:
    from numpy.typing import NDArray

DTYPES = st.sampled_from(["u1", "u2", "u4", "i4", "f4"])


def places(png: bytes) -> NDArray[np.uint8]:
    """Places in the palette, as another program reads them."""
    image = Image.open(io.BytesIO(png))
    assert image.mode == "P"
    assert image.info["transparency"] is not None
    return np.array(image)


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    largest=st.integers(5, 45),
    dtype=DTYPES,
    masks=st.booleans(),
)
def test_a_pixel_of_the_picture_is_the_maximum_of_its_block(
    seed: int, shape: tuple[int, int], largest: int, dtype: str, masks: bool
) -> None:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 120, shape).astype(dtype)
    pixels[random.random(shape) < 0.05] = 110
    mask = random.random(shape) < 0.2 if masks else None
    found = places(render(pixels, Exposure(mask, (0, 100), inclusive=False, black=50.0), largest))
    size = block_size(shape, largest)
    assert found.shape == tuple(-(-side // size) for side in shape)
    valid = (pixels < 100) & (True if mask is None else ~mask)
    for row, column in np.ndindex(found.shape):
        block = np.s_[row * size : (row + 1) * size, column * size : (column + 1) * size]
        masked = np.zeros(1, bool) if mask is None else mask[block]
        if masked.all():
            assert found[row, column] == MASKED
        elif ((pixels[block] >= 100) & ~(False if mask is None else mask[block])).any():
            assert found[row, column] == OVERLOADED
        else:
            most = pixels[block][valid[block]].max()
            assert found[row, column] == min(LEVELS - 1, int(most * (LEVELS - 1) / 50 + 0.5))


def test_one_hot_pixel_of_sixteen_million_is_seen_and_marks_are_masked() -> None:
    pixels = np.zeros((4362, 4148), np.uint16)
    pixels[1234, 777] = 60
    pixels[2000:2040] = 65535
    found = places(render(pixels, Exposure(None, (0, 50000), inclusive=False)))
    assert found.shape == (1454, 1383)
    assert np.argwhere(found == LEVELS - 1).tolist() == [[1234 // 3, 777 // 3]]
    # a block of which one pixel is not masked shows that one
    assert (found == MASKED).all(axis=1).nonzero()[0].tolist() == list(range(667, 680))


def test_black_follows_the_background_and_not_the_spots() -> None:
    pixels = np.full((100, 100), 7, np.uint16)
    pixels[:5] = 9000
    exposure = Exposure(None, (0, 50000), inclusive=False)
    assert chosen_black(pixels, exposure) == 21.0
    everything = np.ones(pixels.shape, bool)
    assert chosen_black(pixels, Exposure(everything, (0, 50000), inclusive=False)) == 10.0


FLAT = Detector(
    (300, 200), (0.1, 0.1), (1, 0, 0), (0, -1, 0), (-9.0, 14.0, -150.0), 0.9763, thickness=0.45, material="Si",
    trusted_range=(0, 1000), name="small",
)  # fmt: skip


@given(d=st.floats(1.9, 40.0), angle=st.floats(0, 6.28))
def test_a_ring_is_where_the_geometry_has_that_resolution(d: float, angle: float) -> None:
    beam = beam_on(FLAT)
    assert beam is not None
    radius = ring_radius(FLAT, beam[2], d)
    assert radius is not None
    x, y = (
        np.array([centre + radius * part]) for centre, part in zip(beam, (np.cos(angle), np.sin(angle)), strict=False)
    )
    assert 1 / Geometry(FLAT, parallax=False).d_star(x, y)[0] == pytest.approx(d, rel=1e-9)


def test_what_is_drawn_over_an_image_is_what_the_engine_found() -> None:
    pixels = np.random.default_rng(3).poisson(1.0, FLAT.shape).astype(np.uint16)
    pixels[100:103, 50:53] += 200
    analysis = Analysis(FLAT, Parameters(), "native")
    told = notes(analysis, pixels)
    spots = told["spots"]
    assert isinstance(spots, list)
    assert len(spots) == analysis.find(pixels).n_spots_total == 1
    spot = spots[0]
    assert isinstance(spot, dict)
    assert spot["bounding_box"] == [50, 53, 100, 103]
    assert told["beam"] == [90.0, 140.0]
    counts = told["counts"]
    assert isinstance(counts, dict)
    assert isinstance(counts["top"], float)
    assert picture(analysis, pixels) == picture(analysis, pixels, counts["top"])


def test_a_detector_beside_the_beam_has_no_rings() -> None:
    aside = Detector((10, 10), (0.1, 0.1), (0, 0, 1), (0, -1, 0), (50.0, 0.0, -100.0), 1.0)
    assert beam_on(aside) is None
    # backwards: no ring there
    assert ring_radius(FLAT, 150.0, 0.5) is None
