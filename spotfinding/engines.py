"""Which engine finds the spots, and by which rules: decided once, when a collection is armed, and recorded."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING

from spotfinding.attenuation import attenuation
from spotfinding.errors import AnalysisError
from spotfinding.installed import NEWEST, DialsAbsent, DialsBroken, DialsRules, installed_dials
from spotfinding.rules import ParameterError

if TYPE_CHECKING:
    from spotfinding.analysis import Engine
    from spotfinding.detector import Detector
    from spotfinding.parameters import Parameters

ENGINES = ("auto", "native", "dials")
RULES_OF_DIALS = ("masked_pixels_erode", "trusted_range")
"""Parameters in which versions of DIALS differ."""
PROVEN_KERNEL = 9
"""The tests compare the native engine with DIALS up to this kernel size."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a run is analysed with."""

    engine: str
    """``native`` or ``dials``."""
    parameters: Parameters
    """Complete: nothing is left to what is installed."""
    reason: str
    """Why this engine and these rules, in words."""


def resolve(name: str, parameters: Parameters, detector: Detector | None = None, *, load: bool = False) -> Resolved:
    """Choose the engine that a name means for these parameters, and fill in the rules that it follows.

    ``auto`` is the native engine wherever the tests prove that it equals DIALS, else DIALS. The native engine follows
    the rules of the installed DIALS, where there is one, else those of the newest, but for the rules that are given.
    `load`: DIALS is to be loaded in this process anyway, so that no child need be asked.
    Raises `ParameterError` where the engine cannot be had here or does not do what is asked.
    """
    if name not in ENGINES:
        raise ParameterError(f"unknown engine {name}: there are {', '.join(ENGINES)}")
    engine, why = (name, "asked for") if name != "auto" else _automatic(parameters, detector)
    if engine == "native":
        if problem := native_problem():
            raise ParameterError(problem)
        complete, whose = _native_rules(parameters)
    else:
        rules = installed_dials(load=load)
        complete, whose = _dials_rules(parameters, rules), f"rules of {rules.version}"
    return Resolved(engine, complete, f"{why}; {whose}")


def _automatic(parameters: Parameters, detector: Detector | None) -> tuple[str, str]:
    doubt = native_problem() or unproven(parameters, detector)
    if doubt is None:
        return "native", "auto: the tests prove it equal to DIALS for these parameters"
    try:
        installed_dials()
    except (DialsAbsent, DialsBroken) as error:
        raise ParameterError(f"no engine can be chosen: {doubt}, and {error}; or ask for --engine native") from error
    return "dials", f"auto: {doubt}"


def unproven(parameters: Parameters, detector: Detector | None) -> str | None:
    """Say for what, in these parameters or this detector, equality with DIALS is not proven; None = for all of it."""
    if max(parameters.kernel_size) > PROVEN_KERNEL:
        slow, fast = parameters.kernel_size
        return f"equality with DIALS is proven up to kernel_size={PROVEN_KERNEL},{PROVEN_KERNEL}, not {slow},{fast}"
    if detector is not None and parameters.parallax_correction and detector.material and detector.thickness > 0:
        try:
            attenuation(detector.material, detector.wavelength)
        except AnalysisError as error:
            return f"the native engine does not know this sensor: {error}"
    return None


def native_problem() -> str | None:
    """Say why the native engine cannot be had here; None = it can."""
    try:
        importlib.import_module("spotfinding.native")
    except ImportError as error:
        return f"the native engine was not built for this Python ({error}): install filewatcher with pip"
    return None


def _native_rules(parameters: Parameters) -> tuple[Parameters, str]:
    """What is not given is as in the installed DIALS, which is asked only then; and whose rules these are."""
    if parameters.masked_pixels_erode is not None and parameters.trusted_range is not None:
        return parameters, "rules as given"
    try:
        rules = installed_dials()
        whose = f"rules of {rules.version}"
    except DialsAbsent:
        rules, whose = NEWEST, "rules of the newest DIALS, as none is installed"
    except DialsBroken as error:
        rules, whose = NEWEST, f"rules of the newest DIALS, as {error}"
    complete = parameters
    for name in RULES_OF_DIALS:
        asked, rule = getattr(parameters, name), getattr(rules, name)
        if asked is None:
            complete = replace(complete, **{name: rule})
        elif asked != rule:
            whose += f", but {name}={_word(asked)} as given"
    return complete, whose


def _dials_rules(parameters: Parameters, rules: DialsRules) -> Parameters:
    """As in the installed DIALS; what was asked must not differ."""
    for name in RULES_OF_DIALS:
        asked, installed = getattr(parameters, name), getattr(rules, name)
        if asked is not None and asked != installed:
            raise ParameterError(
                f"{name}={_word(asked)}: the installed {rules.version} does {name}={_word(installed)}, and the "
                f"engine dials follows it; leave {name} out, use another DIALS, or --engine native"
            )
    return replace(parameters, masked_pixels_erode=rules.masked_pixels_erode, trusted_range=rules.trusted_range)


def _word(value: object) -> str:
    return str(value).lower()


def engine_version(name: str) -> str:
    """Return what a resolved engine is, e.g. ``DIALS 3.12, dxtbx 3.11.2``; two workers that differ do not mix."""
    if name == "native":
        return f"native, filewatcher {version('filewatcher')}"
    return installed_dials().version


def build(name: str, detector: Detector, parameters: Parameters) -> Engine:
    """Return a resolved engine; the only place that knows which there are.

    Raises `ParameterError` if DIALS cannot be had here, `AnalysisError` if the engine cannot use the detector.
    """
    if name == "native":
        from spotfinding.native_engine import NativeEngine  # noqa: PLC0415  compiled

        return NativeEngine(detector, parameters)
    installed_dials(load=True)
    from spotfinding.dials_engine import DialsEngine  # noqa: PLC0415  imports DIALS

    return DialsEngine(detector, parameters)
