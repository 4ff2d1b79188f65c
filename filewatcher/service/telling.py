"""Between the loop of one collection and all that follow every collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filewatcher.core.cells import CellLog
from filewatcher.core.messages import FrameMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from filewatcher.core.answers import Answer
    from filewatcher.core.messages import Outcome
    from filewatcher.core.observations import Described
    from filewatcher.core.run import Run
    from filewatcher.ports import Follower, Progress
    from filewatcher.service.entry import Entry

WARNINGS = 100
"""Sentences that are kept of one collection."""


class Telling:
    """A loop's listener: what is heard goes into the entry, and to the followers."""

    def __init__(
        self, entry: Entry, followers: Sequence[Follower], clock: Callable[[], float], keep: Callable[[], object]
    ) -> None:
        self._entry, self._followers, self._clock, self._keep = entry, followers, clock, keep
        self._seen: Progress | None = None

    def described(self, described: Sequence[Described], run: Run, recorded: int) -> None:  # noqa: ARG002  the Protocol's
        """The masters are there, and journal and grids are known."""
        entry = self._entry
        assert entry.work is not None
        assert entry.work.opened is not None
        entry.state, entry.key = "running", entry.work.opened.journal.key
        entry.engine, entry.parameters = run.engine, run.parameters
        entry.described(described, entry.work.opened.grids, CellLog)
        self._keep()
        for follower in self._followers:
            follower.described(entry.id, described, run)
        entry.bell.ring()

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Frames have ended."""
        if not outcomes:
            return
        now, scans = self._clock(), self._entry.scans
        for number in {outcome.scan for outcome in outcomes} if len(scans) > 1 else (0,):
            scans[number].log.record([outcome for outcome in outcomes if outcome.scan == number])
        for number in {outcome.scan for outcome in outcomes if not isinstance(outcome, FrameMissing)}:
            scans[number].last = now
        for follower in self._followers:
            follower.outcomes(self._entry.id, outcomes)
        self._entry.bell.ring()

    def centred(self, answer: Answer) -> None:
        """Where the crystal is."""
        self._entry.centred(answer)
        for follower in self._followers:
            follower.centred(self._entry.id, answer)
        self._entry.bell.ring()

    def trouble(self, sentence: str) -> None:
        """Something is in the way."""
        if sentence not in self._entry.warnings and len(self._entry.warnings) < WARNINGS:
            self._entry.warnings.append(sentence)
            self._entry.bell.ring()

    def progress(self, progress: Progress) -> None:
        """Where it stands; viewers read the numbers themselves, when they are woken."""
        if progress != self._seen:
            self._seen = progress
            self._entry.bell.ring()
