"""The simulated stills obey the physics that a spot finder relies on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from filewatcher.testing.detector.images import CELL, Camera
from filewatcher.testing.detector.models import MASK_GAP, MASKED, MODELS
from filewatcher.testing.detector.sample import Still

BLANK = Still(-1, 0.0)
STRONG = Still(0, 1.0)


@pytest.fixture(scope="module")
def camera() -> Camera:
    return Camera(MODELS["eiger2-1m"], seed=7)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("eiger2-16m", (4362, 4148)), ("eiger2-4m", (2162, 2068)), ("eiger2-1m", (1062, 1028))],
)
def test_sizes_and_gaps_are_those_of_the_real_detectors(name: str, shape: tuple[int, int]) -> None:
    model = MODELS[name]
    mask = model.mask(seed=0)
    assert model.shape == mask.shape == shape
    modules = model.modules[0] * model.modules[1]
    assert np.count_nonzero(mask & MASK_GAP) == shape[0] * shape[1] - modules * 512 * 1028
    bad = np.count_nonzero(mask & ~np.uint32(MASK_GAP))
    assert 0 < bad < 1e-4 * mask.size


def test_masked_pixels_and_only_those_are_at_the_top_of_the_type(camera: Camera) -> None:
    image = camera.image(STRONG, 3)
    assert image.dtype == np.uint16
    assert np.array_equal(image == MASKED, camera.mask != 0)


def test_the_seed_decides(camera: Camera) -> None:
    again = Camera(camera.model, camera.seed).image(STRONG, 3)
    assert np.array_equal(camera.image(STRONG, 3), again)
    assert not np.array_equal(camera.image(STRONG, 4), again)
    assert not np.array_equal(Camera(camera.model, camera.seed + 1).image(STRONG, 3), again)


def test_a_blank_image_is_poisson_noise_around_the_background(camera: Camera) -> None:
    image = camera.image(BLANK, 0).astype(float)
    good = camera.mask == 0
    expected = camera.background[good]
    deviation = (image[good] - expected) / np.sqrt(expected)
    assert abs(deviation.mean()) < 0.01
    assert deviation.std() == pytest.approx(1, abs=0.02)


def test_the_beam_stop_casts_its_shadow_and_water_its_ring(camera: Camera) -> None:
    model = camera.model
    slow, fast = (round(c) for c in model.beam_centre)

    def at(d: float) -> float:
        radius = model.distance * np.tan(2 * np.arcsin(model.wavelength / (2 * d))) / model.pixel_size
        return float(camera.background[slow, fast + round(radius)])

    assert camera.background[slow, fast] < 0.1 * at(20)
    assert at(3.3) > 1.5 * at(6)
    assert at(3.3) > 1.5 * at(2.4)


def test_more_crystal_gives_more_counts(camera: Camera) -> None:
    good = camera.mask == 0
    sums = [int(camera.image(Still(0, s), 5)[good].sum()) for s in (0.0, 0.2, 0.5, 1.0)]
    signal = np.diff(sums)
    assert (signal > 10_000).all(), sums


def test_spots_lie_where_braggs_law_puts_them() -> None:
    """From far away, where a pixel is much finer than the cell's d-spacings are apart."""
    model = replace(MODELS["eiger2-1m"], distance=600.0)
    camera = Camera(model, seed=7)
    image = camera.image(STRONG, 3).astype(float)
    slow, fast = (np.arange(n) + 0.5 - c for n, c in zip(model.shape, model.beam_centre, strict=True))
    two_theta = np.arctan2(np.hypot(slow[:, None], fast[None, :]) * model.pixel_size, model.distance)
    q = 2 * np.sin(two_theta / 2) / model.wavelength
    candidates = np.where((camera.mask == 0) & (q < 0.06), image, 0)
    peaks = []
    while candidates.max() > 40:
        row, column = np.unravel_index(candidates.argmax(), image.shape)
        peaks.append(q[row, column])
        candidates[max(0, row - 5) : row + 6, max(0, column - 5) : column + 6] = 0
    indices = np.stack(np.meshgrid(*[np.arange(6)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)[1:]
    possible = np.unique(np.linalg.norm(indices / np.array(CELL), axis=1).round(6))
    possible = possible[possible < 0.065]
    pixel = model.pixel_size / model.distance / model.wavelength  # in 1/angstrom
    assert np.median(np.diff(possible)) > 6 * pixel  # or any peak would fit
    assert len(peaks) >= 4
    assert max(np.abs(possible - peak).min() for peak in peaks) < 1.5 * pixel
