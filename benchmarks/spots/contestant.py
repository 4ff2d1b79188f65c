"""A process that analyses frames when it is asked to, pinned to a core: a question and an answer are a line of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType


class Ended(Exception):
    """A contestant is no more; it has said why on the standard error."""


class Contestant:
    """One end of the line: starts a script beside this one, asks it, ends it."""

    def __init__(self, script: str, core: int, environment: Mapping[str, str] | None = None) -> None:
        self._script = script
        path = Path(__file__).with_name(script)
        self._process = subprocess.Popen(
            [sys.executable, str(path), str(core)],
            env=os.environ | dict(environment or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, what: str, argument: object) -> None:
        """Call the method of this name there, with one argument."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # `answer` says so
            self._process.stdin.write(json.dumps({"do": what, "with": argument}) + "\n")
            self._process.stdin.flush()

    def answer(self) -> Any:
        """Wait for what it returns; for ``analyse`` with the milliseconds that it took."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Ended(f"{self._script} has ended with exit code {self._process.wait()}; what it said is above")
        return json.loads(line)

    def call(self, what: str, argument: object) -> Any:
        """Ask and wait."""
        self.ask(what, argument)
        return self.answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def serve(contestant: object) -> None:
    """Be the other end, until there are no more questions."""
    os.sched_setaffinity(0, {int(sys.argv[1])})
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what an engine prints is no answer
    for line in sys.stdin:
        question = json.loads(line)
        start = time.perf_counter()
        value = getattr(contestant, question["do"])(question["with"])
        if question["do"] == "analyse":
            value = {"ms": (time.perf_counter() - start) * 1e3, "record": value}
        out.write(json.dumps(value) + "\n")
        out.flush()
