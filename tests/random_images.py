"""Images and parameters that a detector never gave and never will: what finders of spots must agree on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spotfinding.parameters import Parameters

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from spotfinding.spots import SpotFinder, Spots

DTYPES = ("u1", "u2", "u2", "u4", "i2", "i4", "f4", ">u2", ">f4")


@dataclass(frozen=True, slots=True)
class Case:
    """One image with all that finding its spots depends on."""

    pixels: NDArray[Any]
    mask: NDArray[np.bool_] | None
    parameters: Parameters
    low: float | None
    high: float
    gain: float

    @property
    def shape(self) -> tuple[int, int]:
        slow, fast = self.pixels.shape
        return slow, fast

    def find(self, finder: SpotFinder) -> Spots:
        return finder.find(self.pixels, self.low, self.high, self.gain)

    def __repr__(self) -> str:
        """What a failed test shows."""
        masked = 0 if self.mask is None else int(self.mask.sum())
        return (
            f"Case({self.pixels.shape} {self.pixels.dtype.str}, {masked} masked, {self.low}..{self.high}, "
            f"gain {self.gain}, {self.parameters})"
        )


def random_case(seed: int) -> Case:
    """The same case for the same seed."""
    rng = np.random.default_rng(seed)
    shape = _shape(rng)
    dtype = np.dtype(str(rng.choice(DTYPES)))
    pixels = _pixels(rng, shape, dtype)
    low, high = _limits(rng, dtype)
    gain = float(rng.choice([1, 1, 1, 1, 2, 3.7]))
    return Case(pixels, _mask(rng, shape), _parameters(rng), low, high, gain)


def _shape(rng: Generator) -> tuple[int, int]:
    kind = rng.integers(6)
    if kind == 0:
        return int(rng.integers(1, 6)), int(rng.integers(1, 6))
    if kind == 1:
        thin, long = int(rng.integers(1, 9)), int(rng.integers(1, 150))
        return (thin, long) if rng.random() < 0.5 else (long, thin)
    return int(rng.integers(1, 70)), int(rng.integers(1, 140))


def _pixels(rng: Generator, shape: tuple[int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Background with a slope, spots of all strengths, hot and marked pixels."""
    background = float(rng.choice([0, 0.02, 0.3, 1, 1, 5, 30, 100, 1000, 20000]))
    expected = np.full(shape, background) * np.linspace(1, rng.choice([1, 1, 3]), shape[1])
    slow, fast = np.indices(shape)
    strongest = float(rng.choice([20, 50, 500, 500, 30000, 2**20, 2**25]))
    for _ in range(int(rng.integers(0, 40))):
        y, x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        r2 = (slow - y) ** 2 + (fast - x) ** 2
        expected += rng.uniform(0, strongest) * np.exp(-r2 / rng.uniform(0.2, 8))
    counts = rng.poisson(expected).astype(np.float64)
    if rng.random() < 0.5:
        hot = rng.random(shape) < rng.choice([0.001, 0.01, 0.3])
        counts[hot] = rng.choice([7, 255, 6621, 40000, 65533, 65535, 2**24 - 1, 2**24, 2**31, 2**32 - 1])
    if dtype.kind != "u" and rng.random() < 0.4:
        counts[rng.random(shape) < rng.choice([0.01, 0.3])] = -rng.integers(1, 50)
    if dtype.kind == "f":
        if rng.random() < 0.7:
            counts += rng.normal(0, 0.2, shape)
        if rng.random() < 0.3:
            counts[rng.random(shape) < 0.02] = rng.choice([np.nan, np.inf, -np.inf])
    else:
        counts = np.clip(counts, np.iinfo(dtype).min, np.iinfo(dtype).max)
    pixels: NDArray[Any] = counts.astype(dtype)
    return pixels


def _limits(rng: Generator, dtype: np.dtype[Any]) -> tuple[float | None, float]:
    """Limits as `valid_range` makes them: those of the type, or narrower ones."""
    low: float | None = [None, None, 0, 0, 1, 3, -5][rng.integers(7)]
    if dtype.kind == "f":
        low = None if low is None else float(np.nextafter(np.float32(low), np.float32(-1e9)))
        return low, float(rng.choice([1e9, 65535, 3e7, 200.5]))
    info = np.iinfo(dtype)
    if dtype.kind == "u" and low is not None:
        low = max(low, 0)
    return low, int(min(info.max - 2, rng.choice([2**31 - 3, 2**31 - 3, 65533, 65533, 5000, 200, 2**24 + 5])))


def _mask(rng: Generator, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    kind = rng.integers(6)
    if kind == 0:
        return None
    mask: NDArray[np.bool_] = rng.random(shape) < rng.choice([0, 0, 0.001, 0.02, 0.02, 0.1, 0.1, 0.4, 0.97])
    if kind == 5:  # gaps between modules
        j, i = rng.integers(shape[0]), rng.integers(shape[1])
        mask[j : j + rng.integers(1, 20)] = True
        mask[:, i : i + rng.integers(1, 20)] = True
    return mask


def _parameters(rng: Generator) -> Parameters:
    kernel = (int(rng.integers(1, 6)), int(rng.integers(1, 6))) if rng.random() < 0.5 else (3, 3)
    if rng.random() < 0.03:
        kernel = (int(rng.integers(1, 40)), int(rng.integers(1, 300)))
    box = (2 * kernel[0] + 1) * (2 * kernel[1] + 1)
    smallest = int(rng.integers(1, 5))
    return Parameters(
        threshold_algorithm=str(rng.choice(["dispersion_extended", "dispersion_extended", "dispersion"])),
        kernel_size=kernel,
        sigma_background=float(rng.choice([6, 6, 3, 1, 0.37, 0])),
        sigma_strong=float(rng.choice([3, 3, 1, 0.5, 0, 7])),
        min_local=int(rng.choice([2, 2, 2, 0, 5, box])),
        global_threshold=float(rng.choice([0, 0, 0, 0, 0, 0, 3, 12.5, 1000])),
        gain=[None, None, None, 1.0, 0.4, 2.7][rng.integers(6)],
        min_spot_size=smallest,
        max_spot_size=smallest + int(rng.choice([1, 5, 1000])),
        max_separation=[2.0, 2.0, 0.5, None][rng.integers(4)],
        max_strong_pixel_fraction=float(rng.choice([1, 1, 1, 0.25])),
        masked_pixels_erode=bool(rng.integers(2)),
        trusted_range="inclusive",
    )


def assert_same(spots: Spots, expected: Spots, *, centroid: float = 0.0, context: object = "") -> None:
    """Equal in everything, in the same order; centroids to within `centroid` px."""
    assert spots.n_strong_pixels == expected.n_strong_pixels, context
    for name in ("n_pixels", "bounding_box", "intensity"):
        np.testing.assert_array_equal(getattr(spots, name), getattr(expected, name), f"{name} of {context}")
    for name in ("x", "y"):
        np.testing.assert_allclose(
            getattr(spots, name), getattr(expected, name), rtol=0, atol=centroid, err_msg=f"{name} of {context}"
        )
