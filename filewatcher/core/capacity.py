"""Frames seen and answered, and the workers' seconds in; cores needed, and by how long we are behind, out."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

WINDOW = 5.0
"""Seconds over which the rate of arrival is measured."""
CATCH_UP = 30.0
"""Seconds in which what has piled up is to be worked off, beside what comes."""
HEADROOM = 1.1
"""Cores needed per core busy: nobody is fed without a gap."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What it would take to keep up."""

    rate: float
    """Frames/s that come."""
    seconds_per_frame: float
    """Of one core."""
    cores_needed: int
    """To keep up with the rate, and to work off what has piled up."""
    cores: int
    """Workers that take frames now."""
    behind: float
    """Seconds that what has piled up takes with these cores; infinite without any."""

    def __str__(self) -> str:
        """Say it in a line.

        >>> print(Demand(281.0, 0.02, 7, 4, 12.3))
        281 frames/s of 20 ms: 7 cores needed, 4 here, behind by 12 s
        """
        behind = "" if self.behind < 1 else f", behind by {self.behind:.0f} s" if self.cores else ", none of them yet"
        what = f"{self.rate:.3g} frames/s of {1000 * self.seconds_per_frame:.3g} ms"
        plural = "s" * (self.cores_needed != 1)
        return f"{what}: {self.cores_needed} core{plural} needed, {self.cores} here{behind}"


class Capacity:
    """Measures the rate at which frames come and what each of them costs."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()
        self._seconds_per_frame: float | None = None

    def measured(self, frames: int, seconds: float) -> None:
        """Learn what frames have cost so far, in all."""
        if frames:
            self._seconds_per_frame = seconds / frames

    def demand(self, seen: int, answered: int, cores: int, now: float) -> Demand | None:
        """Return what is needed now; None until a frame has been answered.

        `seen`: frames on disk so far; `answered`: those of them that are through; `cores`: workers that take frames.
        """
        self._seen.append((now, seen))
        while len(self._seen) > 2 and now - self._seen[1][0] >= WINDOW:
            self._seen.popleft()
        cost = self._seconds_per_frame
        if cost is None:
            return None
        (since, before), waiting = self._seen[0], max(0, seen - answered)
        rate = (seen - before) / max(now - since, 1.0)
        busy = rate * cost + waiting * cost / CATCH_UP
        behind = waiting * cost / cores if cores else math.inf * waiting if waiting else 0.0
        return Demand(rate, cost, math.ceil(HEADROOM * busy), cores, behind)
