"""Diffraction stills: reciprocal lattice points near the Ewald sphere, a background, and noise.

Kinematic and geometric only: enough for a spot finder to find what it would find in a real still.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from filewatcher.testing.detector.models import MASKED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filewatcher.testing.detector.models import Model
    from filewatcher.testing.detector.sample import Still

CELL = (77.2, 77.2, 38.7)
"""Angstrom; orthogonal (lysozyme's)."""

_BLOCK_SIZE = 1500.0  # angstrom: mosaic blocks make lattice points this thick (1 / size)
_MOSAICITY = 0.05  # degrees: and arcs
_BANDWIDTH = 5e-4  # of the wavelength
_B_FACTOR = 20.0  # angstrom^2
_MEAN_INTENSITY = 1500.0  # counts of an average spot at low resolution, in full sun
_SPOT_SIGMA = 0.9  # pixels
_PATCH = 5  # pixels to each side that a spot lights
_JITTER = 0.3  # degrees between two places of a crystal
_STOP_RADIUS = 1.5  # mm, shadow of the beam stop
_ARM_WIDTH = 0.6  # mm, and of what holds it


@dataclass(frozen=True)
class Camera:
    """One detector with its mask: what all its images have in common."""

    model: Model
    seed: int

    @cached_property
    def mask(self) -> NDArray[np.uint32]:
        """Pixel mask, shape of the detector."""
        return self.model.mask(self.seed)

    @cached_property
    def background(self) -> NDArray[np.float64]:
        """Expected counts per pixel without a crystal: air and solvent, less the beam stop's shadow."""
        model = self.model
        slow, fast = (np.arange(n) + 0.5 - c for n, c in zip(model.shape, model.beam_centre, strict=True))
        radius = np.hypot(slow[:, None], fast[None, :]) * model.pixel_size
        knots = np.linspace(0, radius.max(), 2000)
        expected = np.interp(radius, knots, _scatter(knots, model))
        arm = (np.abs(slow[:, None]) * model.pixel_size < _ARM_WIDTH / 2) & (fast[None, :] < 0)
        expected[(radius < _STOP_RADIUS) | arm] *= 0.03
        return expected

    def image(self, still: Still, number: int) -> NDArray[np.uint16]:
        """Return counts, masked pixels = 65535; the same for the same camera, still and number."""
        rng = np.random.default_rng([self.seed, 1, number])
        expected = self.background
        if still.strength > 0:
            expected = expected.copy()
            self._add_spots(expected, still, rng)
        counts = np.minimum(rng.poisson(expected), MASKED - 1).astype(np.uint16)
        counts[self.mask != 0] = MASKED
        return counts

    def _add_spots(self, expected: NDArray[np.float64], still: Still, rng: np.random.Generator) -> None:
        """Add every spot as a round Gaussian."""
        slow, fast, counts = self._predict(still, rng)
        reach = np.arange(-_PATCH, _PATCH + 1)
        rows = np.floor(slow).astype(np.int64)[:, None] + reach
        columns = np.floor(fast).astype(np.int64)[:, None] + reach
        across = np.exp(-((rows + 0.5 - slow[:, None]) ** 2) / (2 * _SPOT_SIGMA**2))
        along = np.exp(-((columns + 0.5 - fast[:, None]) ** 2) / (2 * _SPOT_SIGMA**2))
        scale = counts / (across.sum(axis=1) * along.sum(axis=1))
        patch = scale[:, None, None] * across[:, :, None] * along[:, None, :]
        np.add.at(expected, (rows[:, :, None], columns[:, None, :]), patch)

    def _predict(
        self, still: Still, rng: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return slow and fast coordinate (pixels) and expected counts of every spot on the detector."""
        model = self.model
        of_crystal = np.random.default_rng([self.seed, 2, still.crystal])
        orientation = _rotation(of_crystal, 180.0)
        points = lattice(model) @ (_rotation(rng, _JITTER) @ orientation).T
        wilson = of_crystal.exponential(size=len(points))  # acentric reflections
        k = 1 / model.wavelength
        scattered = points + np.array([0.0, 0.0, -k])  # the beam runs along -z, as in dxtbx
        size = np.linalg.norm(points, axis=1)
        width = np.sqrt(_BLOCK_SIZE**-2 + (np.radians(_MOSAICITY) * size) ** 2 + (_BANDWIDTH * size**2 / (2 * k)) ** 2)
        excitation = (np.linalg.norm(scattered, axis=1) - k) / width
        near = (np.abs(excitation) < 3) & (scattered[:, 2] < 0)
        scattered, size = scattered[near], size[near]
        counts = (
            still.strength
            * _MEAN_INTENSITY
            * wilson[near]
            * np.exp(-(excitation[near] ** 2) / 2 - _B_FACTOR * size**2 / 2)
        )
        pixels = model.distance / model.pixel_size / -scattered[:, 2]
        slow = model.beam_centre[0] - scattered[:, 1] * pixels
        fast = model.beam_centre[1] + scattered[:, 0] * pixels
        inside = (
            (np.minimum(slow, fast) > _PATCH)
            & (slow < model.shape[0] - _PATCH - 1)
            & (fast < model.shape[1] - _PATCH - 1)
            & (np.hypot(scattered[:, 0], scattered[:, 1]) * pixels * model.pixel_size > _STOP_RADIUS)
        )
        return slow[inside], fast[inside], counts[inside]


def lattice(model: Model) -> NDArray[np.float64]:
    """Return the reciprocal lattice points (1/angstrom, not rotated) that can reach the detector; shape (n, 3)."""
    corner = np.hypot(*model.shape) / 2 * model.pixel_size * 1.02
    limit = 2 * np.sin(np.arctan2(corner, model.distance) / 2) / model.wavelength
    ranges = [np.arange(-int(limit * a), int(limit * a) + 1) / a for a in CELL]
    points = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3)
    size = np.linalg.norm(points, axis=1)
    reached: NDArray[np.float64] = points[(size > 0) & (size < limit)]
    return reached


def _scatter(radius: NDArray[np.float64], model: Model) -> NDArray[np.float64]:
    """Counts per pixel at a distance (mm) from the beam: air, falling off, and the rings of water."""
    q = 2 * np.sin(np.arctan2(radius, model.distance) / 2) / model.wavelength
    air = 1.2 * np.exp(-q / 0.06)
    water = 0.6 * np.exp(-(((q - 1 / 3.3) / 0.06) ** 2) / 2) + 0.25 * np.exp(-(((q - 1 / 2.1) / 0.05) ** 2) / 2)
    counts: NDArray[np.float64] = air + water + 0.15
    return counts


def _rotation(rng: np.random.Generator, degrees: float) -> NDArray[np.float64]:
    """Return a rotation about a random axis; by up to so many degrees, or, for 180, any with equal chance."""
    if degrees == 180.0:
        quaternion = rng.normal(size=4)
    else:
        half = np.radians(rng.uniform(0, degrees)) / 2
        axis = rng.normal(size=3)
        quaternion = np.array([np.cos(half), *(np.sin(half) * axis / np.linalg.norm(axis))])
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
