"""What servers of our own on this machine have in common: free ports, a wait until they answer, an end by their id."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

from filewatcher.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

LOOK = 0.05
"""Seconds between two looks whether a server answers."""


class PrivateServer(ABC):
    """Is there within a ``with``; what has begun is ended, also where not all of it comes up."""

    @abstractmethod
    def begin(self) -> None:
        """Start it; returns when it answers. Raises `Unreachable`."""

    @abstractmethod
    def close(self) -> None:
        """End all that was started and is still there."""

    def __enter__(self) -> Self:
        try:
            self.begin()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def start(
    command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a process that writes at the end of `log`, in a session of its own: a Ctrl-C is not for it."""
    with log.open("ab") as said:
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )


def until_answers(process: subprocess.Popen[bytes], answers: Callable[[], bool], seconds: float, what: str) -> None:
    """Look until a server answers. Raises `Unreachable`, with `what` to say, when it has died or does not in time."""
    end = time.monotonic() + seconds
    died = os.pidfd_open(process.pid)
    try:
        while not answers():
            if process.poll() is not None or time.monotonic() > end:
                raise Unreachable(what)
            select.select([died], [], [], LOOK)
    finally:
        os.close(died)


def end(process: subprocess.Popen[bytes] | None, seconds: float) -> None:
    """End a process, and kill it if that takes longer; harmless if it has ended, or never was."""
    if process is not None and process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now; asked for together, so that they differ."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
