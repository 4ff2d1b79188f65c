"""One recording, watched: how late, at what cost, with which bytes."""

from __future__ import annotations

import math
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import uvloop
from crew import Writers, prepare
from figures import reads_and_waits, spread, stolen_seconds
from odin_writer import Notes, Recording, wrong_with
from watching import Quiet, Watched, reading, watch

from filewatcher.core.scanwatch import TimeOuts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from watching import Sample

    from filewatcher.core.messages import FrameReady

LEFT_ALONE = 0.05
"""Cores of this machine that others on its host may take during a run that is to tell something of us..."""
RUNS = 4
"""...and runs for one, at most."""
DETACH = 5.0
"""Seconds that strace may take to write its table."""
TIMEOUTS = TimeOuts(first=60.0, progress=30.0, grace=1.0)


@dataclass(frozen=True, slots=True)
class Case:
    """A recording to be watched, and what is promised of it."""

    name: str
    recording: Recording
    """Its folder is where a folder of its own is made."""
    p99_ms: float | None = None
    """Visible -> announced, at most."""
    share: float | None = None
    """Of a core, at most."""
    growth: float | None = None
    """CPU per frame in the last tenth by that in the first, at most."""
    memory_mib: float | None = None
    """Growth between the second tenth and the end, child or parent, at most."""
    check_bytes: bool = False
    """Read and compare every frame the moment that it is announced."""


@contextmanager
def folders(recording: Recording) -> Iterator[tuple[Recording, Path]]:
    """The recording in a raw folder of its own, and a folder for notes beside it; both removed in the end."""
    root = Path(tempfile.mkdtemp(prefix="filewatcher-bench-", dir=recording.folder))
    try:
        for name in ("raw", "notes"):
            (root / name).mkdir()
        yield replace(recording, folder=root / "raw"), root / "notes"
    finally:
        shutil.rmtree(root)


def measure(case: Case) -> dict[str, Any]:
    """Record and watch; returns the figures, by the names that they are printed with."""
    with folders(case.recording) as (recording, notes), reading() as files:

        def check(frame: FrameReady) -> str:
            return wrong_with(files.read(frame), recording.run, frame.frame)

        prepare(recording, notes)
        with Writers(recording, notes) as writers:
            began, stolen = time.monotonic(), stolen_seconds()
            listener = Quiet(writers.start, check if case.check_bytes else None)
            seen = uvloop.run(watch(recording.master, recording.frames, listener, TIMEOUTS))
            writers.join()
            stolen = (stolen_seconds() - stolen) / (time.monotonic() - began)
        written = Notes(notes)
        visible = written.visible.copy()
        flush_us = spread(written.flushes(), 1e6)
    figures = {"name": case.name, **_recorded(recording, visible), "writer-flush-us": flush_us}
    figures["stolen-cores"] = round(stolen, 3)
    figures |= _latency(seen, visible) | _cost(seen, visible)
    figures["failed-creations"] = len(writers.failures)
    if case.check_bytes:
        figures["frames-compared"], figures["wrong-bytes"] = listener.checked, listener.wrong[:5]
    return figures


def left_alone(measured: Callable[[], dict[str, Any]], runs: int = RUNS) -> dict[str, Any]:
    """Measure again while others on the host take too much of this machine; returns the run that they left alone most.

    By that alone a run is chosen, not by its figures; but one with a fault is the last, and the one that counts.
    """
    chosen: dict[str, Any] = {}
    for number in range(1, runs + 1):
        figures = measured()
        lost = figures["announced"] != figures["frames"] or figures["announced-twice"] or figures.get("wrong-bytes")
        if lost or not chosen or figures["stolen-cores"] < chosen["stolen-cores"]:
            chosen = figures
        chosen["runs"] = number
        if lost or chosen["stolen-cores"] <= LEFT_ALONE:
            break
    return chosen


