"""Parameters from a ``.phil`` file, in the words of ``dials.find_spots``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spotfinding.parameters import DIALS_NAMES, PIXEL_LIMITS, RULES, ParameterError, pixel_limit

if TYPE_CHECKING:
    from pathlib import Path


def read_phil(path: Path) -> dict[str, Any]:
    """Return the parameters, by our names, that a .phil file sets.

    The file is read against the parameters of the installed ``dials.find_spots``, and against ours, by the names that
    they have as ``key=value``. What we do not have may stand
    there with DIALS's own default value; changed, it is refused by name with `ParameterError`, and so is what
    DIALS does not know, a limit on the resolution of pixels, and a file that cannot be read.
    """
    try:
        import libtbx.phil  # noqa: PLC0415  only those who use .phil files need DIALS here
        from dials.command_line.find_spots import phil_scope  # noqa: PLC0415
    except ImportError as error:
        raise ParameterError(
            f"{path}: reading .phil files needs DIALS, which is not installed; use key=value"
        ) from error
    try:
        source = libtbx.phil.parse(path.read_text(encoding="utf-8"), source_info=str(path))
        fetched, strangers = phil_scope.fetch(source=source, track_unused_definitions=True)
        changed = {d.path for d in phil_scope.fetch_diff(source=fetched).all_definitions()}
        found = [(d.path, d.object) for d in fetched.all_definitions()]
        given = {d.path for d in source.all_definitions()}
        values = {full: definition.extract() for full, definition in found if full in given}
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path} cannot be read: {getattr(error, 'strerror', error)}") from error
    except RuntimeError as error:  # libtbx's own errors, Sorry among them: they name line and value
        raise ParameterError(f"{path}: {error}") from error
    return _translated(path, values, changed) | _our_own(path, {d.path: d.object for d in strangers})


def _our_own(path: Path, strangers: dict[str, Any]) -> dict[str, Any]:
    """What dials.find_spots does not have and we do: by our names, or by those of DIALS's spot finding server."""
    ours: dict[str, Any] = {}
    for full, definition in strangers.items():
        name = full if full in RULES else DIALS_NAMES.get(full)
        if name is None:
            raise ParameterError(f"{path}: neither dials.find_spots nor we have a parameter {full}; take it out")
        try:
            ours[name] = RULES[name].read(name, " ".join(word.value for word in definition.words))
        except ParameterError as error:
            raise ParameterError(f"{path}: {error}") from None
    return ours


def _translated(path: Path, values: dict[str, Any], changed: set[str]) -> dict[str, Any]:
    """Our names and values for DIALS's; what was changed and is not ours is refused."""
    ours: dict[str, Any] = {}
    for full, value in values.items():
        name = DIALS_NAMES.get(full)
        if name is not None:
            ours[name] = _value(path, name, value)
        elif full in changed:
            if full in PIXEL_LIMITS:
                raise ParameterError(f"{path}: {pixel_limit(full)}")
            raise ParameterError(f"{path}: {full} was changed, but we have no such parameter; take it out")
    return ours


def _value(path: Path, name: str, value: object) -> object:
    """A value as libtbx gives it, in its normal form here."""
    try:
        if type(value).__name__ == "AutoType":  # libtbx.Auto
            return RULES[name].read(name, "auto")
        return RULES[name].checked(name, value)
    except ParameterError as error:
        raise ParameterError(f"{path}: {error}") from None
