"""One writer of a simulated detector: its files, opened and closed as Odin does, on the common clock."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from filewatcher.testing.detector.datafile import DataFile, open_data_file
from filewatcher.testing.detector.plan import Step, data_files, schedule
from filewatcher.testing.detector.pool import damaged, load_pool
from filewatcher.testing.detector.report import Progress
from filewatcher.testing.detector.sample import images

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from filewatcher.testing.detector.settings import Simulation

_REPORT_EVERY = 0.1  # seconds


class _Files:
    """The files of one writer.

    The first is there from the start, every other from its first frame on; the one before stays open until the one
    after is created (odin-data, ``Acquisition``). A file passed over because all its frames were lost is made, empty.
    DECTRIS's are closed, and so appear, as soon as their last frame is in.
    """

    def __init__(self, sim: Simulation, writer: int, steps: list[Step]) -> None:
        self._sim = sim
        self._all = data_files(sim)
        self._mine = [
            index
            for index, file in enumerate(self._all)
            if file.writer == writer and file.number not in sim.faults.no_file
        ]
        self._left = Counter(step.file for step in steps)
        self._open: dict[int, DataFile] = {}
        self._next = 0
        if self._mine and self._mine[0] == writer:
            self._create_up_to(self._mine[0])

    def put(self, step: Step, chunks: tuple[bytes, ...]) -> None:
        """Store a frame."""
        if step.file not in self._open:
            self._create_up_to(step.file)
        self._open[step.file].put(step.row, chunks)
        self._left[step.file] -= 1
        held = self._sim.faults.hold and step.file == self._mine[-1]
        if self._sim.layout.startswith("dectris") and not self._left[step.file] and not held:
            self._open.pop(step.file).close()

    def close(self) -> None:
        """Close every file."""
        while self._open:
            self._open.popitem()[1].close()

    def _create_up_to(self, index: int) -> None:
        while self._next < len(self._mine) and self._mine[self._next] <= index:
            new = self._mine[self._next]
            self._open[new] = open_data_file(self._sim, self._all[new])
            for old in self._mine[: max(0, self._next - 1)]:
                if old in self._open and not self._left[old]:
                    self._open.pop(old).close()
            self._next += 1


def write_frames(sim: Simulation, writer: int, pipe: Connection) -> None:
    """Write what this writer has to write; ends early when the pipe says so or its other end is gone.

    Says `Progress(0)` when it is ready, takes the start time (monotonic clock, seconds; None = do not start) from the
    pipe, then says how far it is; anything more from the pipe means: stop.
    """
    steps = schedule(sim, writer)
    pool = load_pool(sim).chunks
    shown = images(sim)
    files = _Files(sim, writer, steps)
    notes = None if sim.notes is None else np.memmap(sim.notes, np.float64, "r+", shape=(sim.n_frames,))
    try:
        pipe.send(Progress(0))
        start = pipe.recv()
        if start is None:
            return
        progress = Progress(0)
        told = start
        for step in steps:
            if _stopped(pipe, start + step.due):
                break
            if step.frame == sim.faults.kill:
                os.kill(os.getpid(), signal.SIGKILL)
            chunk = pool[shown[step.frame]]
            if step.frame in sim.faults.corrupt:
                chunk = damaged(chunk)
            files.put(step, (chunk,) + (pool[0],) * (sim.channels - 1))
            now = time.monotonic()
            if notes is not None:
                notes[step.frame] = now
            lag = max(progress.lag, now - start - step.due)
            progress = Progress(progress.frames + 1, progress.first or now, now, lag)
            if now - told > _REPORT_EVERY:
                pipe.send(progress)
                told = now
        pipe.send(Progress(progress.frames, progress.first, progress.last, progress.lag, finished=True))
        if sim.faults.hold:
            pipe.poll(None)
    except (EOFError, BrokenPipeError):
        return  # whoever started the simulation is gone: close the files and end
    finally:
        files.close()


def _stopped(pipe: Connection, until: float) -> bool:
    """Wait until a time of the monotonic clock; True if told to stop before."""
    wait = until - time.monotonic()
    return pipe.poll(max(0.0, wait))
