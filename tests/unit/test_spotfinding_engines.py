"""Which engine is chosen, by which rules, and what is said where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotfinding.analysis import Analysis
from spotfinding.detector import Detector
from spotfinding.dials_rules import measure
from spotfinding.engines import engine_version, resolve
from spotfinding.errors import AnalysisError
from spotfinding.installed import NEWEST, DialsRules, installed_dials, recall
from spotfinding.parameters import ParameterError, Parameters

if TYPE_CHECKING:
    from pathlib import Path

DETECTOR = Detector((60, 80), (0.1, 0.1), (1, 0, 0), (0, -1, 0), (-4.0, 3.0, -30.0), 1.0)
GIVEN = Parameters(masked_pixels_erode=False, trusted_range="inclusive")


@pytest.fixture
def no_dials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python itself then says that there is none, to whoever asks."""
    monkeypatch.setitem(sys.modules, "dials", None)
    monkeypatch.setitem(sys.modules, "dials.command_line.find_spots", None)


def in_a_fresh_process(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], check=False, env=os.environ | environment, capture_output=True, text=True
    )


def test_auto_is_native_where_that_is_proven_and_the_reason_is_said() -> None:
    resolved = resolve("auto", Parameters(), DETECTOR)
    assert resolved.engine == "native"
    rules = f"rules of {installed_dials().version}"
    assert resolved.reason == f"auto: the tests prove it equal to DIALS for these parameters; {rules}"
    assert resolve("native", Parameters()).reason == f"asked for; {rules}"
    assert resolve("dials", Parameters()).reason == f"asked for; {rules}"
    assert resolve("native", GIVEN).reason == "asked for; rules as given"
    other = not installed_dials().masked_pixels_erode
    said = resolve("native", Parameters(masked_pixels_erode=other)).reason
    assert said == f"asked for; {rules}, but masked_pixels_erode={str(other).lower()} as given"


def test_auto_is_dials_where_equality_is_not_proven() -> None:
    large = resolve("auto", Parameters(kernel_size=(3, 10)))
    assert large.engine == "dials"
    assert large.reason.startswith("auto: equality with DIALS is proven up to kernel_size=9,9, not 3,10; rules of DIA")
    assert resolve("native", Parameters(kernel_size=(3, 10))).engine == "native"
    germanium = replace(DETECTOR, material="Ge", thickness=0.45)
    assert resolve("auto", Parameters(), germanium).engine == "dials"
    assert resolve("auto", Parameters(parallax_correction=False), germanium).engine == "native"
    assert Analysis(germanium, Parameters(), "auto").engine_name == "dials"
    with pytest.raises(AnalysisError, match="no attenuation is known of the sensor material 'Ge'"):
        Analysis(germanium, Parameters(), "native")


def test_auto_is_dials_where_the_native_engine_was_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spotfinding.native", None)
    resolved = resolve("auto", Parameters())
    assert resolved.engine == "dials"
    assert resolved.reason.startswith("auto: the native engine was not built for this Python (")
    with pytest.raises(ParameterError, match=r"^the native engine was not built for this Python .*with pip$"):
        resolve("native", Parameters())


def test_another_engine_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"^unknown engine xds: there are auto, native, dials$"):
        Analysis(DETECTOR, Parameters(), "xds")


@pytest.mark.usefixtures("no_dials")
def test_without_dials_native_follows_the_newest_rules_and_dials_says_where_to_get_it(tmp_path: Path) -> None:
    resolved = resolve("auto", Parameters(), DETECTOR)
    assert resolved.engine == "native"
    assert resolved.reason.endswith("rules of the newest DIALS, as none is installed")
    assert resolved.parameters == GIVEN
    assert resolve("auto", Parameters(trusted_range="exclusive")).parameters == replace(
        GIVEN, trusted_range="exclusive"
    )
    with pytest.raises(ParameterError, match=r"install Debian's package python3-dials, DIALS from conda-forge, or"):
        resolve("dials", Parameters())
    with pytest.raises(ParameterError, match=r"^no engine can be chosen: equality with DIALS is proven up to .*"):
        resolve("auto", Parameters(kernel_size=(11, 11)))
    with pytest.raises(ParameterError, match=r"reading \.phil files needs DIALS, which is not installed; use key=val"):
        Parameters.parse([str(tmp_path / "my.phil")])


def test_with_a_broken_dials_it_says_what_is_broken() -> None:
    """libtbx reads where its build is when it is imported: in another process, as this one has it already."""
    code = "from spotfinding.engines import resolve; from spotfinding.parameters import Parameters as P; "
    run = in_a_fresh_process(code + "resolve('dials', P())", LIBTBX_BUILD="/no/build")
    assert "the engine dials needs DIALS, which is installed here but cannot be imported" in run.stderr
    assert "/no/build" in run.stderr.splitlines()[-1]
    run = in_a_fresh_process(code + "print(resolve('auto', P()))", LIBTBX_BUILD="/no/build")
    assert "engine='native'" in run.stdout
    assert "masked_pixels_erode=False, trusted_range='inclusive'" in run.stdout
    assert "rules of the newest DIALS, as the engine dials needs DIALS, which is installed here but" in run.stdout


