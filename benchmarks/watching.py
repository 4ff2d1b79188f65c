"""The watcher as the product runs it, in the bench's own process: `SwmrObserver` and `ScanWatch`, nothing between.

What a worker would do (pread at once, compare) is done here where it is asked for.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from array import array
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from figures import cpu_seconds, resident_mib

from filewatcher.core.messages import FrameMissing, FrameReady
from filewatcher.core.observations import DetectorRead
from filewatcher.core.scanwatch import ScanWatch
from filewatcher.edges.swmr import Budget, Effort, SwmrObserver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from filewatcher.core.messages import Event, ScanEnded
    from filewatcher.core.observations import Observation
    from filewatcher.core.scanwatch import TimeOuts

TICK = 0.25
"""Seconds after which the time itself is news: it decides about time-outs of seconds."""
FILES_OPEN = 16
"""Descriptors that `Bytes` keeps."""


class Listener(Protocol):
    """Who wants to be told while it runs."""

    def armed(self) -> None:
        """The master is understood, the geometry read: called once, the detector may start."""

    def ready(self, events: list[Event]) -> None:
        """These frames have just been announced; other events may be among them."""

    def tick(self, announced: int, child: int | None) -> None:
        """About every tick and after all news: so many frames have been announced; process id of the child."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Where it stood at one moment."""

    announced: int
    child: float
    """CPU seconds of the child so far."""
    parent: float
    """CPU seconds of this process so far."""
    child_mib: float
    parent_mib: float


@dataclass
class Watched:
    """What was seen of one collection."""

    times: array[float]
    """CLOCK_MONOTONIC, seconds, when each frame was announced; NaN = never. One per frame."""
    announced: int = 0
    """Frames announced."""
    again: Counter[int] = field(default_factory=Counter)
    """Frame -> how often it was announced, or called missing, after the first time."""
    missing: dict[int, str] = field(default_factory=dict)
    ended: ScanEnded | None = None
    ended_at: float = 0.0
    samples: list[Sample] = field(default_factory=list)
    """At the first frame, then after each tenth of all."""
    children: set[int] = field(default_factory=set)
    """Process ids: more than one = it had to be restarted."""
    effort: Effort = field(default_factory=Effort)
    fresh: list[tuple[float, list[Event]]] = field(default_factory=list)
    """When, and what: not looked at yet, for little is done between the watcher's own work."""

    @property
    def announced_at(self) -> NDArray[np.float64]:
        """The same times, shape (frames,)."""
        return np.frombuffer(self.times, np.float64)


async def watch(
    master: Path,
    frames: int,
    listener: Listener,
    timeouts: TimeOuts,
    *,
    channel: str | None = None,
    budget: Budget | None = None,
    tick: float = TICK,
) -> Watched:
    """Watch a collection of so many frames to its end. Raises what the product raises."""
    scan = ScanWatch(timeouts=timeouts, now=time.monotonic())
    seen = Watched(array("d", [math.nan]) * frames)
    async with SwmrObserver(master, channel=channel, seen=scan.rows_seen, budget=budget) as observer:

        def tell(news: list[Observation]) -> None:
            for item in news:
                _take(seen, scan, item, listener)
                if isinstance(item, DetectorRead) and len(seen.children | {observer.pid}) == 1:
                    listener.armed()

        news = asyncio.create_task(observer.report(tell))
        try:
            while scan.ended is None:
                await asyncio.wait({news}, timeout=tick)
                if news.done():
                    news.result()
                _take(seen, scan, None, listener)
                _note(seen)
                if observer.pid is not None:
                    seen.children.add(observer.pid)
                    _sample(seen, observer.pid)
                listener.tick(seen.announced, observer.pid)
        finally:
            news.cancel()
            await asyncio.gather(news, return_exceptions=True)
        seen.effort = observer.effort
    seen.ended, seen.ended_at = scan.ended, time.monotonic()
    return seen


def _take(seen: Watched, scan: ScanWatch, item: Observation | None, listener: Listener) -> None:
    events = scan.observe(item, time.monotonic())
    if events:
        seen.fresh.append((time.monotonic(), events))
        listener.ready(events)


def _note(seen: Watched) -> None:
    """Look at what is fresh."""
    for now, event in ((now, event) for now, events in seen.fresh for event in events):
        if isinstance(event, FrameReady):
            if math.isnan(seen.times[event.frame]):
                seen.times[event.frame] = now
                seen.announced += 1
            else:
                seen.again[event.frame] += 1
        elif isinstance(event, FrameMissing):
            if event.frame in seen.missing:
                seen.again[event.frame] += 1
            seen.missing[event.frame] = event.reason
    seen.fresh.clear()


def _sample(seen: Watched, pid: int) -> None:
    if seen.announced and seen.announced * 10 >= len(seen.samples) * len(seen.times):
        cpu = cpu_seconds(pid), time.process_time()
        seen.samples.append(Sample(seen.announced, *cpu, resident_mib(pid), resident_mib()))


class Bytes:
    """Reads frames as workers do, each by one pread; keeps a few files open."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}

    def read(self, frame: FrameReady) -> bytes:
        """The stored bytes of a frame; shorter where the file is, none where it has been removed."""
        handle = self._open.get(frame.path)
        if handle is None:
            while len(self._open) >= FILES_OPEN:
                os.close(self._open.pop(next(iter(self._open))))
            try:
                handle = os.open(frame.path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return b""
            self._open[frame.path] = handle
        return os.pread(handle, frame.size, frame.offset)

    def forget(self) -> None:
        """Let go of all files."""
        while self._open:
            os.close(self._open.popitem()[1])


@contextmanager
def reading() -> Iterator[Bytes]:
    """`Bytes` that leaves nothing open."""
    files = Bytes()
    try:
        yield files
    finally:
        files.forget()


class Quiet:
    """A listener that starts the detector, checks frames where it is given a check, and keeps what was wrong."""

    def __init__(self, start: Callable[[], None], check: Callable[[FrameReady], str] | None = None) -> None:
        self.wrong: list[str] = []
        self.checked = 0
        self._start, self._check = start, check

    def armed(self) -> None:
        """Start the detector."""
        self._start()

    def ready(self, events: list[Event]) -> None:
        """Check the bytes."""
        if self._check is None:
            return
        for frame in events:
            if not isinstance(frame, FrameReady):
                continue
            self.checked += 1
            if fault := self._check(frame):
                self.wrong.append(f"frame {frame.frame}, announced in {frame.path} at {frame.offset}: {fault}")

    def tick(self, announced: int, child: int | None) -> None:
        """Nothing to be done."""
