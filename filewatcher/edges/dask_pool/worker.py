"""What runs inside a Dask worker: called by name, fed with names and numbers."""

from __future__ import annotations

import os
import time
from dataclasses import astuple
from functools import cache
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, TypeAlias

from distributed import WorkerPlugin

from filewatcher.edges.dask_pool.watchdog import Watchdog
from filewatcher.mounts import file_system
from spotfinding.chunks import Chunk, Layout
from spotfinding.detector import Detector
from spotfinding.errors import AnalysisError, NotReadable
from spotfinding.parameters import Parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from distributed import Worker

    from spotfinding.analysis import Analysis

Place: TypeAlias = tuple[str, int, int, int]
"""Path, offset in bytes, size in bytes, filter mask."""
Answer: TypeAlias = tuple[str, Any]
"""``("done", (engine, *numbers))``, ``("failed", reason)`` or ``("unreadable", reason)``."""

_jobs: dict[str, ArmJob] = {}
_analyses: dict[str, Analysis] = {}


class ArmJob(WorkerPlugin):
    """Tells a worker, also one that joins later, what a collection needs; built on first use, then kept."""

    def __init__(
        self, job: str, detector: Mapping[str, Any], parameters: Mapping[str, Any], engine: str, analysis: str
    ) -> None:
        self.name = f"filewatcher-{job}"
        self.job, self.detector, self.parameters, self.engine = job, detector, parameters, engine
        self.analysis = analysis

    def setup(self, worker: Worker) -> None:  # noqa: ARG002  Dask's signature
        """Remember the job; the engine is built by the first task, off the worker's event loop."""
        # what an engine prints must not end up between the JSON lines on our standard output
        os.dup2(2, 1)
        _jobs[self.job] = self

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002  Dask's signature
        """Forget the job."""
        _jobs.pop(self.job, None)
        _analyses.pop(self.job, None)

    def build(self) -> Analysis:
        """Build mask, models and threshold objects."""
        analysis: type[Analysis] = resolve_name(self.analysis)
        return analysis(Detector(**self.detector), Parameters.from_json(self.parameters), self.engine)


def warm_up(job: str) -> None:
    """Build the engine and analyse a blank image, so that the first frame is as fast as the others."""
    _analysis(job).warm_up()


def analyse(job: str, layout: tuple[Any, ...], places: list[Place], limit: float) -> tuple[list[Answer], float]:
    """Analyse the frames of one batch; returns an answer per frame and the seconds that it took.

    A frame that fails does not take the others along; one that takes longer than `limit` seconds ends the process.
    """
    start = time.perf_counter()
    analysis = _analysis(job)
    stored = Layout(*layout)
    answers = []
    with Watchdog(limit) as watchdog:
        for place in places:
            watchdog.feed()
            answers.append(_answer(analysis, Chunk(*place), stored))
    return answers, time.perf_counter() - start


def _analysis(job: str) -> Analysis:
    if job not in _analyses:
        _analyses[job] = _jobs[job].build()
    return _analyses[job]


@cache
def _patience(folder: str) -> float:
    """Seconds to wait for bytes that the watcher has seen: twice as long as this machine may believe an old size.

    Asked on the worker: it may have mounted the data in another way than the watcher's machine.
    """
    return 2 * file_system(folder).attribute_timeout


def _answer(analysis: Analysis, chunk: Chunk, layout: Layout) -> Answer:
    try:
        record = analysis(chunk, layout, _patience(chunk.path.rpartition("/")[0]))
        return "done", (analysis.engine_name, *astuple(record))
    except NotReadable as error:
        return "unreadable", str(error)
    except AnalysisError as error:
        return "failed", str(error)
    except Exception as error:  # noqa: BLE001  the boundary of a frame: whatever it is, the batch goes on
        return "failed", f"{type(error).__name__}: {error}"
