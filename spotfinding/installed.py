"""The DIALS of this machine, asked without importing it: that takes a second and hundreds of MB that stay.

Even to ask takes seconds. Who must not wait (a daemon whose first collection comes when it starts) can `recall` what
was measured of the same installation before, and `remeasure` it beside.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from spotfinding.rules import ParameterError

LIMIT = 120.0
"""Seconds that DIALS may take to be imported: a module on a cold network file system."""


@dataclass(frozen=True, slots=True)
class DialsRules:
    """How one installation of DIALS behaves, where its versions differ."""

    version: str
    """E.g. ``DIALS 3.12, dxtbx 3.11.2``: as the packages name themselves."""
    masked_pixels_erode: bool
    """dispersion_extended: masked pixels erode like background (DIALS < 3.24, dials#2790)."""
    trusted_range: str
    """``exclusive`` or ``inclusive`` (dxtbx >= 3.12, dxtbx#536) of the saturation value."""


NEWEST = DialsRules("the newest DIALS", masked_pixels_erode=False, trusted_range="inclusive")
"""As DIALS behaves from 3.24 on."""


class DialsAbsent(ParameterError):
    """This Python has no DIALS."""


class DialsBroken(ParameterError):
    """DIALS is there and cannot be imported."""


_recalled: list[DialsRules] = []
"""What to go by until it is measured; at most one."""


def installed_dials(*, load: bool = False) -> DialsRules:
    """Return the rules of the installed DIALS, measured once per process.

    A child measures them, unless DIALS is loaded here already, or is to be (`load`); what was recalled does until then.
    Raises `DialsAbsent` or `DialsBroken`.
    """
    if importlib.util.find_spec("dials") is None or importlib.util.find_spec("dxtbx") is None:
        raise DialsAbsent(
            "the engine dials needs DIALS, which this Python does not have: install Debian's package "
            "python3-dials, DIALS from conda-forge, or load your facility's dials module"
        )
    if load or "dials.array_family" in sys.modules:
        return _measured_here()
    return _recalled[0] if _recalled else _measured_by_a_child()


def recall(file: Path) -> bool:
    """Go by what `remeasure` has noted in a file, if it is this installation's; whether it is."""
    try:
        noted = json.loads(file.read_text())
        _recalled[:] = [DialsRules(**noted["rules"])] if noted["installation"] == _installation() else []
    except (OSError, ValueError, TypeError, KeyError):
        return False
    return bool(_recalled)


def remeasure(file: Path) -> str | None:
    """Measure it in any case, and note that in a file for the next process; returns what was recalled wrongly.

    What was recalled does until that is known. Raises `DialsAbsent` or `DialsBroken`.
    """
    before = list(_recalled)
    try:
        if _installation() is not None:
            _measured_by_a_child()
    finally:
        _recalled.clear()
    rules = installed_dials()
    fresh = file.with_suffix(".new")
    try:
        fresh.write_text(json.dumps({"installation": _installation(), "rules": asdict(rules)}) + "\n")
        fresh.replace(file)
    except OSError:  # the next process measures again
        fresh.unlink(missing_ok=True)
    return None if before in ([], [rules]) else f"{before[0]} instead of {rules}"


def _installation() -> list[list[object]] | None:
    """Tell one installation from others, without importing it; None = there is none. JSON values."""
    found: list[list[object]] = [[sys.executable, sys.version]]
    for name in ("dials", "dxtbx"):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            return None
        status = Path(spec.origin).stat()
        found.append([spec.origin, status.st_mtime_ns, status.st_size])
    return found


def _measured_here() -> DialsRules:
    try:
        from spotfinding.dials_rules import measure  # noqa: PLC0415  imports DIALS
    except (ImportError, OSError, RuntimeError, AssertionError) as error:  # libtbx looks for its build, or numpy 2
        raise broken(error) from error
    return measure()


@cache
def _measured_by_a_child() -> DialsRules:
    # -P: not what happens to lie in the working directory
    command = [sys.executable, "-P", "-m", "spotfinding.dials_rules"]
    try:
        child = subprocess.run(command, check=False, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        raise broken(f"it took longer than {LIMIT:g} s") from None
    if child.returncode:
        lines = child.stderr.strip().splitlines()
        raise broken(lines[-1] if lines else f"the process that tried ended with {child.returncode}")
    return DialsRules(**json.loads(child.stdout.splitlines()[-1]))  # DIALS prints too


def broken(why: object) -> DialsBroken:
    """Return the error of a DIALS that cannot be imported."""
    return DialsBroken(
        f"the engine dials needs DIALS, which is installed here but cannot be imported ({why}): "
        "check LIBTBX_BUILD and that numpy is older than 2 if DIALS was built with an older one"
    )
