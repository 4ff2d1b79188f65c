"""Running a simulation: a process for each writer, one clock, one report.

HDF5 is only ever used in the processes started here: whoever calls stays free of it.
"""

from __future__ import annotations

import math
import signal
import time
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from filewatcher.errors import Broken, FilewatcherError
from filewatcher.reasons import in_words
from filewatcher.testing.detector.plan import master_path, schedule, writers
from filewatcher.testing.detector.report import Written

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess
    from pathlib import Path

    from filewatcher.testing.detector.report import Progress
    from filewatcher.testing.detector.settings import Simulation

_SPAWN = get_context("spawn")
_LEAD = 0.05  # seconds between the word "start" and the first frame
_LOOK = 0.1  # seconds between two looks at whether to stop


def write_master(sim: Simulation) -> Path:
    """Write the master, as the beamline does before the detector starts; return its path.

    Raises `Refused` if files of this name are there and may not be overwritten.
    """
    _in_child("prepare_master", sim)
    return master_path(sim)


def run(
    sim: Simulation,
    report: Callable[[int, float], None] | None = None,
    stop: threading.Event | None = None,
    ready: Callable[[], None] = lambda: None,
) -> Written:
    """Write all frames; returns when every file is closed.

    The master is written first unless `write_master` has done so. `report` is told, ten times a second, how many frames
    are written and how many seconds have gone since the start. `stop`, for callers in a thread, ends everything early
    with all files closed; so does Ctrl-C. Held files (`Faults.hold`) are closed by either. `ready` is called before
    the writers start, once nothing stands in their way.

    Raises `Refused` if files of this name are there and may not be overwritten, `Broken` if a writer fails.
    """
    _in_child("prepare_run", sim)
    ready()
    crew = _Crew(sim)
    try:
        crew.start()
        crew.watch(report, stop)
    except KeyboardInterrupt:
        if not crew.holding:
            raise
    finally:
        crew.end()
    if crew.error:
        raise crew.error
    return crew.written()


class _Crew:
    """The writers' processes, seen from the one that started them."""

    def __init__(self, sim: Simulation) -> None:
        self.error: FilewatcherError | None = None
        """The first that a writer ended with."""
        self._sim = sim
        self._started = 0.0
        self._progress: list[Progress | None] = [None] * writers(sim)
        self._killed: list[int] = []
        self._pipes: dict[Connection, int] = {}
        self._processes: list[SpawnProcess] = []
        for writer in range(writers(sim)):
            ours, theirs = _SPAWN.Pipe()
            process = _SPAWN.Process(target=_write, args=(sim, writer, theirs), name=f"writer {writer}")
            process.start()
            theirs.close()
            self._pipes[ours] = writer
            self._processes.append(process)

    @property
    def holding(self) -> bool:
        """Everything is written, and files are held open as ordered."""
        return self._sim.faults.hold and all(p is not None and p.finished for p in self._progress)

    def start(self) -> None:
        """Wait until every writer has its first file, then give all the same start."""
        for pipe in list(self._pipes):
            self._listen(pipe)
        self._started = time.monotonic() + _LEAD
        self._tell(None if self.error else self._started)

    def watch(self, report: Callable[[int, float], None] | None, stop: threading.Event | None) -> None:
        """Follow the writers until all have ended."""
        reported = 0.0
        while self._pipes and not self.error and not (stop and stop.is_set()):
            for pipe in wait(list(self._pipes), timeout=_LOOK):
                self._listen(pipe)  # type: ignore[arg-type]  # of the kinds of objects that `wait` takes, these are pipes
            now = time.monotonic()
            if report and (now - reported > _LOOK or not self._pipes):
                report(self._frames, max(0.0, now - self._started))
                reported = now

    def end(self) -> None:
        """Have every file closed and every process ended."""
        self._tell(None)
        for pipe in list(self._pipes):
            while pipe in self._pipes:
                self._listen(pipe)
        for process in self._processes:
            process.join()

    def written(self) -> Written:
        """Sum up."""
        said = [p for p in self._progress if p is not None and p.frames]
        seconds = max(p.last for p in said) - min(p.first for p in said) if said else 0.0
        rate = (self._frames - 1) / seconds if seconds > 0 else 0.0
        lag = 0.0 if math.isinf(self._sim.rate) else max((p.lag for p in said), default=0.0)
        return Written(self._frames, seconds, rate, lag, tuple(self._killed))

    @property
    def _frames(self) -> int:
        return sum(p.frames for p in self._progress if p is not None)

    def _tell(self, start: float | None) -> None:
        for pipe in self._pipes:
            with suppress(BrokenPipeError):  # has ended by itself: `_listen` finds out how
                pipe.send(start)

    def _listen(self, pipe: Connection) -> None:
        """Take one message of a writer, or the news of its end."""
        writer = self._pipes[pipe]
        try:
            said = pipe.recv()
        except (EOFError, ConnectionResetError):
            del self._pipes[pipe]
            process = self._processes[writer]
            process.join()
            if process.exitcode == -signal.SIGKILL and _is_to_die(self._sim, writer):
                self._killed.append(writer)
            elif process.exitcode:
                self.error = self.error or Broken(
                    f"{self._sim.directory}: {process.name} of the simulated detector ended with exit code "
                    f"{process.exitcode}; its last words are above"
                )
            return
        if isinstance(said, FilewatcherError):
            self.error = self.error or said
        else:
            self._progress[writer] = said


def _is_to_die(sim: Simulation, writer: int) -> bool:
    return any(step.frame == sim.faults.kill for step in schedule(sim, writer))


def _in_child(preparation: str, sim: Simulation) -> None:
    """Run one of the functions of `prepare` in a process of its own, for it needs HDF5; raises what it raises."""
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_prepare, args=(preparation, sim, theirs), name="preparation")
    process.start()
    theirs.close()
    try:
        said = ours.recv()
    except EOFError:
        raise Broken(
            f"{sim.directory}: the preparation of the simulated detector died; its last words are above"
        ) from None
    finally:
        process.join()
    if said is not None:
        raise said


# ---- in the children --------------------------------------------------------------------------------------------


def _prepare(preparation: str, sim: Simulation, pipe: Connection) -> None:
    from filewatcher.testing.detector import prepare  # noqa: PLC0415  brings HDF5 in, which the parent does not want

    try:
        getattr(prepare, preparation)(sim)
    except FilewatcherError as error:
        pipe.send(error)
    except OSError as error:
        pipe.send(Broken(f"{sim.directory}: cannot be written ({in_words(error)})"))
    else:
        pipe.send(None)


def _write(sim: Simulation, writer: int, pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then says stop
    from filewatcher.testing.detector.writer import write_frames  # noqa: PLC0415  brings HDF5 in

    try:
        write_frames(sim, writer, pipe)
    except FilewatcherError as error:
        pipe.send(error)
    except OSError as error:
        pipe.send(Broken(f"{sim.directory}: writer {writer} cannot write ({in_words(error)})"))
