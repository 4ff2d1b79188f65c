"""One round of the soak: a collection written, disturbed and watched, and what must hold of it whatever happens."""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import uvloop
from crew import Writers, prepare
from odin_writer import Notes, wrong_with
from watching import Quiet, Watched, reading, watch

from filewatcher.core.scanwatch import TimeOuts
from filewatcher.testing.layouts import LAYOUTS

if TYPE_CHECKING:
    from pathlib import Path

    from soak_plans import Deed, Plan
    from watching import Bytes

    from filewatcher.core.messages import FrameReady

PROGRESS = 12.0
"""Seconds without a frame after which a scan is given up: longer than a silent child takes to be replaced (5 s), and a
stopped writer to go on."""
TIMEOUTS = TimeOuts(first=30.0, progress=PROGRESS, grace=0.5)
TICK = 0.02
"""Seconds: how soon after its frame a deed is done."""
LATE = 3.0
"""Seconds that an end may come after its time-out: one is promised; the rest is for a machine that is busy."""
MIXED = 2.0
"""Seconds after a re-collection in which what was announced before it may be read as the other collection's."""


class Violation(Exception):
    """Something that must always hold did not."""


class Disturber(Quiet):
    """Starts the writers, compares every frame at once, and does the deeds of a plan when they are due."""

    def __init__(self, plan: Plan, notes: Path, files: Bytes) -> None:
        super().__init__(self._start, self._compare)
        self.again_at: float | None = None
        """When another collection had been begun under the same names."""
        self.done: set[str] = set()
        self.recording = plan.recording
        self.writers = Writers(plan.recording, notes)
        self._notes, self._files = notes, files
        self._deeds = list(plan.deeds)
        self._go_on_at: float | None = None

    def end(self) -> None:
        """Leave no writer behind."""
        self.writers.end()

    def tick(self, announced: int, child: int | None) -> None:
        """Do what is due."""
        now = time.monotonic()
        if self._go_on_at is not None and now >= self._go_on_at:
            self._signal_writers(signal.SIGCONT)
            self._go_on_at = None
        if self._deeds and announced >= self._deeds[0].after and self._go_on_at is None:
            self._do(self._deeds.pop(0), child, now)

    def _do(self, deed: Deed, child: int | None, now: float) -> None:
        self.done.add(deed.what)
        if deed.what == "stop writers":
            self._signal_writers(signal.SIGSTOP)
            self._go_on_at = now + deed.seconds
        elif deed.what == "kill writers":
            self.writers.kill()
        elif deed.what.startswith("again"):
            self._again(new_files=deed.what.endswith("new files"))
        elif child is not None:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL if deed.what == "kill child" else signal.SIGSTOP)

    def _again(self, *, new_files: bool) -> None:
        """The writers are killed, and another collection of the same shape is written over the names of this one."""
        self.end()
        self._files.forget()
        if new_files:
            for path in self.recording.folder.iterdir():
                path.unlink()
        self.recording = replace(self.recording, run=self.recording.run + 1, dies_at=None)
        prepare(self.recording, self._notes)
        self.writers = Writers(self.recording, self._notes)
        self.writers.start()
        self.again_at = time.monotonic()  # not before: what was announced meanwhile has been waiting for us

    def _start(self) -> None:
        self.writers.start()

    def _signal_writers(self, number: signal.Signals) -> None:
        for pid in self.writers.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _compare(self, frame: FrameReady) -> str:
        fault = wrong_with(self._files.read(frame), self.recording.run, frame.frame)
        if fault and self.again_at is not None:
            self._files.forget()  # a file of this name was opened before it was written anew
            fault = wrong_with(self._files.read(frame), self.recording.run, frame.frame)
            if time.monotonic() - self.again_at < MIXED:
                return ""  # announced of the old collection a moment ago: no reader can find its bytes any more
        return fault


