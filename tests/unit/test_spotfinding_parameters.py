"""Parameters: what is understood, and what is said where something is not."""

from __future__ import annotations

import json
import pickle
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotfinding.parameters import DIALS_NAMES, RULES, ParameterError, Parameters

if TYPE_CHECKING:
    from pathlib import Path

positive = st.floats(1e-3, 1e3)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "d_min": st.none() | st.floats(0.1, 5),
    "d_max": st.none() | st.floats(6, 100),
    "threshold_algorithm": st.sampled_from(["dispersion_extended", "dispersion"]),
    "kernel_size": st.tuples(st.integers(1, 9), st.integers(1, 9)),
    "sigma_background": st.floats(0, 20),
    "sigma_strong": st.floats(0, 20),
    "min_local": st.integers(2, 9) | st.just(0),
    "global_threshold": st.floats(0, 1e6),
    "gain": st.none() | positive,
    "min_spot_size": st.integers(1, 10),
    "max_spot_size": st.integers(10, 10**6),
    "max_separation": st.none() | st.floats(0, 50),
    "max_strong_pixel_fraction": st.floats(0, 1),
    "parallax_correction": st.booleans(),
    "filter_ice": st.booleans(),
    "ice_rings_width": st.floats(1e-6, 1),
    "masked_pixels_erode": st.none() | st.booleans(),
    "trusted_range": st.none() | st.sampled_from(["exclusive", "inclusive"]),
}


def word(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def test_every_parameter_has_a_rule_and_a_test() -> None:
    names = [field.name for field in fields(Parameters)]
    assert names == list(RULES) == list(VALUES)
    assert set(DIALS_NAMES.values()) <= set(names)


@given(st.fixed_dictionaries({}, optional=VALUES))
def test_words_and_json_give_back_what_was_said(values: dict[str, Any]) -> None:
    parameters = Parameters(**values)
    assert Parameters.parse([f"{name}={word(value)}" for name, value in values.items()]) == parameters
    assert Parameters.from_json(json.loads(json.dumps(parameters.as_json()))) == parameters
    assert pickle.loads(pickle.dumps(parameters)) == parameters
    assert all(getattr(parameters, name) == value for name, value in values.items())


@given(st.sampled_from(sorted(RULES)), st.text(max_size=12))
def test_any_word_is_understood_or_refused_with_key_and_value(name: str, text: str) -> None:
    said = ""
    try:
        understood = Parameters.parse([f"{name}={text}"])
    except ParameterError as error:
        said = str(error)
    if said:
        assert name in said
        assert text.strip() in said or "no spot is left" in said or name == "min_local"
    else:
        assert Parameters.parse([f"{name}={word(getattr(understood, name))}"]) == understood


def test_defaults_are_those_of_dials_with_diamonds_d_max() -> None:
    assert Parameters.parse([]) == Parameters()
    assert Parameters().d_max == 40.0


def test_the_later_word_wins_and_spaces_do_not_matter() -> None:
    parameters = Parameters.parse(["d_min=2", " d_min = 3 ", "kernel_size=4", "filter_ice=No"])
    assert parameters == replace(Parameters(), d_min=3.0, kernel_size=(4, 4), filter_ice=False)


def test_numbers_have_one_form() -> None:
    """A run is the same run, however its numbers were written."""
    assert json.dumps(Parameters(d_min=2).as_json()) == json.dumps(Parameters.parse(["d_min=2.00"]).as_json())


@pytest.mark.parametrize("full", DIALS_NAMES)
def test_the_names_of_dials_are_understood_as_far_as_they_are_written(full: str) -> None:
    name = DIALS_NAMES[full]
    value = {"threshold_algorithm": "dispersion", "kernel_size": "5,5", "filter_ice": "false"}.get(name, "1")
    value = {"min_local": "4", "max_spot_size": "44"}.get(name, value)
    parts = full.split(".")
    for start in range(len(parts) - 1):
        short = ".".join(parts[start:])
        assert Parameters.parse([f"{short}={value}"]) == Parameters.parse([f"{name}={value}"]) != Parameters()


def test_auto_is_what_dials_makes_of_it_for_pixel_arrays() -> None:
    assert Parameters.parse(["min_spot_size=Auto"]).min_spot_size == 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["sigma_stron=4"], "unknown parameter sigma_stron: did you mean sigma_strong?"),
        (["spotfinder.filter.min_spot_sise=4"],
         "unknown parameter spotfinder.filter.min_spot_sise: did you mean min_spot_size?"),
        (["d_min"], "'d_min' is neither key=value nor the path of a .phil file"),
        (["d_min=two"], "d_min=two: allowed is a number above 0, or none"),
        (["ice_rings_width=0"], "ice_rings_width=0: allowed is a number above 0"),
        (["d_min=-1"], "d_min=-1: allowed is a number above 0, or none"),
        (["d_min=nan"], "d_min=nan: allowed is a number above 0, or none"),
        (["sigma_strong=none"], "sigma_strong=none: allowed is a number from 0 up"),
        (["sigma_strong=inf"], "sigma_strong=inf: allowed is a number from 0 up"),
        (["min_spot_size=2.5"], "min_spot_size=2.5: allowed is a whole number from 1 up, or auto (= 3)"),
        (["kernel_size=3,3,3"], "kernel_size=3,3,3: allowed is two whole numbers from 1 up, such as 3,3"),
        (["kernel_size="], "kernel_size=: allowed is two whole numbers from 1 up, such as 3,3"),
        (["filter_ice=maybe"], "filter_ice=maybe: allowed is true or false"),
        (["threshold_algorithm=radial_profile"],
         "threshold_algorithm=radial_profile: allowed is dispersion_extended or dispersion"),
        (["max_strong_pixel_fraction=25"], "max_strong_pixel_fraction=25: allowed is a number from 0 to 1"),
        (["trusted_range=0,100"], "trusted_range=0,100: allowed is exclusive or inclusive, or none"),
        (["min_local=1"], ("min_local=1: allowed is 2 to 49, the pixels of the box that kernel_size=3,3 makes, "
         "or 0 for all of them")),
        (["d_min=50"], "d_min=50 d_max=40: no spot is left; d_min must be smaller than d_max"),
        (["max_spot_size=2"], ("min_spot_size=3 max_spot_size=2: no spot is left; min_spot_size must not be larger "
         "than max_spot_size")),
        (["spotfinder.filter.d_min=2"],
         ("spotfinder.filter.d_min limits the resolution of pixels: our d_min/d_max filter spot centroids, never "
         "pixels; write d_min=... among the parameters instead")),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(words: list[str], says: str) -> None:
    with pytest.raises(ParameterError) as caught:
        Parameters.parse(words)
    assert str(caught.value) == says


