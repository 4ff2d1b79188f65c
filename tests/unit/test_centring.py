"""Where the crystal is, against plain code, and what is said of it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from filewatcher.core.centring import CENTRING, Method, Samples, centre, centre_pair, wells_of
from filewatcher.core.grid import Corner, Grid
from filewatcher.core.gridinfo import Snapshot
from filewatcher.core.picture import LivePicture, from_frames
from filewatcher.errors import Refused
from tests.unit.centring_reference import production_2d, production_3d, regions
from tests.unit.centring_scans import METHODS, NAN, counts, outcome, picture, scans, seen

if TYPE_CHECKING:
    from numpy.typing import NDArray


@given(scans())
def test_dlstbx_is_the_reference(scan: tuple[Grid, NDArray[np.float64]]) -> None:
    grid, spots = scan
    found, expected = centre(picture(grid, spots), "dlstbx"), production_2d(grid.picture(spots))
    if expected is None:
        assert (found.status, found.crystals) == ("fail", ())
        return
    region, place = expected
    assert found.region.tolist() == [list(cell) for cell in region]
    assert found.crystals[0].centre == pytest.approx(place)
    assert found.best_image == np.argmax(spots) + 1


@given(scans(), st.floats(0, 1), st.integers(0, 20))
def test_weighted_is_the_mean_of_the_region_with_the_most_signal(
    scan: tuple[Grid, NDArray[np.float64]], threshold: float, absolute: int
) -> None:
    grid, spots = scan
    found = centre(picture(grid, spots), threshold=threshold, threshold_absolute=absolute)
    cells = grid.picture(spots)
    every = regions((cells > 0) & (cells >= threshold * cells.max()) & (cells >= absolute))
    every.sort(key=lambda region: -sum(cells[cell] for cell in region))
    assert found.n_regions == len(every)
    for crystal, region in zip(found.crystals, every, strict=False):
        weights = np.array([cells[cell] for cell in region])
        rows, columns = np.array(region).T
        assert crystal.total == weights.sum()
        assert crystal.centre == pytest.approx((np.average(columns, weights=weights) + 0.5,
                                                np.average(rows, weights=weights) + 0.5))  # fmt: skip
        assert crystal.peak[::-1] in region
        assert crystal.peak_value == weights.max() == spots[crystal.image - 1]
        assert crystal.bounding_box == ((min(columns), min(rows)), (max(columns) + 1, max(rows) + 1))


@given(
    st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    st.sampled_from([0, 3]),
    st.booleans(),
    st.data(),
)
def test_3d_is_the_reference(
    shape: tuple[int, int, int], threshold: float, absolute: int, several: bool, data: st.DataObject
) -> None:
    columns, y, z = shape
    a, b = (np.array(data.draw(st.lists(counts, min_size=columns * n, max_size=columns * n)), float) for n in (y, z))
    pin = Samples(1, {1: 1}, ((0.0, 4.0),)) if several else None
    first, second = picture(Grid(columns, y, snaked=False), a), picture(Grid(columns, z, snaked=False), b)
    found = centre_pair(first, second, threshold=threshold, threshold_absolute=absolute, samples=pin)
    expected = production_3d(a.reshape(y, columns).T, b.reshape(z, columns).T, threshold, absolute, several=several)
    assert [(crystal.total_count, crystal.n_voxels) for crystal in found.crystals] == [
        (total, len(voxels)) for total, voxels in expected
    ]
    for crystal, (_, voxels) in zip(found.crystals, expected, strict=True):
        assert crystal.max_voxel in voxels
        assert crystal.bounding_box[0] == tuple(np.min(voxels, axis=0))
        assert crystal.bounding_box[1] == tuple(np.max(voxels, axis=0) + 1)


@given(scans(), st.data())
def test_any_order_and_repeats_give_the_same_picture_and_centre(
    scan: tuple[Grid, NDArray[np.float64]], data: st.DataObject
) -> None:
    grid, spots = scan
    kinds = data.draw(st.lists(st.sampled_from([0, 0, 0, 1, 2]), min_size=len(grid), max_size=len(grid)))
    outcomes = [outcome(frame, spots[frame], kinds[frame]) for frame in range(len(grid))]
    order = data.draw(st.permutations(outcomes))
    whole = picture(grid, spots, {frame for frame, kind in enumerate(kinds) if kind})
    for arriving in (outcomes, outcomes[::-1], [*order, *order[: len(order) // 2]], [o for o in order for _ in "ab"]):
        live = LivePicture(grid, "n_spots_total")
        recorded = [live.record(one) for one in arriving]
        assert sum(recorded) == live.version == len(grid)
        now = live.picture()
        assert live.picture() is now
        np.testing.assert_array_equal(now.values, whole.values)
        np.testing.assert_array_equal(now.known, whole.known)
        for method in METHODS:
            assert centre(now, method).production() == centre(whole, method).production()


@given(scans(), st.sampled_from(METHODS))
def test_the_same_crystal_from_another_corner_is_the_mirrored_one(
    scan: tuple[Grid, NDArray[np.float64]], method: Method
) -> None:
    grid, spots = scan
    here = centre(picture(grid, spots), method)
    assume(len(here.crystals) == 1 and here.n_regions == 1)
    vertical, side = grid.start.split("-")
    other: Corner = "bottom-right" if (vertical, side) == ("top", "left") else "top-left"
    flip_x, flip_y = side not in other, vertical not in other
    there = centre(
        picture(Grid(grid.columns, grid.rows, snaked=grid.snaked, orientation=grid.orientation, start=other), spots),
        method,
    )
    x, y = here.crystals[0].centre
    mirrored = (grid.columns - x if flip_x else x, grid.rows - y if flip_y else y)
    assert there.crystals[0].centre == pytest.approx(mirrored)
    assert there.crystals[0].total == here.crystals[0].total


def test_production_takes_the_best_image_of_the_whole_scan() -> None:
    """Its quirk: the region with the most cells is not that of the best image."""
    values: list[list[float]] = [[9, 0, 0, 0, 0], [0, 0, 0, 5, 6], [0, 0, 0, 6, 5]]
    production, ours = centre(seen(values), "dlstbx"), centre(seen(values))
    assert (production.crystals[0].centre, production.best_image, production.best_value) == ((4.0, 2.0), 1, 9.0)
    assert production.crystals[0].peak == (4, 1)
    assert (ours.best_image, ours.crystals[0].peak_value) == (10, 6.0)
    assert [crystal.image for crystal in ours.crystals] == [10, 1]


def test_the_best_resolution_is_the_lowest() -> None:
    values = [[-1.0, 3.0, 2.0], [-1.0, 2.0, 1.5], [-1.0, NAN, -1.0]]
    found = centre(seen(values, "estimated_d_min"))
    best = found.crystals[0]
    assert (best.peak, best.peak_value, best.image) == ((2, 1), 1.5, 6)
    assert best.total == pytest.approx(2 / 8 + 1.5**-3)
    assert found.seen.known == 8
    with pytest.raises(Refused, match="does not say where a crystal is: choose one of n_spots_total"):
        centre(seen(values, "noisiness_method_1"))


@pytest.mark.parametrize("metric", CENTRING)
def test_every_metric_has_an_answer(metric: str) -> None:
    found = centre(seen([[2.0, 4.0, 3.0]], metric), threshold_absolute=0)
    assert found.status == "ok"
    assert found.as_json()["metric"] == metric


def test_the_answer_in_mm_um_and_pixels() -> None:
    grid = Grid(3, 2, snaked=False, step=(0.02, -0.01), origin=(1.0, 5.0))
    snapshot = Snapshot((100.0, 50.0), (0.5, 0.5))
    found = centre(from_frames(grid, "n_spots_total", np.arange(6), np.array([0, 9.0, 9, 0, 9, 9])), snapshot=snapshot)
    (crystal,) = found.crystals
    assert crystal.centre == (2.0, 1.0)
    assert found.place_mm(crystal) == pytest.approx((1.03, 4.995))
    assert found.size_um(crystal) == pytest.approx((40.0, 20.0))
    assert crystal.uncertainty == pytest.approx(2 * [np.sqrt(0.25 / 36 + 1 / 48)])
    assert found.pixel() == pytest.approx((100 + 2 * 40, 50 - 20))


def test_crystals_are_ranked_and_counted() -> None:
    row = [float(value) for value in range(10, 40)]
    values = [cell for value in row for cell in (value, 0.0)]
    found = centre(seen([values]))
    assert found.n_regions == 30
    assert [crystal.peak_value for crystal in found.crystals] == sorted(row, reverse=True)[:10]
    assert all(one.total > other.total for one, other in pairwise(found.crystals))


def test_wells_of_production_are_looked_up_with_y() -> None:
    """Its quirk in 2D; ours takes x, along the pin."""
    pin = Samples(1, {1: 11, 2: 12}, ((0.0, 2.0), (2.0, 4.0)))
    values = seen([[0, 0, 0, 9.0], [0, 0, 0, 0]])
    assert centre(values, "dlstbx", samples=pin).sample_id == 11
    assert centre(values, samples=pin).sample_id == 12


def test_wells_are_named_by_the_loop() -> None:
    np.testing.assert_allclose(wells_of("multipin_2x25.8+8.6", 0.01), [(-0.43, 2.15), (2.15, 4.73)])
    with pytest.raises(Refused, match=r"loop type 'mesh': expected multipin_<wells>x<width>\+<offset>"):
        wells_of("mesh", 0.01)


@pytest.mark.parametrize(("words", "says"), [((1.5, 0), "threshold 1.5: a fraction"), ((0.5, -1), "threshold -1")])
def test_thresholds_out_of_range_are_refused(words: tuple[float, float], says: str) -> None:
    for method in METHODS:
        with pytest.raises(Refused, match=says):
            centre(seen([[1]]), method, threshold=words[0], threshold_absolute=words[1])


def test_grids_of_different_width_are_no_pair() -> None:
    with pytest.raises(Refused, match="grids 2x1 and 3x1 are no pair: the first has 2 columns, the second 3"):
        centre_pair(seen([[1, 2]]), seen([[1, 2, 3]]))


def test_a_volume_too_large_is_refused_not_made() -> None:
    wide = picture(Grid(2, 8000, snaked=False), np.ones(16000))
    with pytest.raises(Refused, match="128000000 voxels reach the thresholds, more than 50000000"):
        centre_pair(wide, wide)
