"""Centring again, slowly and plainly, cell by cell: what the fast one is compared with."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Cell = tuple[int, ...]


def regions(mask: NDArray[np.bool_]) -> list[list[Cell]]:
    """Connected regions by flood fill, in raster order of first cells; each in raster order."""
    left = set(map(tuple, np.argwhere(mask).tolist()))
    found = []
    for first in sorted(left):
        if first not in left:
            continue
        left.remove(first)
        region, front = [first], [first]
        while front:
            here = front.pop()
            for move in product((-1, 0, 1), repeat=mask.ndim):
                there = tuple(a + b for a, b in zip(here, move, strict=True))
                if there in left:
                    left.remove(there)
                    region.append(there)
                    front.append(there)
        found.append(sorted(region))
    return found


def production_2d(counts: NDArray[np.float64], threshold: float = 0.5) -> tuple[list[Cell], tuple[float, float]] | None:
    """Cells (row, column) of the best region and its centre (x, y); None without diffraction."""
    if counts.max() == 0:
        return None
    best = max(regions((counts >= threshold * counts.max()) & (counts > 0)), key=len)
    rows, columns = zip(*best, strict=True)
    return best, (sum(columns) / len(best) + 0.5, sum(rows) / len(best) + 0.5)


def production_3d(
    a: NDArray[np.float64], b: NDArray[np.float64], threshold: float, absolute: float, *, several: bool
) -> list[tuple[float, list[Cell]]]:
    """(total, voxels) of all crystals, ranked; ``a`` and ``b`` have shapes (x, y) and (x, z)."""
    a, b = np.where(a < absolute, 0, a), np.where(b < absolute, 0, b)
    volume = a[:, :, None] * b[:, None, :]
    kept = np.zeros(volume.shape, bool)
    every = [tuple(place) for place in np.ndindex(volume.shape)]
    for region in regions(volume > 0) if several else [every]:
        most = max(volume[voxel] for voxel in region)
        for voxel in region:
            kept[voxel] = volume[voxel] > 0 and volume[voxel] >= threshold * most
    crystals = [(float(sum(volume[voxel] for voxel in region)), region) for region in regions(kept)]
    return sorted(crystals, key=lambda crystal: -crystal[0])
