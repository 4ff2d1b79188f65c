"""The nine numbers without DIALS, against DIALS's own: equal to the last bit."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from dials.algorithms.spot_finding.per_image_analysis import stats_for_reflection_table
from dials.array_family import flex
from hypothesis import given, settings
from hypothesis import strategies as st

from spotfinding.errors import AnalysisError
from spotfinding.statistics import image_statistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

NUMBERS = (0, 1, 10, 11, 12, 13, 15, 30, 60, 79, 80, 81, 100, 101, 300, 1000)


@st.composite
def images(draw: st.DrawFn) -> tuple[NDArray[Any], NDArray[Any]]:
    """Scattering vectors, shape (spots, 3), and intensities, as many images have them; some with equal ones."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    number = draw(st.sampled_from(NUMBERS))
    d_star = rng.uniform(0.02, draw(st.sampled_from([0.1, 0.3, 0.6, 0.9])), number)
    if draw(st.booleans()) and number:  # spots at the same resolution
        d_star = rng.choice(d_star[: draw(st.integers(1, number))], number)
    direction = rng.normal(size=(number, 3))
    direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-9)
    intensity = np.maximum(1, rng.exponential(draw(st.sampled_from([2, 100, 1e5])), number))
    kind = draw(st.sampled_from(["i4", "f4"]))  # counts, or what is left of them after a division by a gain
    return direction * d_star[:, None], intensity.astype(kind).astype(float)


def dials(rlp: NDArray[Any], intensity: NDArray[Any], **options: Any) -> dict[str, Any] | None:
    """What DIALS says; None if it fails."""
    table = flex.reflection_table()
    table["rlp"] = flex.vec3_double([tuple(vector) for vector in rlp.tolist()])
    table["intensity.sum.value"] = table["intensity.sum.variance"] = flex.double(intensity.tolist())
    try:
        statistics = stats_for_reflection_table(table, **options)
    except (AssertionError, IndexError, RuntimeError):
        return None
    found: dict[str, Any] = statistics._asdict()
    return found


def ours(rlp: NDArray[Any], intensity: NDArray[Any], **options: Any) -> dict[str, Any] | None:
    x, y, z = rlp.T if len(rlp) else np.zeros((3, 0))
    try:
        found = asdict(image_statistics(np.sqrt(x * x + y * y + z * z), intensity, 7, **options))
    except AnalysisError:
        return None
    assert found.pop("n_strong_pixels") == 7
    return found


@settings(max_examples=400)
@given(image=images(), filter_ice=st.booleans(), ice_rings_width=st.sampled_from([1e-4, 0.004, 0.02]))
def test_every_number_is_that_of_dials_to_the_last_bit(
    image: tuple[NDArray[Any], NDArray[Any]], filter_ice: bool, ice_rings_width: float
) -> None:
    options: dict[str, Any] = {"filter_ice": filter_ice, "ice_rings_width": ice_rings_width}
    assert ours(*image, **options) == dials(*image, **options)


def test_of_few_spots_nothing_is_said() -> None:
    few = image_statistics(np.full(10, 0.3), np.full(10, 50.0), 90, filter_ice=False, ice_rings_width=0.004)
    assert (few.n_spots_total, few.n_spots_4A, few.total_intensity) == (10, 0, 500.0)
    assert set(list(asdict(few).values())[4:9]) == {-1.0}


def test_spots_in_the_direct_beam_are_not_counted() -> None:
    d_star = np.array([0.0, 0.1, 0.2, 0.0])
    counted = image_statistics(d_star, np.ones(4), 12, filter_ice=False, ice_rings_width=0.004)
    assert (counted.n_spots_total, counted.n_spots_4A, counted.total_intensity) == (2, 2, 2.0)


def test_spots_at_one_resolution_are_an_error_as_in_dials() -> None:
    rlp, intensity = np.tile([0.0, 0.0, 0.25], (12, 1)), np.arange(1.0, 13)
    assert dials(rlp, intensity, filter_ice=False) is None
    with pytest.raises(AnalysisError, match="all spots are at one resolution"):
        image_statistics(rlp[:, 2], intensity, 99, filter_ice=False, ice_rings_width=0.004)
