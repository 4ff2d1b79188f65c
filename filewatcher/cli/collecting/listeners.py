"""What is told while a collection runs: JSON lines for programs, words for a person at a terminal."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from filewatcher.core.answers import answer_line
from filewatcher.core.lines import frame_line
from filewatcher.errors import Broken, Interrupted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.status import Status

    from filewatcher.core.answers import Answer
    from filewatcher.core.lines import Json
    from filewatcher.core.messages import Outcome
    from filewatcher.core.observations import Described
    from filewatcher.core.run import Run
    from filewatcher.ports import Listener, Progress

REDRAW = 0.1
"""Seconds between two pictures of the progress."""


class Listeners:
    """Tells several."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    def described(self, described: Sequence[Described], run: Run, recorded: int) -> None:
        """The master is there."""
        for listener in self._listeners:
            listener.described(described, run, recorded)

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Frames have ended."""
        for listener in self._listeners:
            listener.outcomes(outcomes)

    def centred(self, answer: Answer) -> None:
        """Where the crystal is."""
        for listener in self._listeners:
            listener.centred(answer)

    def trouble(self, sentence: str) -> None:
        """A file cannot be read."""
        for listener in self._listeners:
            listener.trouble(sentence)

    def progress(self, progress: Progress) -> None:
        """Where the collection stands."""
        for listener in self._listeners:
            listener.progress(progress)


class JsonLines:
    """One JSON line per frame that has ended, at once."""

    def __init__(self, engine: str) -> None:
        self._engine = engine

    def described(self, described: Sequence[Described], run: Run, recorded: int) -> None:
        """Nothing: there is a line when a frame has ended."""

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Write their lines."""
        self.write(*(frame_line(outcome, self._engine) for outcome in outcomes))

    @staticmethod
    def write(*lines: Mapping[str, Json]) -> None:
        """Write lines, and let the reader have them now."""
        try:
            sys.stdout.writelines(json.dumps(line) + "\n" for line in lines)
            sys.stdout.flush()
        except BrokenPipeError:
            # the interpreter must not complain about it once more when it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise Interrupted("whoever read the lines has gone away; the same command resumes") from None
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise Broken(f"standard output cannot be written: {error.strerror}; the same command resumes") from error

    def centred(self, answer: Answer) -> None:
        """Write its line."""
        self.write(answer_line(answer))

    def trouble(self, sentence: str) -> None:
        """Nothing: the lines of its frames will say it, if it stays."""

    def progress(self, progress: Progress) -> None:
        """Nothing."""


class Words:
    """What a person sees on standard error: moving on a terminal only; nothing at all if `quiet`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(stderr=True, quiet=quiet, highlight=False)
        self._status: Status | None = None
        self._drawn = 0.0

    def start(self, sentence: str) -> None:
        """Begin to show where things stand."""
        if self.console.is_terminal:
            self._status = self.console.status(sentence)
            self._status.start()
        else:
            self.say(sentence)

    def say(self, sentence: str) -> None:
        """Print a sentence that stays."""
        self.console.print(sentence, markup=False, soft_wrap=True)

    def described(self, described: Sequence[Described], run: Run, recorded: int) -> None:
        """Say what will be analysed."""
        for scan in described:
            files = len(np.unique(scan.frame_map.file[scan.frame_map.file >= 0])) or len(scan.frame_map.files)
            where = f"{files} data file{'s' * (files != 1)}"
            count = "an unknown number of" if scan.frame_map.open_ended else len(scan.frame_map)
            self.say(f"{PurePath(scan.master.path).name}: {count} frames in {where}, engine {run.engine}")
        if recorded:
            self.say(f"{recorded} of them are on record from an earlier start of this run")

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Nothing: the numbers of `progress` say it."""

    def centred(self, answer: Answer) -> None:
        """Nothing: the last one is said in the end."""

    def trouble(self, sentence: str) -> None:
        """Say what is in the way."""
        self.say(f"warning: {sentence}")

    def progress(self, progress: Progress) -> None:
        """Show the counts."""
        now = time.monotonic()
        if self._status is not None and now - self._drawn >= REDRAW and progress.expected:
            self._drawn = now
            self._status.update(
                f"{progress.written} of {progress.expected} written, {progress.done} analysed, "
                f"behind by {progress.behind}, {progress.failed} failed, {progress.missing} missing"
            )

    def stop(self) -> None:
        """Take the moving line away."""
        if self._status is not None:
            self._status.stop()
            self._status = None


class Stopwatch:
    """When things happened, in seconds since the start; the source of a report's ``times``."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self.times: dict[str, float] = {}
        self._written = 0

    def described(self, described: Sequence[Described], run: Run, recorded: int) -> None:  # noqa: ARG002  as the Protocol
        """Note when the master was there."""
        self._note("described_s")

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Note the first and the last result."""
        if outcomes:
            self.times.setdefault("first_result_s", self._seconds())
            self._note("last_result_s")

    def centred(self, answer: Answer) -> None:
        """Note when the first answer and the final ones were given."""
        self.times.setdefault("first_centring_s", self._seconds())
        if answer.final:
            self._note("centring_s")

    def trouble(self, sentence: str) -> None:
        """Nothing."""

    def progress(self, progress: Progress) -> None:
        """Note when the first and the last frame were seen."""
        if progress.written > self._written:
            self._written = progress.written
            self.times.setdefault("first_frame_s", self._seconds())
            self._note("last_frame_s")

    def _seconds(self) -> float:
        return round(time.monotonic() - self._start, 3)

    def _note(self, what: str) -> None:
        self.times[what] = self._seconds()
