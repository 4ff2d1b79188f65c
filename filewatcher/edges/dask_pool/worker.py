"""What runs inside a Dask worker: called by name, fed with names and numbers."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import astuple
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from distributed import WorkerPlugin

from filewatcher.mounts import file_system
from spotfinding.analysis import Analysis
from spotfinding.chunks import Chunk, Layout
from spotfinding.detector import Detector
from spotfinding.errors import AnalysisError, NotReadable
from spotfinding.judge import Judge
from spotfinding.parameters import Parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from distributed import Worker
    from numpy.typing import NDArray

    from spotfinding.analysis import Record
    from spotfinding.judge import Difference

Place: TypeAlias = tuple[str, int, int, int]
"""Path, offset in bytes, size in bytes, filter mask."""
Verdict: TypeAlias = "tuple[Difference, ...] | None"
"""Where DIALS says otherwise; None = it was not asked."""
Answer: TypeAlias = tuple[str, Any, Verdict]
"""``("done", (engine, *numbers), verdict)``, ``("failed", reason, verdict)`` or ``("unreadable", reason, None)``."""

TOO_LONG = 71
"""Exit status of a worker whose frame took longer than the limit; the number has no other meaning."""

_jobs: dict[str, ArmJob] = {}
_analyses: dict[str, Analysis] = {}
_judges: dict[str, Judge] = {}


class ArmJob(WorkerPlugin):
    """Tells a worker, also one that joins later, what a collection needs; built on first use, then kept."""

    def __init__(
        self, job: str, detector: Mapping[str, Any], parameters: Mapping[str, Any], engine: str, *, judged: bool
    ) -> None:
        self.name = f"filewatcher-{job}"
        self.job, self.detector, self.parameters, self.engine = job, detector, parameters, engine
        self.judged = judged

    def setup(self, worker: Worker) -> None:  # noqa: ARG002  Dask's signature
        """Remember the job; the engine is built by the first task, off the worker's event loop."""
        # what an engine prints must not end up between the JSON lines on our standard output
        os.dup2(2, 1)
        _jobs[self.job] = self

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002  Dask's signature
        """Forget the job."""
        _jobs.pop(self.job, None)
        _analyses.pop(self.job, None)
        _judges.pop(self.job, None)

    def build(self) -> Analysis:
        """Build mask, models and threshold objects."""
        return Analysis(Detector(**self.detector), Parameters.from_json(self.parameters), self.engine)

    def build_judge(self) -> Judge:
        """Build real DIALS beside it."""
        return Judge(Detector(**self.detector), Parameters.from_json(self.parameters))


def warm_up(job: str) -> None:
    """Build the engine and analyse a blank image, so that the first frame is as fast as the others."""
    _analysis(job).warm_up()
    if _jobs[job].judged:
        _judge(job)


def analyse(
    job: str, layout: tuple[Any, ...], places: list[Place], judged: list[bool], limit: float
) -> tuple[list[Answer], float]:
    """Analyse the frames of one batch; returns an answer per frame and the seconds that it took.

    Those that are `judged` are analysed by DIALS too, in time that does not count. A frame that fails does not take
    the others along; one that takes longer than `limit` seconds ends the process, because nothing else stops native
    code.
    """
    start, judging = time.perf_counter(), 0.0
    analysis = _analysis(job)
    stored = Layout(*layout)
    answers = []
    for place, to_be_judged in zip(places, judged, strict=True):
        watchdog = threading.Timer(limit, os._exit, (TOO_LONG,))
        watchdog.daemon = True
        watchdog.start()
        try:
            answer, seconds = _answer(analysis, Chunk(*place), stored, _judge(job) if to_be_judged else None)
        finally:
            watchdog.cancel()
        answers.append(answer)
        judging += seconds
    return answers, time.perf_counter() - start - judging


def _analysis(job: str) -> Analysis:
    if job not in _analyses:
        _analyses[job] = _jobs[job].build()
    return _analyses[job]


def _judge(job: str) -> Judge:
    if job not in _judges:
        _judges[job] = _jobs[job].build_judge()
    return _judges[job]


@cache
def _patience(folder: str) -> float:
    """Seconds to wait for bytes that the watcher has seen: twice as long as this machine may believe an old size.

    Asked on the worker: it may have mounted the data in another way than the watcher's machine.
    """
    return 2 * file_system(folder).attribute_timeout


def _answer(analysis: Analysis, chunk: Chunk, layout: Layout, judge: Judge | None) -> tuple[Answer, float]:
    """Analyse one frame; returns the answer, and the seconds that the judge took."""
    try:
        pixels = analysis.pixels(chunk, layout, _patience(chunk.path.rpartition("/")[0]))
        found = _found(analysis, pixels)
        start = time.perf_counter()
        verdict = None if judge is None else judge.differences(pixels, found)
        seconds = time.perf_counter() - start
        if isinstance(found, AnalysisError):
            return ("failed", str(found), verdict), seconds
        return ("done", (analysis.engine_name, *astuple(found)), verdict), seconds
    except NotReadable as error:
        return ("unreadable", str(error), None), 0.0
    except AnalysisError as error:
        return ("failed", str(error), None), 0.0
    except Exception as error:  # noqa: BLE001  the boundary of a frame: whatever it is, the batch goes on
        return ("failed", f"{type(error).__name__}: {error}", None), 0.0


def _found(analysis: Analysis, pixels: NDArray[np.generic]) -> Record | AnalysisError:
    try:
        return analysis.find(pixels)
    except AnalysisError as error:
        return error