@pytest.mark.parametrize(
    ("words", "asks"), [("", True), ("masked_pixels_erode=True, trusted_range='inclusive'", False)]
)
def test_the_native_engine_does_not_load_dials(words: str, asks: bool) -> None:
    """Not even to learn its rules, for which a child is asked, and only if they are not given."""
    code = f"""
import subprocess, sys
from spotfinding.analysis import Analysis
from spotfinding.detector import Detector
from spotfinding.parameters import Parameters
asked, run = [], subprocess.run
subprocess.run = lambda *a, **k: asked.append(a) or run(*a, **k)
one = Analysis({DETECTOR!r}, Parameters({words}), "native")
one.warm_up()
assert len(asked) == {int(asks)}, asked
foreign = [name for name in sys.modules if name.partition(".")[0] in ("dials", "dxtbx", "cctbx", "scitbx", "libtbx")]
assert not foreign, foreign
print(one.parameters.masked_pixels_erode)
"""
    run = in_a_fresh_process(code)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == [str(installed_dials().masked_pixels_erode if asks else True)]


def test_a_child_measures_what_is_measured_here() -> None:
    code = "from spotfinding.installed import installed_dials; print(installed_dials())"
    assert in_a_fresh_process(code).stdout.strip() == str(measure()) == str(installed_dials())


def test_what_was_measured_of_this_installation_is_gone_by_until_it_is_measured_again(tmp_path: Path) -> None:
    noted = tmp_path / "dials.json"
    assert not recall(noted), "nobody has been here"
    begin = f"from spotfinding.installed import *; from pathlib import Path; file = Path('{noted}')\n"
    in_a_fresh_process(begin + "remeasure(file)")
    assert json.loads(noted.read_text())["rules"] == asdict(installed_dials())

    # DIALS cannot be imported there: what is told was recalled, as long as nobody has tried
    code = begin + "print(recall(file))\n"
    told = in_a_fresh_process(code + "print(installed_dials())", LIBTBX_BUILD="/no/build")
    assert told.stdout.splitlines() == ["True", str(installed_dials())], told.stderr
    trying = code + "try: remeasure(file)\nexcept DialsBroken: installed_dials()"
    tried = in_a_fresh_process(trying, LIBTBX_BUILD="/no/build")
    assert "which is installed here but cannot be imported" in tried.stderr

    wrong = json.loads(noted.read_text())
    wrong["rules"]["trusted_range"] = "sometimes"
    noted.write_text(json.dumps(wrong))
    told = in_a_fresh_process(code + "print(remeasure(file)); print(installed_dials())")
    _, found, right = told.stdout.splitlines()
    assert "trusted_range='sometimes') instead of DialsRules" in found
    assert right == str(installed_dials())
    assert "sometimes" not in noted.read_text()

    for damaged in ('{"rules": {}}', "[]", "{", json.dumps(wrong | {"installation": "another"})):
        noted.write_text(damaged)
        assert not recall(noted)


def test_the_rules_of_the_installed_dials_are_filled_in() -> None:
    rules = measure()
    for engine in ("native", "dials"):
        resolved = resolve(engine, Parameters()).parameters
        found = (resolved.masked_pixels_erode, resolved.trusted_range)
        assert found == (rules.masked_pixels_erode, rules.trusted_range)
        assert resolve(engine, resolved).parameters == resolved


def test_debians_dials_erodes_and_excludes() -> None:
    rules = measure()
    if rules.version == "DIALS 3.12, dxtbx 3.11.2":
        assert rules == DialsRules(rules.version, masked_pixels_erode=True, trusted_range="exclusive")
    assert engine_version("dials") == rules.version
    assert rules.version.startswith("DIALS 3.")
    assert engine_version("native").startswith("native, filewatcher 0.")
    assert NEWEST.version == "the newest DIALS"


def test_what_the_installed_dials_does_not_do_is_refused() -> None:
    rules = measure()
    opposite = Parameters(masked_pixels_erode=not rules.masked_pixels_erode)
    does, asked = str(rules.masked_pixels_erode).lower(), str(not rules.masked_pixels_erode).lower()
    with pytest.raises(ParameterError) as caught:
        resolve("dials", opposite)
    assert str(caught.value) == (
        f"masked_pixels_erode={asked}: the installed {rules.version} does masked_pixels_erode={does}, and the engine "
        "dials follows it; leave masked_pixels_erode out, use another DIALS, or --engine native"
    )
    other = {"exclusive": "inclusive", "inclusive": "exclusive"}[rules.trusted_range]
    with pytest.raises(ParameterError, match=f"^trusted_range={other}: the installed DIALS"):
        resolve("dials", Parameters(trusted_range=other))


@given(erode=st.none() | st.booleans(), trusted=st.none() | st.sampled_from(["exclusive", "inclusive"]))
def test_the_native_engine_does_what_is_asked(erode: bool | None, trusted: str | None) -> None:
    rules = measure()
    resolved = resolve("native", Parameters(masked_pixels_erode=erode, trusted_range=trusted)).parameters
    assert resolved.masked_pixels_erode == (rules.masked_pixels_erode if erode is None else erode)
    assert resolved.trusted_range == (rules.trusted_range if trusted is None else trusted)
