"""What a check finds: one line, in words that say what to do where it is not ok."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from filewatcher.profiles import Loaded


class State(StrEnum):
    """How good it is."""

    OK = "ok"
    NOTE = "note"
    """Works, but with less, or slower."""
    WRONG = "wrong"
    UNREACHABLE = "unreachable"
    """The cluster, or its workers."""
    SKIPPED = "skipped"
    """Could not be tried, for something before it is wrong."""

    @property
    def exit_code(self) -> int:
        """The exit code of a command that found nothing worse."""
        return {State.WRONG: 1, State.UNREACHABLE: 4}.get(self, 0)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line."""

    subject: str
    """What was looked at, in a word."""
    state: State
    words: str
    """What was found, and what to do about it."""

    @property
    def good(self) -> bool:
        """Whatever builds on it can be tried."""
        return self.state in {State.OK, State.NOTE}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the doctor was called for."""

    output: Path
    """Where results are to go."""
    data: tuple[Path, ...]
    """Masters, or folders of raw data, that are to be read."""
    patience: float
    """Seconds to wait for a worker."""
    profile: Callable[[], Loaded]
    """Loads the profile. Raises `Refused`."""
    so_far: list[Finding]
    """What earlier checks found."""

    def all_good(self, *subjects: str) -> bool:
        """Whether all that was found about these is good."""
        return all(one.good for one in self.so_far if one.subject in subjects)


Check: TypeAlias = Callable[[Asked], Iterator[Finding]]


def ok(subject: str, words: str) -> Finding:
    """Make a finding that needs nothing to be done."""
    return Finding(subject, State.OK, words)


def note(subject: str, words: str) -> Finding:
    """Make a finding of something that may be better."""
    return Finding(subject, State.NOTE, words)


def wrong(subject: str, words: str) -> Finding:
    """Make a finding that has to be put right."""
    return Finding(subject, State.WRONG, words)


def unreachable(subject: str, words: str) -> Finding:
    """Make a finding of a cluster that is not there."""
    return Finding(subject, State.UNREACHABLE, words)


def skipped(subject: str, words: str) -> Finding:
    """Make a finding of nothing."""
    return Finding(subject, State.SKIPPED, words)
