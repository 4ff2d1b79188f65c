"""Regions by union-find over runs, against a flood fill."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.centring.regions import Lines, label, label_lines, places, steps
from tests.unit.centring_reference import regions

shapes = st.one_of(
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)),
)


@given(shapes, st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_regions_are_those_of_a_flood_fill(shape: tuple[int, ...], density: float, seed: int) -> None:
    mask = np.random.default_rng(seed).random(shape) < density
    labels = label(mask)
    assert np.array_equal(labels > 0, mask)
    found = [list(map(tuple, np.argwhere(labels == number).tolist())) for number in range(1, labels.max() + 1)]
    assert found == regions(mask)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_empty_lines_may_be_left_out(x: int, y: int, z: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((x, y, z)) < 0.3
    line_x, line_y = np.nonzero(mask.any(axis=2))
    lines = Lines(mask[line_x, line_y], places((x, y), np.stack([line_x, line_y])), steps((x, y)))
    assert np.array_equal(label_lines(lines), label(mask)[line_x, line_y])


def snake(size: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    mask = np.zeros((size, size), bool)
    mask[::2] = True
    mask[1::4, -1] = mask[3::4, 0] = True
    return mask


@pytest.mark.parametrize("turned", [False, True])
def test_a_path_through_the_whole_grid_is_one_region(turned: bool) -> None:
    mask = snake(601).T.copy() if turned else snake(601)
    assert label(mask).max() == 1


def test_what_touches_only_around_the_edge_does_not_touch() -> None:
    assert label(np.array([[0, 0, 1], [1, 0, 0]], dtype=bool)).max() == 2
    volume = np.zeros((2, 3, 2), bool)
    volume[0, 2, 1] = volume[1, 0, 0] = True
    assert label(volume).max() == 2