def _recorded(recording: Recording, visible: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    there = visible[visible > 0]
    return {
        "frames": recording.frames,
        "files": recording.blocks,
        "writers": recording.writers,
        "asked-hz": recording.rate,
        "reached-hz": round((len(there) - 1) / float(np.ptp(there)), 1) if len(there) > 1 else 0.0,
    }


def _latency(seen: Watched, visible: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    both = (visible > 0) & np.isfinite(seen.announced_at)
    return {
        # a frame may be announced before the writer's flush has returned: that is no negative latency, but none
        "latency-ms": spread(np.maximum(seen.announced_at[both] - visible[both], 0.0), 1e3),
        "first-ms": round(float(np.nanmin(seen.announced_at) - visible[both].min()) * 1e3, 1) if both.any() else None,
        "announced": seen.announced,
        "announced-twice": len(seen.again),
        "missed": int(((visible > 0) & ~np.isfinite(seen.announced_at)).sum()),
        "children": len(seen.children),
    }


def _cost(seen: Watched, visible: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    if len(seen.samples) < 3:
        return {}
    first, last = seen.samples[0], seen.samples[-1]
    there = visible[visible > 0]
    steps = list(zip(seen.samples, seen.samples[1:], strict=False))
    tenths = [round(_per_frame(*step), 2) for step in steps]
    seconds = float(np.ptp(there)) or math.nan
    return {
        "child-us": round((last.child - first.child) / (last.announced - first.announced) * 1e6, 2),
        "parent-us": round((last.parent - first.parent) / (last.announced - first.announced) * 1e6, 2),
        "share-of-core": round((last.child + last.parent - first.child - first.parent) / seconds, 4),
        "us-by-tenth": tenths,
        "growth": round(tenths[-1] / tenths[0], 2),
        "child-mib": [round(sample.child_mib, 1) for sample in seen.samples],
        "parent-mib": [round(sample.parent_mib, 1) for sample in seen.samples],
    }


def _per_frame(one: Sample, other: Sample) -> float:
    spent = other.child + other.parent - one.child - one.parent
    return spent / (other.announced - one.announced) * 1e6


# ---- system calls ------------------------------------------------------------------------------------------------


def system_calls(recording: Recording) -> dict[str, Any]:
    """Count the child's system calls per poll while it watches a recording.

    By ``strace -c`` where there is one that may trace; else from /proc, reads only. A poll is what ends in one of the
    child's ``ppoll`` or ``poll`` calls, its wait for the next.
    """
    with folders(recording) as (one, notes):
        prepare(one, notes)
        with Writers(one, notes) as writers:
            counter = _Counter(writers, notes / "strace.txt")
            uvloop.run(watch(one.master, one.frames, counter, TIMEOUTS))
            writers.join()
        return counter.result()


class _Counter(Quiet):
    """Counts from the first announced frame to the last tick at which a writer still writes."""

    def __init__(self, writers: Writers, report: Path) -> None:
        super().__init__(writers.start)
        self._writers, self._report = writers, report
        self._strace: subprocess.Popen[bytes] | None = None
        self._before: tuple[int, int] | None = None
        self._after: tuple[int, int] | None = None

    def tick(self, announced: int, child: int | None) -> None:
        """Begin with the first frame; end with the writers."""
        if child is None or not announced:
            return
        if self._before is None:
            self._before = reads_and_waits(child)
            if shutil.which("strace"):
                command = ["strace", "-c", "-f", "-qq", "-o", str(self._report), "-p", str(child)]
                self._strace = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        elif not self._writers.finished:
            self._after = reads_and_waits(child)

    def result(self) -> dict[str, Any]:
        """Calls per poll, by name."""
        if self._strace is not None:
            try:
                self._strace.wait(DETACH)  # its tracee has ended: it writes its table
            except subprocess.TimeoutExpired:
                self._strace.kill()
                self._strace.wait()
            calls = _table(self._report)
            polls = calls.pop("poll", 0) + calls.pop("ppoll", 0)
            if polls:
                often = {name: round(n / polls, 2) for name, n in calls.items() if n >= polls / 100}
                return {"by": "strace", "polls": polls, "per-poll": round(sum(calls.values()) / polls + 1, 2)} | often
        if self._before is None or self._after is None:
            return {"by": "nothing", "per-poll": math.nan}
        reads, polls = (b - a for a, b in zip(self._before, self._after, strict=True))
        return {"by": "/proc, reads only", "polls": polls, "per-poll": round(reads / max(1, polls), 2)}


def _table(report: Path) -> dict[str, int]:
    """Calls by name: strace's summary has columns % time, seconds, usecs/call, calls, (errors,) syscall."""
    calls = {}
    for line in report.read_text().splitlines() if report.exists() else []:
        words = line.split()
        if len(words) >= 5 and words[3].isdigit() and words[-1] != "total":
            calls[words[-1]] = int(words[3])
    return calls
