"""One recording through the whole daemon with an empty analysis: how many, how late, at what cost.

The writer starts when every worker is armed: what is measured is the way with workers free, not how they start.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import uvloop
from cost import TIMEOUTS, folders
from crew import Writers, prepare
from figures import cpu_seconds, resident_mib, spread
from odin_writer import Notes

from filewatcher.core.collection import Collection
from filewatcher.core.messages import FrameReady, FrameResult
from filewatcher.core.run import Order
from filewatcher.core.scanwatch import ScanWatch
from filewatcher.core.selection import Selection
from filewatcher.daemon import CollectionLoop
from filewatcher.edges.dask_pool import DaskPool, Share
from filewatcher.edges.journal import Journal
from filewatcher.edges.swmr import SwmrObserver
from filewatcher.ports import Opened
from filewatcher.testing.clusters import local_cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from odin_writer import Recording

    from filewatcher.core.answers import Answer
    from filewatcher.core.batching import Limits
    from filewatcher.core.messages import Outcome
    from filewatcher.core.observations import Described, Observation
    from filewatcher.core.run import Run
    from filewatcher.ports import Progress

WORKERS = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """Where all processes of the daemon stood at one moment."""

    recorded: int
    cpu: dict[str, float]
    """CPU seconds so far of ``daemon`` (loop, client, journal), ``watcher`` (the child), ``cluster`` (all of Dask)."""
    mib: dict[str, float]
    """Resident memory by the same names, MiB; of the largest process."""


@dataclass
class Times:
    """When it happened, by frame; CLOCK_MONOTONIC, seconds, NaN = never. Shape (frames,)."""

    announced: NDArray[np.float64]
    recorded: NDArray[np.float64]
    samples: list[Sample] = field(default_factory=list)
    """After each tenth."""


class TimedWatch(ScanWatch):
    """Notes when frames are announced."""

    def __init__(self, times: Times, **wishes: Any) -> None:
        super().__init__(**wishes)
        self._times = times

    def observe(self, observation: Observation | None, now: float) -> list[Any]:
        """Take news, as the daemon's does."""
        events = super().observe(observation, now)
        ready = [event.frame for event in events if isinstance(event, FrameReady)]
        if ready:
            self._times.announced[ready] = time.monotonic()
        return events


class TimedListener:
    """Notes when frames are recorded, and what that has cost so far."""

    def __init__(
        self, times: Times, observer: SwmrObserver, share: Share, not_ours: Callable[[], Sequence[int]]
    ) -> None:
        self._times, self._observer, self._share, self._not_ours = times, observer, share, not_ours
        self._count = 0
        self._pids: list[int] = []
        self.armed = asyncio.Event()
        """All workers take frames: the detector starts then."""

    def described(self, described: Sequence[Described], run: Run, recorded: int) -> None:
        """Nothing."""

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """They are in the journal."""
        done = [outcome.frame for outcome in outcomes if isinstance(outcome, FrameResult)]
        self._times.recorded[done] = time.monotonic()
        self._count += len(done)
        if done and self._count * 10 >= len(self._times.recorded) * len(self._times.samples):
            self._times.samples.append(self._sample())

    def centred(self, answer: Answer) -> None:
        """Nothing."""

    def trouble(self, sentence: str) -> None:
        """Nothing."""

    def progress(self, progress: Progress) -> None:  # noqa: ARG002  the Protocol's
        """Look whether workers are armed."""
        if self._share.ready == WORKERS and not self.armed.is_set():
            self._pids = self._cluster()
            self.armed.set()

    def _cluster(self) -> list[int]:
        """Processes of Dask; looked for once, before there are frames, because that takes 10 ms."""
        not_these = {self._observer.pid, *self._not_ours()}
        return [process.pid for process in psutil.Process().children(recursive=True) if process.pid not in not_these]

    def _sample(self) -> Sample:
        child, pids = self._observer.pid, self._pids or self._cluster()
        cpu = {"daemon": cpu_seconds(os.getpid()), "watcher": cpu_seconds(child) if child else 0.0}
        mib = {"daemon": resident_mib(), "watcher": resident_mib(child) if child else 0.0}
        cpu["cluster"] = float(np.nansum([cpu_seconds(pid) for pid in pids]))
        mib["cluster"] = float(np.nanmax([resident_mib(pid) for pid in pids], initial=0.0))
        return Sample(self._count, cpu, mib)


