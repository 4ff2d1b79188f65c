"""What runs inside a Dask worker: called by name, fed with names and numbers."""

from __future__ import annotations

import json
import os
import time
from functools import cache
from importlib.metadata import version
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, TypeAlias

from filewatcher.edges.dask_pool.watchdog import Watchdog
from filewatcher.mounts import file_system
from spotfinding.chunks import Chunk, Layout
from spotfinding.detector import Detector
from spotfinding.engines import engine_version
from spotfinding.errors import AnalysisError, NotReadable
from spotfinding.parameters import ParameterError, Parameters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spotfinding.analysis import Analysis, Record
    from spotfinding.judge import Difference, Judge

Place: TypeAlias = tuple[str, int, int, int]
"""Path, offset in bytes, size in bytes, filter mask."""
Verdict: TypeAlias = "tuple[Difference, ...]"
"""Where DIALS says otherwise."""
Answer: TypeAlias = tuple[str, Any] | tuple[str, Any, Verdict]
"""``("done", (engine, *numbers))``, ``("failed", reason)`` or ``("unreadable", reason)``; then what DIALS said,
if it was asked."""

_analyses: dict[str, Analysis] = {}
_judges: dict[str, Judge] = {}


def arm(
    job: str,
    detector: Mapping[str, Any],
    parameters: Mapping[str, Any],
    engine: str,
    analysis: str,
    judged: bool,
    versions: Mapping[str, str],
    paths: Sequence[str],
) -> str | None:
    """Build `analysis`, a class by name, and let it analyse a blank image: the first frame is as fast as the others.

    `judged`: real DIALS is built beside it.
    Returns why this worker cannot be trusted with the collection: other `versions`, or it cannot read `paths`.
    """
    # what an engine prints must not end up between the JSON lines on our standard output
    os.dup2(2, 1)
    for path in paths:
        try:
            with Path(path).open("rb"):
                pass
        except OSError as error:
            return f"cannot read {path}: {error.strerror}; is that file system mounted on its node?"
    for name, wanted in versions.items():
        try:
            here = version(name) if name == "filewatcher" else engine_version(name)
        except ParameterError as error:
            return f"has no {name} engine that works: {error}"
        if here != wanted:
            return f"has {name} {here} instead of {wanted}: two that differ do not mix"
    made: type[Analysis] = resolve_name(analysis)
    _analyses[job] = made(Detector(**detector), Parameters.from_json(parameters), engine)
    _analyses[job].warm_up()
    if judged:
        from spotfinding.judge import Judge  # noqa: PLC0415  few runs are verified

        _judges[job] = Judge(Detector(**detector), Parameters.from_json(parameters))
    return None


def disarm(job: str) -> None:
    """Let go of what a collection needed: a worker may live for weeks."""
    _analyses.pop(job, None)
    _judges.pop(job, None)


def analyse(
    job: str, layout: tuple[Any, ...], places: list[Place], judged: list[int], limit: float
) -> tuple[list[Answer], float]:
    """Analyse the frames of one batch; returns an answer per frame and the seconds that it took.

    A frame that fails does not take the others along; one that takes longer than `limit` seconds ends the process.
    `judged`: which of the frames DIALS is to analyse too.
    """
    start = time.perf_counter()
    analysis = _analyses[job]
    stored = Layout(*layout)
    answers: list[Answer] = []
    with Watchdog(limit) as watchdog:
        for i, place in enumerate(places):
            watchdog.feed()
            if i in judged:
                answers.append(_judged_answer(analysis, _judges[job], Chunk(*place), stored))
            else:
                answers.append(_answer(analysis, Chunk(*place), stored))
    return answers, time.perf_counter() - start


def view(job: str, layout: tuple[Any, ...], place: Place, what: str, black: float | None) -> tuple[str, bytes | str]:
    """Make a frame into something for a person: `what` is ``image`` (PNG) or ``notes`` (JSON).

    Returns ``("done", bytes)``, or ``("failed", reason)``.
    """
    from spotfinding.imageview import notes, picture  # noqa: PLC0415  few frames are looked at

    analysis, chunk = _analyses[job], Chunk(*place)
    try:
        pixels = analysis.pixels(chunk, Layout(*layout), _patience(chunk.path.rpartition("/")[0]))
        if what == "image":
            return "done", picture(analysis, pixels, black)
        return "done", json.dumps(notes(analysis, pixels)).encode()
    except AnalysisError as error:
        return "failed", str(error)


@cache
def _patience(folder: str) -> float:
    """Seconds to wait for bytes that the watcher has seen: twice as long as this machine may believe an old size.

    Asked on the worker: it may have mounted the data in another way than the watcher's machine.
    """
    return 2 * file_system(folder).attribute_timeout


def _answer(analysis: Analysis, chunk: Chunk, layout: Layout) -> Answer:
    try:
        record = analysis(chunk, layout, _patience(chunk.path.rpartition("/")[0]))
        return "done", (analysis.engine_name, *record.numbers())
    except NotReadable as error:
        return "unreadable", str(error)
    except AnalysisError as error:
        return "failed", str(error)
    except Exception as error:  # noqa: BLE001  the boundary of a frame: whatever it is, the batch goes on
        return "failed", f"{type(error).__name__}: {error}"


def _judged_answer(analysis: Analysis, judge: Judge, chunk: Chunk, layout: Layout) -> Answer:
    """As without a judge, who is not asked about bytes that make no image."""
    answer = _answer(analysis, chunk, layout)
    state, what = answer[:2]
    try:
        pixels = analysis.pixels(chunk, layout)
    except AnalysisError:
        return answer
    return answer if state == "unreadable" else (state, what, judge.differences(pixels, _record(state, what)))


def _record(state: str, what: Any) -> Record | AnalysisError:
    from spotfinding.analysis import Record  # noqa: PLC0415  few runs are verified

    return Record(*what[1:]) if state == "done" else AnalysisError(what)
