"""One step of a recipe, and how far it has been told what its collection's journal says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from filewatcher.core.recipe_outputs import Outputs, Tally, needs_total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from filewatcher.core.messages import Recorded
    from filewatcher.core.recipes import Outgoing
    from filewatcher.core.requests import Request

TOGETHER = 200
"""Images of one transaction, at most."""


class Reader(Protocol):
    """A journal, from any process."""

    def after(self, sequence: int, limit: int, /) -> Sequence[tuple[int, Recorded]]:
        """Return what was recorded after that, with its sequence. Raises `Broken`."""

    def close(self) -> None:
        """Let go."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a collection once its masters are there, or once it is over."""

    masters: tuple[str, ...]
    """One per scan; empty if they never came."""
    dcids: tuple[int, ...]
    """One per scan, or none."""
    totals: tuple[int | None, ...]
    """Frames of each scan; None = it does not say before its end."""
    over: bool = False
    """No more frames will be recorded."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that are sent together."""

    messages: tuple[Outgoing, ...]
    cursor: int
    """Of the journal, once they are sent."""
    frames: frozenset[int]
    over: bool
    """The step is answered then."""


class Telling:
    """What one step is still to be told; remembers only which frames it has been told of."""

    def __init__(self, request: Request, absorbed: frozenset[str], cursor: int) -> None:
        """Go on after `cursor`, a sequence of the journal."""
        self._request, self._absorbed = request, absorbed
        self.cursor = self._start = cursor
        self._read = 0
        self._told = set(range(request.begun))
        self._waits_for_total = needs_total(request)

    def next(self, reader: Reader | None, known: Known, now: float) -> Batch | None:
        """Return the next batch, None = nothing to say yet; `now`: epoch s. Raises `Broken`.

        `reader`: None where there is no journal, because the masters never came.
        """
        scan = self._scan(known)
        total = known.totals[scan] if scan < len(known.totals) else None
        if self._waits_for_total and total is None and not known.over:
            return None
        master = self._request.master or (known.masters[scan] if scan < len(known.masters) else "")
        outputs = Outputs(self._request, master, self._absorbed)
        self._catch_up(reader, scan)
        rows = [] if reader is None else reader.after(self.cursor, min(TOGETHER, self._request.burst or TOGETHER))
        frames = {row.outcome.frame: row.outcome for _, row in rows if row.outcome.scan == scan}
        new = [frames[frame] for frame in sorted(frames) if frame not in self._told]
        messages = [message for outcome in new for message in outputs.frame(outcome, total, now)]
        if rows:
            return Batch(tuple(messages), rows[-1][0], frozenset(one.frame for one in new), over=False)
        if known.over:
            return Batch(tuple(outputs.end(self._tally(total))), self.cursor, frozenset(), over=True)
        return None

    def sent(self, batch: Batch) -> None:
        """A batch was sent."""
        self.cursor = max(self.cursor, batch.cursor)
        self._told |= batch.frames

    def _scan(self, known: Known) -> int:
        """Which scan of the collection the step is about."""
        if self._request.dcid in known.dcids:
            return known.dcids.index(self._request.dcid)
        return known.masters.index(self._request.master) if self._request.master in known.masters else 0

    def _catch_up(self, reader: Reader | None, scan: int) -> None:
        """Learn what an earlier process has told."""
        while reader is not None and self._read < self._start:
            rows = reader.after(self._read, 10 * TOGETHER)
            self._told |= {
                row.outcome.frame for number, row in rows if number <= self._start and row.outcome.scan == scan
            }
            self._read = rows[-1][0] if rows else self._start

    def _tally(self, total: int | None) -> Tally:
        missing = (frame for frame in range(total or 0) if frame not in self._told)
        return Tally(total, len(self._told), next(missing, None))


@dataclass(slots=True)
class Subject:
    """A collection, and the steps that are about it."""

    known: Known | None = None
    reader: Reader | None = None
    news: bool = True
    tellings: dict[int, Telling] = field(default_factory=dict)
    """By the numbers of the steps."""
