"""A part of a test or bench in a process of its own, which takes orders and answers through a pipe."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

PATIENCE = 60.0
"""Seconds for an answer."""


class Apart:
    """Runs `part`, which gets its end of the pipe and `words`; a context manager that leaves nothing behind."""

    def __init__(self, part: Callable[..., None], *words: object) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=part, args=(theirs, *words), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._process.close()
        self.pipe.close()

    def kill(self) -> None:
        """As kill -9: it ends nothing in good order."""
        self._process.kill()
        self._process.join()

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process.pid is not None
        return self._process.pid

    def answer(self) -> Any:
        """Wait for what it says next. Raises `RuntimeError` when it has died or says nothing."""
        try:
            if self.pipe.poll(PATIENCE):
                return self.pipe.recv()
        except EOFError:
            pass
        raise RuntimeError(f"{type(self).__name__} does not answer; its last words are above")