def play(plan: Plan, root: Path) -> str:
    """Play a round in a folder of its own; says how it went. Raises `Violation`."""
    return _play_layout(plan, root) if plan.layout is not None else _play_recording(plan, root)


def _play_recording(plan: Plan, root: Path) -> str:
    raw, notes = plan.recording.folder, root / "notes"
    for folder in (raw, notes):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    prepare(plan.recording, notes)
    with reading() as files:
        disturber = Disturber(plan, notes, files)
        try:
            seen = uvloop.run(watch(plan.recording.master, plan.recording.frames, disturber, TIMEOUTS, tick=TICK))
        finally:
            disturber.end()
    _must_hold(plan, seen, disturber)
    if disturber.again_at is None:
        _must_be_complete(plan, seen, Notes(notes), disturber)
    assert seen.ended is not None
    return (
        f"{seen.announced} announced, {len(seen.missing)} missing, {len(seen.children)} children: {seen.ended.reason}"
    )


def _must_hold(plan: Plan, seen: Watched, disturber: Disturber) -> None:
    """Of every round: each frame ends once, the counts add up, the bytes were right."""
    if seen.again:
        raise Violation(f"announced or called missing more than once: frames {sorted(seen.again)[:10]}")
    if disturber.wrong:
        raise Violation(f"{len(disturber.wrong)} frames with wrong bytes; {disturber.wrong[0]}")
    both = [frame for frame in seen.missing if np.isfinite(seen.announced_at[frame])]
    if both:
        raise Violation(f"announced and missing: frames {both[:10]}")
    ended = seen.ended
    total = seen.announced + len(seen.missing)
    if ended is None or not ended.expected == total == plan.recording.frames or ended.seen != seen.announced:
        raise Violation(
            f"{plan.recording.frames} frames, {seen.announced} announced and {len(seen.missing)} missing, but: {ended}"
        )


def _must_be_complete(plan: Plan, seen: Watched, notes: Notes, disturber: Disturber) -> None:
    """Of a round with one collection: all that was flushed was announced, nothing else, and the end came in time."""
    flushed = notes.visible > 0
    announced = np.isfinite(seen.announced_at)
    lost = np.flatnonzero(flushed & ~announced)
    if len(lost):
        first = int(lost[0])
        raise Violation(f"{len(lost)} frames on disk were not announced, e.g. {first}: {seen.missing.get(first)}")
    invented = [int(f) for f in np.flatnonzero(announced & ~flushed) if f in plan.recording.never]
    if invented:
        raise Violation(f"announced, but never written: frames {invented[:10]}")
    last = max(notes.visible.max(), np.nanmax(seen.announced_at, initial=0.0), disturber.writers.started)
    limit = PROGRESS if flushed.any() else TIMEOUTS.first
    if "stop child" in disturber.done:
        limit += TIMEOUTS.blind
    if seen.ended_at - last > limit + LATE:
        raise Violation(f"it ended {seen.ended_at - last:.1f} s after the last frame; the time-out is {limit:g} s")


def _play_layout(plan: Plan, root: Path) -> str:
    """A complete tiny collection, in a layout that another writer makes: every frame is found where it is."""
    assert plan.layout is not None
    folder = root / "layout"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    layout = LAYOUTS[plan.layout](folder)
    with reading() as files:

        def compare(frame: FrameReady) -> str:
            pixels = set(np.frombuffer(files.read(frame), "<u2").tolist())
            return "" if pixels == {frame.frame} else f"its pixels are {sorted(pixels)[:5]}"

        listener = Quiet(lambda: None, compare)
        seen = uvloop.run(watch(layout.master, layout.frames, listener, TIMEOUTS, channel=layout.channel))
    if listener.wrong:
        raise Violation(f"{plan.layout}: {listener.wrong[0]}")
    if seen.again or seen.missing or seen.announced != layout.frames:
        raise Violation(
            f"{plan.layout}: {seen.announced} of {layout.frames} frames announced, {dict(seen.again)} again"
        )
    return f"{seen.announced} announced"
