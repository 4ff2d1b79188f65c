"""Ten collections of 1 to 100 data files at once, watched by one process that has one budget for all."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
import uvloop
from cost import TIMEOUTS, folders
from crew import Writers, prepare
from figures import spread
from odin_writer import Notes, Recording
from watching import Quiet, Watched, watch

from filewatcher.edges.swmr import Budget

if TYPE_CHECKING:
    from pathlib import Path

FILES = (1, 2, 3, 5, 8, 13, 21, 34, 55, 100)
"""Data files of each collection."""
PER_FILE = 10
"""Frames."""


class _Start:
    """Starts all writers once all collections are armed: to start some would hold up those that are watched already."""

    def __init__(self) -> None:
        self.writers: list[Writers] = []
        self._armed = 0

    def armed(self) -> None:
        """One more is."""
        self._armed += 1
        if self._armed == len(self.writers):
            for writers in self.writers:
                writers.start()


def together(folder: Path, seconds: float) -> dict[str, Any]:
    """Record all for so many seconds; returns the figures."""
    budget, start = Budget(), _Start()
    with ExitStack() as stack:
        recordings, notes = [], []
        for files in FILES:
            frames = files * PER_FILE
            asked = Recording(folder, frames, frames / seconds, per_file=PER_FILE)
            one, beside = stack.enter_context(folders(asked))
            prepare(one, beside)
            start.writers.append(stack.enter_context(Writers(one, beside)))
            recordings.append(one)
            notes.append(beside)

        async def all_of_them() -> list[Watched]:
            watched = [watch(one.master, one.frames, Quiet(start.armed), TIMEOUTS, budget=budget) for one in recordings]
            return await asyncio.gather(*watched)

        seen = uvloop.run(all_of_them())
        for writers in start.writers:
            writers.join()
        late = []
        for watched, beside in zip(seen, notes, strict=True):
            visible = Notes(beside).visible
            both = (visible > 0) & np.isfinite(watched.announced_at)
            late.append(np.maximum(watched.announced_at[both] - visible[both], 0.0))
    return {
        "collections": len(FILES),
        "files": sum(FILES),
        "frames": sum(FILES) * PER_FILE,
        "announced": sum(one.announced for one in seen),
        "announced-twice": sum(len(one.again) for one in seen),
        "latency-ms": spread(np.concatenate(late), 1e3),
        "share-of-core": round(sum(one.effort.share for one in seen), 4),
        "share-limit": budget.share,
        "looks": sum(one.effort.looks for one in seen),
        "longest-gap-ms": round(1e3 * max(one.effort.longest_gap for one in seen), 1),
    }
