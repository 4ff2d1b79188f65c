"""What real DIALS said of the frames that it analysed too, counted and listed for the summary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from filewatcher.core.lines import Json
    from filewatcher.core.messages import Disagreement

LISTED = 100
"""Disagreements that a summary names; all are counted."""


@dataclass(frozen=True, slots=True)
class Verification:
    """How a scan's frames compare with real DIALS."""

    every: int | None
    """Frames 0, N, 2N, ... were to be compared; None = only what an earlier start of the run has compared is known."""
    frames: int
    """That were compared."""
    disagreeing: int
    """Of these, with at least one number that differs."""
    listed: tuple[tuple[int, Disagreement], ...]
    """(logical frame, from 0; what differs), by frame; the first `LISTED`."""

    def line(self) -> dict[str, Json]:
        """Return this as the summary has it."""
        listed: list[Json] = [
            {"frame": frame, "file-number": frame + 1, "number": one.number, "ours": one.ours, "dials": one.dials}
            for frame, one in self.listed
        ]
        return {"every": self.every, "frames": self.frames, "disagreeing": self.disagreeing, "listed": listed}


def verification(every: int | None, verified: Mapping[int, tuple[Disagreement, ...]]) -> Verification | None:
    """Sum up, per frame that was compared, what differs; None if nothing was, and nothing was to be.

    >>> verification(None, {}) is None, verification(10, {0: (), 10: ()})
    (True, Verification(every=10, frames=2, disagreeing=0, listed=()))
    """
    if every is None and not verified:
        return None
    listed = [(frame, one) for frame in sorted(verified) for one in verified[frame]]
    return Verification(every, len(verified), sum(map(bool, verified.values())), tuple(listed[:LISTED]))
