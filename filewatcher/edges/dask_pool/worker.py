"""What runs inside a Dask worker: called by name, fed with names and numbers."""

from __future__ import annotations

import os
import time
from functools import cache
from importlib.metadata import version
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, TypeAlias

from distributed import get_worker

from filewatcher.edges.dask_pool.parcels import NO_NUMBERS, NUMBERS, PLACE, Answers
from filewatcher.edges.dask_pool.turns import Turns
from filewatcher.edges.dask_pool.watchdog import Watchdog
from filewatcher.mounts import file_system
from filewatcher.settled import settle
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

_analyses: dict[str, Analysis] = {}
_judges: dict[str, Judge] = {}
_roots: dict[str, tuple[str, ...]] = {}


def arm(
    job: str,
    detector: Mapping[str, Any],
    parameters: Mapping[str, Any],
    engine: str,
    analysis: str,
    judged: bool,
    versions: Mapping[str, str],
    reading: tuple[Sequence[str], Sequence[str]],
) -> str | None:
    """Build `analysis`, a class by name, and let it analyse a blank image: the first frame is as fast as the others.

    `judged`: real DIALS is built beside it. `reading`: paths that it must be able to read, and folders outside which it
    must not read anything (none = anywhere).
    Returns why this worker cannot be trusted with the collection: other `versions`, or it cannot read those paths.
    """
    paths, roots = reading
    _listen()
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
    _roots[job] = tuple(roots)
    _settled()
    if judged:
        from spotfinding.judge import Judge  # noqa: PLC0415  few runs are verified

        _judges[job] = Judge(Detector(**detector), Parameters.from_json(parameters))
    return None


@cache
def _listen() -> Turns:
    """Take batches, from now on."""
    return Turns(get_worker(), {function.__name__: function for function in (analyse, view)})


@cache
def _settled() -> None:
    """Once: what a later collection needs is to go when it is over."""
    settle()


def disarm(job: str) -> None:
    """Let go of what a collection needed: a worker may live for weeks."""
    _analyses.pop(job, None)
    _judges.pop(job, None)
    _roots.pop(job, None)


def analyse(
    job: str, path: str, layout: tuple[Any, ...], places: bytes, judged: Sequence[int], limit: float
) -> tuple[Any, ...]:
    """Analyse the frames of one batch, a `Parcel`; returns what `Answers` are made of.

    A frame that fails does not take the others along; one that takes longer than `limit` seconds ends the process.
    """
    start = time.perf_counter()
    analysis, stored, roots = _analyses[job], Layout(*layout), _roots[job]
    patience = _patience(path.rpartition("/")[0])
    numbers: list[bytes] = []
    words: dict[int, tuple[bool, str]] = {}
    verdicts: dict[int, Verdict] = {}
    with Watchdog(limit) as watchdog:
        for i, (offset, size, filter_mask) in enumerate(PLACE.iter_unpack(places)):
            watchdog.feed()
            chunk = Chunk(path, offset, size, filter_mask, roots)
            answer = _answer(analysis, chunk, stored, patience)
            if isinstance(answer, Exception):
                words[i] = isinstance(answer, NotReadable), _sentence(answer)
                numbers.append(NO_NUMBERS)
            else:
                numbers.append(NUMBERS.pack(*answer.numbers()))
            if i in judged and (verdict := _verdict(_judges[job], analysis, chunk, stored, answer)) is not None:
                verdicts[i] = verdict
    return tuple(Answers(analysis.engine_name, b"".join(numbers), words, verdicts, time.perf_counter() - start))


def view(job: str, layout: tuple[Any, ...], place: Place, what: str, black: float | None) -> tuple[str, bytes | str]:
    """Make a frame into something for a person: `what` is ``image`` (PNG) or ``notes`` (JSON).

    Returns ``("done", bytes)``, or ``("failed", reason)``.
    """
    from spotfinding.imageview import shown  # noqa: PLC0415  few frames are looked at

    analysis, (path, offset, size, filter_mask) = _analyses[job], place
    chunk = Chunk(path, offset, size, filter_mask, _roots[job])
    try:
        patience = _patience(chunk.path.rpartition("/")[0])
        return "done", shown(analysis, chunk, Layout(*layout), patience, what, black)
    except AnalysisError as error:
        return "failed", str(error)


@cache
def _patience(folder: str) -> float:
    """Seconds to wait for bytes that the watcher has seen: twice as long as this machine may believe an old size.

    Asked on the worker: it may have mounted the data in another way than the watcher's machine.
    """
    return 2 * file_system(folder).attribute_timeout


def _answer(analysis: Analysis, chunk: Chunk, layout: Layout, patience: float) -> Record | Exception:
    """Return what is found, or why nothing is."""
    try:
        return analysis(chunk, layout, patience)
    except Exception as error:  # noqa: BLE001  the boundary of a frame: whatever it is, the batch goes on
        return error


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, AnalysisError) else f"{type(error).__name__}: {error}"


def _verdict(
    judge: Judge, analysis: Analysis, chunk: Chunk, layout: Layout, answer: Record | Exception
) -> Verdict | None:
    """Ask DIALS about the same image; None where the bytes make none."""
    if isinstance(answer, NotReadable):
        return None
    try:
        pixels = analysis.pixels(chunk, layout)
    except AnalysisError:
        return None
    return judge.differences(pixels, AnalysisError(_sentence(answer)) if isinstance(answer, Exception) else answer)