def test_a_key_that_is_like_none_gets_the_list() -> None:
    with pytest.raises(ParameterError, match=r"^unknown parameter zzz: there are d_min, d_max, .*, trusted_range$"):
        Parameters.parse(["zzz=1"])
    with pytest.raises(ParameterError, match=r"^unknown parameter gian: did you mean gain\?$"):
        Parameters.from_json({"gian": 1})


@pytest.mark.parametrize("values", [{"d_min": True}, {"filter_ice": 1}, {"kernel_size": 3}, {"min_local": 2.0}])
def test_a_value_of_another_type_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=next(iter(values))):
        Parameters(**values)


def phil(folder: Path, text: str) -> str:
    path = folder / "mine.phil"
    path.write_text(text)
    return str(path)


def test_a_phil_file_sets_what_it_says(tmp_path: Path) -> None:
    text = """
    spotfinder {
      threshold { algorithm = dispersion
        dispersion { gain = 2
          kernel_size = 4 4
          sigma_strong = 3 } }
      filter.min_spot_size = Auto
      filter.max_separation = None
      filter.d_max = None
      mp.nproc = 1
    }
    """
    parameters = Parameters.parse(["sigma_strong=5", phil(tmp_path, text), "gain=3"])
    assert parameters == Parameters(
        threshold_algorithm="dispersion", kernel_size=(4, 4), sigma_strong=3, gain=3, max_separation=None
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("spotfinder.filter.d_min = 2",
         ("spotfinder.filter.d_min limits the resolution of pixels: our d_min/d_max filter spot centroids, never "
         "pixels; write d_min=... among the parameters instead")),
        ("spotfinder.filter.border = 5",
         "spotfinder.filter.border was changed, but we have no such parameter; take it out"),
        ("spotfinder.filtre.d_min = 2",
         "neither dials.find_spots nor we have a parameter spotfinder.filtre.d_min; take it out"),
        ("spotfinder.threshold.dispersion.gain = 0", "gain=0.0: allowed is a number above 0, or none"),
        ("spotfinder.threshold.dispersion.global_threshold = Auto",
         "global_threshold=auto: allowed is a number from 0 up"),
        ("spotfinder.threshold.algorithm = radial_profile",
         "threshold_algorithm='radial_profile': allowed is dispersion_extended or dispersion"),
    ],
)  # fmt: skip
def test_what_we_do_not_have_is_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    path = phil(tmp_path, text)
    with pytest.raises(ParameterError) as caught:
        Parameters.parse([path])
    assert str(caught.value) == f"{path}: {says}"


@pytest.mark.parametrize("text", ["spotfinder {", "spotfinder.threshold.dispersion.sigma_strong = many"])
def test_a_phil_file_that_dials_does_not_understand_is_refused(tmp_path: Path, text: str) -> None:
    path = phil(tmp_path, text)
    with pytest.raises(ParameterError, match=r"mine\.phil: .*line 1"):
        Parameters.parse([path])


def test_a_phil_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"none\.phil cannot be read: .*No such file"):
        Parameters.parse([str(tmp_path / "none.phil")])


def test_a_phil_file_may_use_our_names_too(tmp_path: Path) -> None:
    path = tmp_path / "ours.phil"
    path.write_text("d_max = 30\nd_min = none\nice_rings.width = 0.01\nspotfinder.threshold.dispersion.gain = 2\n")
    parsed = Parameters.parse([str(path)])
    assert (parsed.d_max, parsed.d_min, parsed.ice_rings_width, parsed.gain) == (30.0, None, 0.01, 2.0)
    path.write_text("parallax_correction = perhaps\n")
    with pytest.raises(ParameterError, match=r"ours\.phil: .*parallax_correction"):
        Parameters.parse([str(path)])
