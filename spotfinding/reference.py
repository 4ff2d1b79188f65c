"""DIALS's spots in numpy: the text to read, and the judge of the fast kernel where DIALS is not installed.

It follows DIALS step by step, in the same order of floating point operations, so that the answers are identical and
not only close; ``spotfinding.native`` has the same class for speed. The sources are, in DIALS,
``algorithms/image/threshold/local.h`` (threshold), ``algorithms/image/filter/distance.h`` (erosion),
``model/data/pixel_list.h`` (connection) and ``array_family/boost_python/flex_shoebox.cc`` (measures).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from spotfinding.spots import Spots, check_image, check_strong_pixels, divisor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spotfinding.bitshuffle import Packed
    from spotfinding.parameters import Parameters

BIG: Final = 2**24
"""Counts from which a pixel is left out of all sums (but may be strong)."""


class Sums(NamedTuple):
    """Sums over a box around every pixel, each of shape (slow, fast)."""

    m: NDArray[np.int64]
    """Pixels."""
    x: NDArray[np.float64]
    """Counts."""
    y: NDArray[np.float64]
    """Counts squared."""


class ReferenceSpotFinder:
    """Finds the spots of images of one shape; see `spotfinding.spots.SpotFinder`. Keeps no state between images."""

    def __init__(self, shape: tuple[int, int], parameters: Parameters, mask: NDArray[np.bool_] | None = None) -> None:
        self._shape = shape
        self._parameters = parameters
        self._mask = mask

    def find(self, pixels: NDArray[np.generic], low: float | None, high: float, gain: float = 1.0) -> Spots:
        """Threshold an image, connect its strong pixels, measure and filter the spots."""
        strong = self.strong_pixels(pixels, low, high, gain)
        check_strong_pixels(int(np.count_nonzero(strong)), self._parameters, self._shape)
        slow, fast = np.nonzero(strong)
        counts = (pixels[slow, fast].astype(np.float64) / divisor(gain)).astype(np.float32)  # as shoeboxes hold them
        return _measure(slow, fast, counts, connect(slow, fast), self._parameters)

    def find_packed(self, image: Packed, low: float | None, high: float, gain: float = 1.0) -> None:
        """Return None: it looks at pixels only."""

    def strong_pixels(
        self, pixels: NDArray[np.generic], low: float | None, high: float, gain: float = 1.0
    ) -> NDArray[np.bool_]:
        """Return which pixels are strong, shape (slow, fast); arguments as for `find`."""
        check_image(pixels, self._shape)
        with np.errstate(invalid="ignore", over="ignore"):  # NaN is not valid; inf makes NaN, as in DIALS
            valid = np.less_equal(pixels, high)
            if low is not None:
                valid &= np.greater_equal(pixels, low)
            if self._mask is not None:
                valid &= ~self._mask
            counts = np.where(valid, pixels, 0).astype(np.float64) / divisor(gain)
            if self._parameters.threshold_algorithm == "dispersion":
                return self._dispersion(counts, valid)
            return self._dispersion_extended(counts, valid)

    def _dispersion(self, v: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Strong: the neighbourhood varies too much to be background, and the pixel stands out of it."""
        p = self._parameters
        sums = box_sums(v, valid, p.kernel_size)
        m, x, _ = sums
        excess = m * v - x > p.sigma_strong * np.sqrt((x if p.gain is None else p.gain * x) * m)
        result: NDArray[np.bool_] = valid & self._varies(sums) & (v > p.global_threshold) & excess
        return result

    def _dispersion_extended(self, v: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Strong: deep inside of a neighbourhood that varies, and above the background around that one."""
        p = self._parameters
        varies = valid & self._varies(box_sums(v, valid, p.kernel_size))
        # DIALS < 3.24 lets masked pixels erode as background does; later ones take them as foreground.
        foreground = varies if p.masked_pixels_erode else varies | ~valid
        foreground = valid & erode(foreground, min(p.kernel_size))

        m, x, _ = box_sums(v, valid & ~foreground, (p.kernel_size[0] + 2, p.kernel_size[1] + 2))
        mean = np.where(m >= 2, x / np.maximum(m, 1), 0.0)
        sigma = np.sqrt(mean if p.gain is None else p.gain * mean)
        result: NDArray[np.bool_] = (
            foreground & (x >= 0) & (v > p.global_threshold) & (v >= mean + p.sigma_strong * sigma)
        )
        return result

    def _varies(self, sums: Sums) -> NDArray[np.bool_]:
        """Index of dispersion, variance / mean, above 1 + sigma_background * sqrt(2 / (m - 1)), without divisions."""
        m, x, y = sums
        p = self._parameters
        least = p.min_local if p.min_local > 0 else (2 * p.kernel_size[0] + 1) * (2 * p.kernel_size[1] + 1)
        spread = np.sqrt(2.0 * np.maximum(m - 1, 0))
        if p.gain is None:
            varies = m * y - x * x - x * (m - 1) > x * p.sigma_background * spread
        else:
            varies = m * y - x * x > p.gain * x * (m - 1 + p.sigma_background * spread)
        result: NDArray[np.bool_] = varies & (m >= least) & (x >= 0)
        return result


def box_sums(v: NDArray[np.float64], use: NDArray[np.bool_], kernel: tuple[int, int]) -> Sums:
    """Sum over boxes of (2 * kernel + 1) pixels, cut at the edges, by DIALS's summed-area tables.

    Where sums of squares exceed 2^53, or counts are no whole numbers, the tables round; the order of additions is
    DIALS's, so that they round to the same.
    """
    use = use & (v < BIG)
    rows, columns = (
        (np.maximum(np.arange(n) - min(k, n), 0), np.minimum(np.arange(n) + min(k, n) + 1, n))
        for n, k in zip(v.shape, kernel, strict=True)
    )

    def sums(values: NDArray[np.generic]) -> NDArray[np.generic]:
        table = np.zeros((v.shape[0] + 1, v.shape[1] + 1), dtype=values.dtype)
        table[1:, 1:] = values.cumsum(axis=1).cumsum(axis=0)
        a, b, c, d = (table[np.ix_(j, i)] for j in rows for i in columns)
        result: NDArray[np.generic] = (a - (c + b)) + d
        return result

    return Sums(sums(use.astype(np.int64)), sums(use * v), sums(use * v * v))  # type: ignore[arg-type]


def erode(foreground: NDArray[np.bool_], distance: int) -> NDArray[np.bool_]:
    """Keep pixels whose chessboard distance to the nearest background is at least `distance`.

    What is outside of the image is no background. Oddly, DIALS still gives it a distance, height + width + 1 from
    the pixels of the edge; only kernels larger than the image can tell.
    """
    height, width = foreground.shape
    inside = (distance - 1, distance - 1)
    kept = foreground & (box_sums(np.zeros(foreground.shape), ~foreground, inside).m == 0)
    j, i = np.indices(foreground.shape)
    depth = np.minimum.reduce([j, i, height - 1 - j, width - 1 - i])
    result: NDArray[np.bool_] = kept & (height + width + 1 + depth >= distance)
    return result


def connect(slow: NDArray[np.intp], fast: NDArray[np.intp]) -> NDArray[np.intp]:
    """Number the groups of pixels that share an edge, in the order of their first pixels; one number per pixel.

    The pixels come row by row.
    """
    index = {place: n for n, place in enumerate(zip(slow.tolist(), fast.tolist(), strict=True))}
    labels = np.full(len(slow), -1, dtype=np.intp)
    count = 0
    for start in range(len(slow)):
        if labels[start] >= 0:
            continue
        labels[start] = count
        todo = [(int(slow[start]), int(fast[start]))]
        while todo:
            j, i = todo.pop()
            for place in ((j - 1, i), (j, i - 1), (j, i + 1), (j + 1, i)):
                n = index.get(place)
                if n is not None and labels[n] < 0:
                    labels[n] = count
                    todo.append(place)
        count += 1
    return labels


def _measure(
    slow: NDArray[np.intp],
    fast: NDArray[np.intp],
    counts: NDArray[np.float32],
    labels: NDArray[np.intp],
    p: Parameters,
) -> Spots:
    """Measure spots from their pixels, given row by row, and drop those that `p` does not want.

    `numpy.add.at` adds one after the other, as DIALS does; sums of counts are float32 there.
    """
    n_spots = int(labels.max(initial=-1)) + 1
    n_pixels = np.bincount(labels, minlength=n_spots)
    box = np.empty((n_spots, 4), dtype=np.int32)
    box[:, 0::2] = np.iinfo(np.int32).max
    box[:, 1::2] = 0
    np.minimum.at(box[:, 0], labels, fast)
    np.maximum.at(box[:, 1], labels, fast + 1)
    np.minimum.at(box[:, 2], labels, slow)
    np.maximum.at(box[:, 3], labels, slow + 1)

    intensity = np.zeros(n_spots, dtype=np.float32)
    peak = np.zeros(n_spots, dtype=np.float32)
    moment = np.zeros((n_spots, 2))
    with np.errstate(invalid="ignore", over="ignore"):  # of infinite counts
        np.add.at(intensity, labels, counts)
        for axis, coordinate in enumerate((fast, slow)):
            np.add.at(moment[:, axis], labels, counts.astype(np.float64) * (coordinate - box[labels, 2 * axis] + 0.5))
        centroid = moment / np.where(intensity > 0, intensity, 1.0)[:, None] + box[:, 0::2]
        centroid = np.where(intensity[:, None] > 0, centroid, (box[:, 0::2] + box[:, 1::2]) / 2)
    np.maximum.at(peak, labels, counts)
    # The peak is the first pixel with the largest count; the corner of the box where that rounds to 0.
    position = box[:, 0::2] + 0.5
    for n in np.flatnonzero((counts == peak[labels]) & (counts > 0))[::-1]:
        position[labels[n]] = fast[n] + 0.5, slow[n] + 0.5

    keep = (n_pixels >= p.min_spot_size) & (n_pixels <= p.max_spot_size)
    if p.max_separation is not None:
        dx, dy = (position - centroid).T
        keep &= np.sqrt(dx * dx + dy * dy) <= p.max_separation
    return Spots(
        x=centroid[keep, 0],
        y=centroid[keep, 1],
        intensity=intensity[keep].astype(np.float64),
        n_pixels=n_pixels[keep].astype(np.int32),
        bounding_box=box[keep],
        n_strong_pixels=len(labels),
    )
