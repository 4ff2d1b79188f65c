"""The processes around a recording: its writers, and a reader written the usual way; started and ended by the bench."""

from __future__ import annotations

import multiprocessing
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import naive_reader
import odin_writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from pathlib import Path
    from types import TracebackType

    from odin_writer import Recording

SPAWN = multiprocessing.get_context("spawn")
LEAD = 0.1
"""Seconds between the word to start and the first frame."""
PATIENCE = 60.0
"""Seconds that a process may take to import HDF5 and say that it is ready."""
STUCK = 5.0
"""Seconds after which a reader that does not stop is taken to hang in libhdf5."""


def prepare(recording: Recording, notes: Path) -> None:
    """Write the master and empty notes, in a process of its own: the bench itself stays free of HDF5."""
    # whoever has locks switched off in their shell would measure another writer than the detector's
    os.environ.pop("HDF5_USE_FILE_LOCKING", None)
    odin_writer.Notes(notes, recording)
    process = SPAWN.Process(target=odin_writer.write_master, args=(recording,))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{recording.master} could not be written; the last words of the writer are above")


class Writers:
    """The writers of one recording; a context manager that leaves none behind."""

    def __init__(self, recording: Recording, notes: Path) -> None:
        self.failures: list[str] = []
        """Why files could not be created, in HDF5's words, once `finished`."""
        self.started = 0.0
        self._processes: list[Any] = []
        self._pipes: list[Connection] = []
        for number in range(recording.writers):
            _add(self._processes, self._pipes, odin_writer.write, recording, number, notes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    @property
    def pids(self) -> list[int]:
        """Of all that run."""
        return [process.pid for process in self._processes if process.is_alive()]

    @property
    def finished(self) -> bool:
        """All have closed their files, or have died."""
        return not self.pids

    def start(self) -> None:
        """Wait until each has its first file, then give all the same start."""
        for pipe in self._pipes:
            _expect(pipe, "ready")
        self.started = time.monotonic() + LEAD
        for pipe in self._pipes:
            pipe.send(self.started)

    def join(self) -> None:
        """Wait until all have ended; takes note of their failures."""
        for process, pipe in zip(self._processes, self._pipes, strict=True):
            with suppress(EOFError, ConnectionResetError):  # killed
                self.failures += pipe.recv()
            process.join()

    def kill(self) -> None:
        """As by kill -9."""
        for process in self._processes:
            process.kill()

    def end(self) -> None:
        """Leave no process and no pipe behind, whatever they were doing."""
        self.kill()
        _clear(self._processes, self._pipes)


class UsualReader:
    """One `naive_reader` over some files; a context manager that leaves none behind."""

    def __init__(self, recording: Recording) -> None:
        self.frames: int | None = None
        """Read, once it has ended; None = it hangs, and had to be killed."""
        self._processes: list[Any] = []
        self._pipes: list[Connection] = []
        paths = [str(recording.data_file(block)) for block in range(recording.blocks)]
        _add(self._processes, self._pipes, naive_reader.read, paths)
        _expect(self._pipes[0], "ready")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._pipes[0].send("stop")
            if self._pipes[0].poll(STUCK):
                self.frames = self._pipes[0].recv()
        except (BrokenPipeError, EOFError, ConnectionResetError):
            self.frames = None
        for process in self._processes:
            process.kill()
        _clear(self._processes, self._pipes)


def _add(processes: list[Any], pipes: list[Connection], target: Callable[..., None], *arguments: object) -> None:
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=target, args=(*arguments, theirs), daemon=True)
    process.start()
    theirs.close()
    processes.append(process)
    pipes.append(ours)


def _expect(pipe: Connection, word: str) -> None:
    if not pipe.poll(PATIENCE) or pipe.recv() != word:
        raise RuntimeError("a process of the bench did not start; its last words are above")


def _clear(processes: list[Any], pipes: list[Connection]) -> None:
    for process, pipe in zip(processes, pipes, strict=True):
        process.join()
        process.close()
        pipe.close()
    processes.clear()
    pipes.clear()