def dispatch(recording: Recording, limits: Limits, *, flat_out: bool = False) -> dict[str, Any]:
    """Record and analyse; returns the figures. `flat_out`: all is recorded before the daemon looks."""
    with folders(recording) as (one, notes):
        prepare(one, notes)
        with Writers(one, notes) as writers:
            if flat_out:
                writers.start()
                writers.join()
            times = uvloop.run(_run(one, notes, writers, limits, flat_out=flat_out))
            writers.join()
        visible = Notes(notes).visible.copy()
    return _figures(recording, limits, times, visible, flat_out=flat_out)


async def _run(recording: Recording, state: Path, writers: Writers, limits: Limits, *, flat_out: bool) -> Times:
    times = Times(np.full(recording.frames, np.nan), np.full(recording.frames, np.nan))
    order = Order((str(recording.master),), Selection(), {}, "none")
    watch = TimedWatch(times, timeouts=TIMEOUTS, now=time.monotonic())
    # scheduler and workers are started anew: they find the analysis by the environment
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).with_name("nothing")), os.environ.get("PYTHONPATH", "")]
    )
    pool = DaskPool(local_cluster(WORKERS), limits, analysis="empty_analysis:EmptyAnalysis")
    share = pool.share()
    observer = SwmrObserver(recording.master, seen=watch.rows_seen)
    listener = TimedListener(times, observer, share, lambda: writers.pids)

    def open_run(run: Run, _: Sequence[Described]) -> Opened:
        return Opened(Journal.open(state / "state", run), (None,))

    scans = Collection([watch])
    loop = CollectionLoop(order, scans, observer, share, open_run, listener, time.monotonic, limits)
    try:
        await pool.start()
        running = asyncio.create_task(loop.run())
        if not flat_out:
            armed = asyncio.create_task(listener.armed.wait())
            await asyncio.wait({armed, running}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.to_thread(writers.start)
        await running
    finally:
        await observer.close()
        await pool.close()
    return times


def _figures(
    recording: Recording, limits: Limits, times: Times, visible: NDArray[np.float64], *, flat_out: bool
) -> dict[str, Any]:
    done = np.isfinite(times.recorded)
    seconds = float(np.ptp(times.recorded[done])) if done.any() else float("nan")
    first, last = times.samples[0], times.samples[-1]
    frames = last.recorded - first.recorded
    each = {who: (last.cpu[who] - first.cpu[who]) / frames * 1e3 for who in last.cpu}
    figures = {
        "asked-hz": None if flat_out else recording.rate,
        "frames": recording.frames,
        "frames-per-task-max": limits.frames_per_task_max,
        "recorded": int(done.sum()),
        "frames-per-s": round(int(done.sum()) / seconds, 1),
        "cpu-ms": {who: round(ms, 4) for who, ms in each.items()} | {"all": round(sum(each.values()), 4)},
        "mib": {who: [round(s.mib[who], 1) for s in times.samples] for who in last.mib},
    }
    if not flat_out:
        figures["announced-recorded-ms"] = _spread(times.recorded - times.announced)
        figures["visible-recorded-ms"] = _spread(times.recorded - visible)
    return figures


def _spread(seconds: NDArray[np.float64]) -> dict[str, float]:
    known = seconds[np.isfinite(seconds)]
    return spread(known, 1e3) | {"p95": float(np.percentile(known, 95) * 1e3) if len(known) else float("nan")}
