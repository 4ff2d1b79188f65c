"""What watching may cost, and what it has cost: the share of a core that one process grants its collections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SHARE = 0.2
"""Of one core, for the readers of all collections of a process together."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What one collection has cost its reader, from the first look at its data files on."""

    cpu: float = 0.0
    """Seconds of one core."""
    seconds: float = 0.0
    """Of the clock, meanwhile."""
    looks: int = 0
    """How often the data files were asked."""
    longest_gap: float = 0.0
    """Seconds between two looks while frames came, at most."""
    slow_files: int = 0
    """Files whose chunk index libhdf5 has to read."""

    @property
    def share(self) -> float:
        """Of a core, on average."""
        return self.cpu / self.seconds if self.seconds else 0.0

    def __add__(self, other: Effort) -> Effort:
        """One reader after the other."""
        return Effort(
            self.cpu + other.cpu,
            self.seconds + other.seconds,
            self.looks + other.looks,
            max(self.longest_gap, other.longest_gap),
            max(self.slow_files, other.slow_files),
        )


class Budget:
    """Divides a share of one core equally among the collections that are being watched.

    Their readers look less often rather than take more. Not for threads: used from one event loop.
    """

    def __init__(self, share: float = SHARE) -> None:
        self.share = share
        self._members: list[Callable[[float], None]] = []

    def join(self, tell: Callable[[float], None]) -> None:
        """Take part; `tell` is called with the share of this member, now and whenever it changes."""
        self._members.append(tell)
        self._divide()

    def leave(self, tell: Callable[[float], None]) -> None:
        """Leave the others what one had."""
        if tell in self._members:
            self._members.remove(tell)
            self._divide()

    def _divide(self) -> None:
        for tell in self._members:
            tell(self.share / len(self._members))
