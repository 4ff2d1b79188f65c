"""The JSON lines: what is said of a frame, and of a scan, on standard output and in ``summary.json``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from filewatcher.core.messages import COUNTS, METRICS, FrameFailed, FrameMissing, FrameResult, State, numbers_of

if TYPE_CHECKING:
    from filewatcher.core.grid import Grid
    from filewatcher.core.messages import Outcome
    from filewatcher.core.report import ScanReport

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""What JSON can hold."""

FRAME_KEYS: tuple[str, ...] = (
    "type",
    "scan",
    "frame",
    "file-number",
    "state",
    *METRICS,
    "engine",
    "attempts",
    "error",
)
"""Keys of a frame's line, in their order; also the names of the datasets per frame in ``results.h5``."""


def frame_line(outcome: Outcome, engine: str | None = None) -> dict[str, Json]:
    """Return the line of a frame that has ended; its keys are `FRAME_KEYS`.

    ``engine`` is that of the run, for a failed frame, whose outcome does not name it. A missing frame met none.
    """
    numbers: dict[str, Json] = dict.fromkeys(METRICS)
    attempts, error = 0, None
    match outcome:
        case FrameResult():
            state, engine, attempts = State.DONE, outcome.engine, outcome.attempts
            numbers = dict(zip(METRICS, map(to_json, numbers_of(outcome.statistics)), strict=True))
        case FrameFailed():
            state, attempts, error = State.FAILED, outcome.attempts, outcome.reason
        case FrameMissing():
            state, engine, error = State.MISSING, None, outcome.reason
    return {
        "type": "frame",
        "scan": outcome.scan,
        "frame": outcome.frame,
        "file-number": outcome.frame + 1,
        "state": state.word,
        **numbers,
        "engine": engine,
        "attempts": attempts,
        "error": error,
    }


def report_lines(report: ScanReport) -> Iterator[dict[str, Json]]:
    """Yield the line of every frame of a report that has ended, in the order of frames; as `frame_line` made them."""
    for place, frame in enumerate(report.frames.tolist()):
        if (state := State(report.states[place])) == State.WAITING:
            continue
        numbers: dict[str, Json] = dict.fromkeys(METRICS)
        if state == State.DONE:
            numbers = {name: to_json(report.values[name][place]) for name in METRICS}
            numbers |= {name: int(report.values[name][place]) for name in COUNTS}
        yield {
            "type": "frame",
            "scan": report.scan,
            "frame": frame,
            "file-number": frame + 1,
            "state": state.word,
            **numbers,
            "engine": None if state == State.MISSING else report.engine,
            "attempts": int(report.attempts[place]),
            "error": report.errors.get(place),
        }


def logged_line(
    scan: int, row: tuple[int, State, int, Sequence[float]], engine: str, error: str | None
) -> dict[str, Json]:
    """Return the line of a frame as `CellLog.rows` yields it: (frame, state, attempts, numbers); as `frame_line`."""
    frame, state, attempts, values = row
    numbers: dict[str, Json] = dict.fromkeys(METRICS)
    if state == State.DONE:
        both = zip(METRICS, values, strict=True)
        numbers = {name: int(value) if name in COUNTS else to_json(value) for name, value in both}
    return {
        "type": "frame",
        "scan": scan,
        "frame": frame,
        "file-number": frame + 1,
        "state": state.word,
        **numbers,
        "engine": None if state == State.MISSING else engine,
        "attempts": attempts,
        "error": error,
    }


def summary_line(report: ScanReport) -> dict[str, Json]:
    """Return the line that ends a scan, also the content of ``summary.json``."""
    return {
        "type": "summary",
        "scan": report.scan,
        "collection": report.collection,
        "master": report.master.path,
        "expected": report.expected,
        "done": report.count(State.DONE),
        "failed": report.count(State.FAILED),
        "missing": report.count(State.MISSING),
        "grid": None if report.grid is None else grid_words(report.grid),
        "centring": None if report.centring is None else report.centring.as_json(region=False),
        "engine": report.engine,
        "engine_reason": report.engine_reason,
        "verification": None if report.verification is None else report.verification.line(),
        "parameters": to_json(report.parameters),
        "versions": to_json(report.versions),
        "times": to_json(report.times),
    }


def grid_words(grid: Grid) -> dict[str, Json]:
    """Return a grid in the words of the command line; step and origin in mm, null if unknown."""
    return {
        "columns": grid.columns,
        "rows": grid.rows,
        "orientation": grid.orientation,
        "snaked": grid.snaked,
        "start": grid.start,
        "step_mm": to_json(grid.step),
        "origin_mm": to_json(grid.origin),
    }


def to_json(value: object) -> Json:
    """Return the value as JSON can hold it: a number that is not finite becomes null, numpy's become Python's.

    >>> to_json({"d_min": float("nan"), "kernel_size": (3, 3), "unit": "mm"})
    {'d_min': None, 'kernel_size': [3, 3], 'unit': 'mm'}
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [to_json(item) for item in value]
    if isinstance(value, AbstractSet):
        return [to_json(item) for item in sorted(value)]
    return str(value)
