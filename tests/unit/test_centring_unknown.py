"""What is not known is not zero: what missing cells may do to an answer, and what it says of that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from filewatcher.core.centring import Method, Samples, centre, centre_pair
from filewatcher.core.grid import Grid
from tests.unit.centring_scans import METHODS, NAN, counts, picture, scans, seen

if TYPE_CHECKING:
    from numpy.typing import NDArray


@given(scans(), st.sampled_from(METHODS), st.data())
def test_what_is_missing_outside_a_crystal_changes_nothing(
    scan: tuple[Grid, NDArray[np.float64]], method: Method, data: st.DataObject
) -> None:
    grid, spots = scan
    whole = centre(picture(grid, spots), method)
    crystals = {grid.frame(row, column) for row, column in whole.region.tolist()}
    kept = spots >= max(whole.threshold * spots.max(), whole.threshold_absolute)
    outside = [frame for frame in range(len(grid)) if frame not in crystals and not (kept[frame] and spots[frame])]
    assume(outside)
    gone = data.draw(st.sets(st.sampled_from(outside), min_size=1))
    partly = centre(picture(grid, spots, gone), method)
    assert partly.production() == whole.production() | {"message": partly.message}
    assert partly.seen.known == len(grid) - len(gone)


@given(scans(), st.data())
def test_a_missing_cell_of_a_crystal_moves_its_centre_straight_away_from_it(
    scan: tuple[Grid, NDArray[np.float64]], data: st.DataObject
) -> None:
    grid, spots = scan
    whole = centre(picture(grid, spots))
    assume(len(whole.region) > 1)
    row, column = data.draw(st.sampled_from(whole.region.tolist()))
    gone = grid.frame(row, column)
    partly = centre(picture(grid, spots, {gone}))
    # the threshold stays and the crystal does not break in two: then it is the same crystal, less one cell
    rest = [cell for cell in whole.region.tolist() if cell != [row, column]]
    assume(partly.region.tolist() == rest)
    before, after = np.array(whole.crystals[0].centre), np.array(partly.crystals[0].centre)
    cell = np.array([column, row]) + 0.5
    weight = spots[gone] / whole.crystals[0].total
    np.testing.assert_allclose(before - after, weight * (cell - after), atol=1e-9)


@settings(max_examples=300)
@given(scans(), st.sampled_from(METHODS), st.data())
def test_a_settled_answer_stays_whatever_the_unknown_cells_hold(
    scan: tuple[Grid, NDArray[np.float64]], method: Method, data: st.DataObject
) -> None:
    """Within the assumption: none of them is stronger than the strongest known one."""
    grid, spots = scan
    frames = list(range(len(grid)))
    unknown = sorted(data.draw(st.sets(st.sampled_from(frames), min_size=1, max_size=max(1, len(grid) // 4))))
    partly = centre(picture(grid, spots, set(unknown)), method)
    assume(partly.crystals)
    strongest = max(spots[frame] for frame in frames if frame not in unknown)
    hidden = spots.copy()
    hidden[unknown] = data.draw(
        st.lists(st.sampled_from([0.0, strongest, strongest // 2]), min_size=len(unknown), max_size=len(unknown))
    )
    whole = centre(picture(grid, hidden), method)
    before, after = partly.crystals[0], whole.crystals[0]
    same = set(map(tuple, partly.region.tolist())) <= set(map(tuple, whole.region.tolist()))
    if not partly.doubt.rival:
        assert same
        assert partly.doubt.reach is not None
        (x0, y0), (x1, y1) = partly.doubt.reach
        assert x0 - 1e-9 <= after.centre[0] <= x1 + 1e-9
        assert y0 - 1e-9 <= after.centre[1] <= y1 + 1e-9
    if partly.doubt.settled:
        assert np.abs(np.subtract(before.centre, after.centre)).max() <= 0.5 + 1e-9


@settings(max_examples=200)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.data())
def test_a_settled_pair_stays_as_it_is(columns: int, y: int, z: int, data: st.DataObject) -> None:
    scans, full = [], []
    for rows in (y, z):
        grid = Grid(columns, rows, snaked=False)
        spots = np.array(data.draw(st.lists(counts, min_size=len(grid), max_size=len(grid))), float)
        unknown = data.draw(st.sets(st.integers(0, len(grid) - 1), max_size=1))
        strongest = max((spots[f] for f in range(len(grid)) if f not in unknown), default=0.0)
        hidden = spots.copy()
        hidden[sorted(unknown)] = data.draw(st.sampled_from([0.0, strongest]))
        scans.append(picture(grid, spots, unknown))
        full.append(picture(grid, hidden))
    for pin in (None, Samples(1, {1: 1}, ((0.0, 4.0),))):
        partly, whole = (centre_pair(*pair, samples=pin) for pair in (scans, full))
        if partly.settled:
            assert partly.production() == whole.production()


def test_a_gap_could_hold_a_better_crystal() -> None:
    found = centre(seen([[9, 9, 0, 0], [0, 0, 0, NAN], [0, 0, NAN, NAN]]))
    assert (found.doubt.rival, found.doubt.settled) == (True, False)
    assert found.seen.coverage == 0.75
    found = centre(seen([[9, 9, 0, 0], [0, 0, 0, 0], [0, 0, 0, NAN]]))
    assert (found.doubt.rival, found.doubt.settled) == (False, True)


def test_a_gap_beside_a_crystal_could_move_it() -> None:
    found = centre(seen([[0, 8, 8, NAN, NAN, 0]]), threshold_absolute=0)
    assert found.crystals[0].centre == (2.0, 0.5)
    assert found.doubt.reach == ((2.0, 0.5), (3.0, 0.5))
    assert not found.doubt.settled


def test_a_gap_could_join_two_crystals() -> None:
    found = centre(seen([[9, 9, 9, NAN, 9, 9, 0]]))
    assert found.crystals[0].centre == (1.5, 0.5)
    assert found.doubt.reach is not None
    assert found.doubt.reach[1] == (3.0, 0.5)


def test_others_in_the_company_of_the_best_could_beat_it() -> None:
    """All joined by the gap, but it need not join the best: its far end and the other crystal are the better one."""
    values = [[9, 9, 9, NAN, NAN, NAN, 9, 9]]
    found = centre(seen(values))
    assert found.crystals[0].centre == (1.5, 0.5)
    assert found.doubt.rival
    assert centre(seen([[9, 9, 9, 0, 9, 9, 9, 9]])).crystals[0].centre == (6.0, 0.5)


@pytest.mark.parametrize(("other", "settled"), [(2, True), (3, False), (4, False)])
def test_a_pair_is_settled_if_no_voxel_through_a_gap_reaches_the_threshold(other: float, settled: bool) -> None:
    """Of 10 * 10 a quarter: the gap, at most 10, times 2 stays below, times 3 does not."""
    assert centre_pair(seen([[10, NAN]]), seen([[10, other]])).settled is settled
    assert centre_pair(seen([[10, other]]), seen([[10, NAN]])).settled is settled


def test_nothing_known_and_nothing_found_are_not_the_same() -> None:
    for method in METHODS:
        blind = centre(seen([[NAN, NAN]]), method)
        assert (blind.message, blind.doubt.settled) == ("No image is known yet", False)
        empty = centre(seen([[0, 0]]), method)
        assert (empty.message, empty.doubt.settled) == ("No good images found", True)
    assert not centre_pair(seen([[NAN]]), seen([[1]])).settled
