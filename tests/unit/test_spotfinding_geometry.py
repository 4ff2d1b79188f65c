"""Resolution without DIALS, against dxtbx and cctbx: equal to the last bit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cctbx import eltbx, sgtbx, uctbx
from dials.algorithms.integration.filtering import PowderRingFilter
from dials.array_family import flex
from hypothesis import given
from hypothesis import strategies as st

from spotfinding.attenuation import MATERIALS, attenuation
from spotfinding.detector import Detector
from spotfinding.dials_engine import dials_models
from spotfinding.errors import AnalysisError
from spotfinding.geometry import Geometry, d_of
from spotfinding.ice import ice_lines, on_ice_ring
from tests.strategies import detectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

DETECTOR = Detector(
    shape=(2000, 1500),
    pixel_size=(0.075, 0.075),
    fast_axis=(1, 0, 0),
    slow_axis=(0, -1, 0),
    origin=(-50.0, 70.0, -150.0),
    wavelength=0.9763,
    thickness=0.45,
    material="Si",
)

positions = st.integers(0, 2**32).map(lambda seed: np.random.default_rng(seed).uniform(-10, 2000, (50, 2)))


def d_of_dials(detector: Detector, xy: NDArray[np.float64], *, parallax: bool) -> NDArray[Any]:
    table = flex.reflection_table()
    table["xyzobs.px.value"] = flex.vec3_double([(x, y, 0.5) for x, y in xy.tolist()])
    table["panel"] = flex.size_t(len(xy), 0)
    table["id"] = flex.int(len(xy), 0)
    experiments = dials_models(detector, parallax=parallax)
    table.centroid_px_to_mm(experiments)
    table.map_centroids_to_reciprocal_space(experiments)
    found: NDArray[Any] = uctbx.d_star_sq_as_d(flex.pow2(table["rlp"].norms())).as_numpy_array()
    return found


@given(detector=detectors(), xy=positions, parallax=st.booleans())
def test_d_is_that_of_dials_to_the_last_bit(detector: Detector, xy: NDArray[np.float64], parallax: bool) -> None:
    ours = d_of(Geometry(detector, parallax=parallax).d_star(xy[:, 0], xy[:, 1]))
    np.testing.assert_array_equal(ours, d_of_dials(detector, xy, parallax=parallax))


def test_parallax_moves_spots_and_an_unknown_sensor_does_not() -> None:
    x, y = np.array([10.0, 1400.0]), np.array([20.0, 1900.0])
    with_it, without = (Geometry(DETECTOR, parallax=on).d_star(x, y) for on in (True, False))
    assert (with_it < without).all()
    for unknown in (replace(DETECTOR, material=""), replace(DETECTOR, thickness=0.0)):
        np.testing.assert_array_equal(Geometry(unknown, parallax=True).d_star(x, y), without)


def test_the_direct_beam_has_no_resolution() -> None:
    straight = replace(DETECTOR, thickness=0.0, origin=(0.0, 0.0, -150.0))
    np.testing.assert_array_equal(d_of(Geometry(straight, parallax=True).d_star(np.zeros(1), np.zeros(1))), [-1])


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"wavelength": 0.0}, "this detector has no geometry: wavelength 0.0 angstrom, pixels of 0.075 x 0.075 mm"),
        ({"fast_axis": (0, 0, 0)}, r"the fast axis of the detector is no direction: \(0, 0, 0\)"),
        ({"slow_axis": (1, 0, 0)}, "are not at right angles"),
        ({"sample_to_source": (0, 0, 0)}, "the direction to the source of the detector is no direction"),
        ({"material": "Unobtainium"}, "no attenuation is known of the sensor material 'Unobtainium', only of Si, Ga"),
        ({"wavelength": 13.0}, "no attenuation of Si is known at 13 angstrom"),
    ],
)
def test_a_detector_that_is_none_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(AnalysisError, match=says):
        Geometry(replace(DETECTOR, **wrong), parallax=True)


def test_a_sensor_seen_from_its_edge_is_refused() -> None:
    edge_on = replace(DETECTOR, origin=(0.0, 0.0, 0.0), fast_axis=(0, 0, -1))
    with pytest.raises(AnalysisError, match="the plane of the detector passes through the sample"):
        Geometry(edge_on, parallax=True).d_star(np.array([5.0]), np.array([7.0]))


@given(material=st.sampled_from(list(MATERIALS)), wavelength=st.floats(0.3, 3))
def test_attenuation_is_that_of_cctbx(material: str, wavelength: float) -> None:
    table = eltbx.attenuation_coefficient.get_table(material)
    assert attenuation(material, wavelength) == table.mu_at_angstrom(wavelength) / 10.0


@pytest.mark.parametrize("material", MATERIALS)
def test_attenuation_at_and_beside_an_edge_is_that_of_cctbx(material: str) -> None:
    table = eltbx.attenuation_coefficient.get_table(material)
    assert table.density() == MATERIALS[material].density
    known = MATERIALS[material]
    assert list(table.energy())[: len(known.energies)] == list(known.energies)
    assert list(table.mu_rho())[: len(known.energies)] == list(known.mass_attenuation)


WATER_ICE = uctbx.unit_cell((4.498, 4.498, 7.338, 90, 90, 120))
P63_MMC = sgtbx.space_group_info(number=194).group()


def test_lines_of_ice_are_those_of_cctbx() -> None:
    """Each once, which cctbx's symmetry gives several times where cell edges happen to coincide."""
    theirs = np.sort(np.array(PowderRingFilter(WATER_ICE, P63_MMC, 0.4, 1e-12).d_star_sq))
    ours = ice_lines(1 / 0.4**2)
    distinct = theirs[np.append(True, np.diff(theirs) > 1e-12)]
    np.testing.assert_allclose(ours, distinct, rtol=1e-13)


@given(
    d=st.lists(st.floats(0.6, 60), min_size=1, max_size=60),
    width=st.sampled_from([1e-4, 0.004, 0.02, 0.3]),
)
def test_spots_on_ice_are_those_of_dials(d: list[float], width: float) -> None:
    found = on_ice_ring(1.0 / np.square(d), width)
    expected = PowderRingFilter(WATER_ICE, P63_MMC, min(d), width)(flex.double(d))
    assert found.tolist() == list(expected)


def test_a_resolution_that_cannot_be_is_refused() -> None:
    with pytest.raises(AnalysisError, match=r"a spot at d = 0\.01 angstrom: check wavelength and distance"):
        on_ice_ring(np.array([1e4]), 0.004)
    assert on_ice_ring(np.zeros(0), 0.004).tolist() == []
