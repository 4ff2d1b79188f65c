"""Real DIALS beside the engine that analyses, to tell whether it says the same of an image."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TYPE_CHECKING, TypeAlias

from spotfinding.analysis import Record
from spotfinding.engines import build
from spotfinding.errors import AnalysisError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spotfinding.detector import Detector
    from spotfinding.parameters import Parameters

Difference: TypeAlias = tuple[str, float | str | None, float | str | None]
"""Which number (or ``error``), the engine's value, DIALS's value; None = it did not fail."""

SAME = 1e-6
"""Relative; here both are equal to the last bit, but compilers of other installations may round otherwise."""


class Judge:
    """DIALS, for one detector and one set of resolved parameters, whatever rules they name: it follows its own.

    Raises `ParameterError` where there is no DIALS, `AnalysisError` if it cannot use the detector.
    """

    def __init__(self, detector: Detector, parameters: Parameters) -> None:
        self._dials = build("dials", detector, parameters)

    def differences(self, pixels: NDArray[np.generic], answer: Record | AnalysisError) -> tuple[Difference, ...]:
        """Analyse an image of shape (slow, fast) and return where another engine's answer differs."""
        try:
            verdict: Record | AnalysisError = self._dials.find(pixels)
        except AnalysisError as error:
            verdict = error
        if isinstance(answer, Record) and isinstance(verdict, Record):
            return differences(answer, verdict)
        if isinstance(answer, AnalysisError) and isinstance(verdict, AnalysisError):
            return ()  # each says it in its own words
        return (("error", _error(answer), _error(verdict)),)


def differences(answer: Record, verdict: Record) -> tuple[Difference, ...]:
    """Return the numbers that differ.

    >>> one = Record(40, 38, 9, 812.0, 1.9, 2.0, 2.1, 0.1, 0.2, 311)
    >>> differences(one, Record(41, 38, 9, 812.0, 1.9, 2.0, 2.1, 0.1, 0.2, 312))
    (('n_spots_total', 40, 41), ('n_strong_pixels', 311, 312))
    """
    pairs = ((field.name, getattr(answer, field.name), getattr(verdict, field.name)) for field in fields(Record))
    return tuple((name, ours, dials) for name, ours, dials in pairs if not math.isclose(ours, dials, rel_tol=SAME))


def _error(answer: Record | AnalysisError) -> str | None:
    return str(answer) if isinstance(answer, AnalysisError) else None
