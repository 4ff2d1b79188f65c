"""One collection as the service knows it, and as viewers are told of it."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from filewatcher.core.answers import centring_json
from filewatcher.core.asks import priority_of
from filewatcher.core.lines import grid_words
from filewatcher.core.messages import State
from filewatcher.errors import Refused
from filewatcher.service.ports import Kept

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from filewatcher.core.answers import Answer
    from filewatcher.core.cells import CellLog
    from filewatcher.core.grid import Grid
    from filewatcher.core.gridinfo import GridInfo
    from filewatcher.core.lines import Json
    from filewatcher.core.observations import Described
    from filewatcher.ports import Progress
    from filewatcher.service.ports import Work

OVER = frozenset({"done", "failed", "cancelled"})
"""States that are final."""


class Bell:
    """Rung whenever something has changed; whoever waits is woken once."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.rung = 0
        """How often."""

    def ring(self) -> None:
        """Wake all that wait."""
        self.rung += 1
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seconds: float) -> bool:
        """Return at the next ring, or after so long; whether it rang."""
        try:
            await asyncio.wait_for(self._event.wait(), seconds)
        except TimeoutError:
            return False
        return True


@dataclass(slots=True)
class Scan:
    """One scan of a collection, for viewers."""

    log: CellLog
    master: str
    grid: GridInfo | None = None
    angles: tuple[float, float] | None = None
    """Degrees: at which the first frame begins, and from one to the next."""
    centring: dict[str, Json] | None = None
    last: float | None = None
    """By the service's clock, when a frame ended last."""


class Entry:
    """All that is known of a collection; only the service changes it."""

    def __init__(self, kept: Kept) -> None:
        self.id = kept.id
        self.ask = kept.ask
        self.created = kept.created
        self.state = kept.state
        self.reason = kept.reason
        self.ended = kept.ended
        self.key = kept.key
        self.folder = kept.folder
        self.age = kept.age
        self.stopped = kept.stopped
        self.grids = kept.grids
        self.warnings: list[str] = []
        self.engine = ""
        self.parameters: Mapping[str, Any] = {}
        self.pair: dict[str, Json] | None = None
        """Where the crystal is in three dimensions, of two scans."""
        self.generation = secrets.randbits(32)
        """Of the logs: they are other ones after a restart."""
        self.scans: list[Scan] = []
        """Empty before the masters are there, and where it ended before this process began or was looked at."""
        self.work: Work | None = None
        self.task: asyncio.Task[None] | None = None
        self.cancelling = False
        self.not_before = 0.0
        """By the service's clock: when it may start."""
        self.bell = Bell()
        self._told = dict(kept.summary)
        self.same_as = cast("str | None", kept.summary.get("same_as"))
        """Id of the collection that this one was found to be, and that goes on in its place."""

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state in OVER

    @property
    def kept(self) -> Kept:
        """What is to be remembered of it."""
        return Kept(
            self.id, self.ask, self.created, self.state, self.reason, self.ended, self.key, self.folder, self.age,
            self.stopped, self.grids, self._told,
        )  # fmt: skip

    def described(
        self, described: Sequence[Described], grids: Sequence[GridInfo | None], make: Callable[[], CellLog]
    ) -> None:
        """Know its scans."""
        self.scans = [
            Scan(make(), one.master.path, grid, _angles(one)) for one, grid in zip(described, grids, strict=True)
        ]
        for scan, one in zip(self.scans, described, strict=True):
            scan.log.expect(len(one.frame_map))

    def centred(self, answer: Answer) -> None:
        """Know where the crystal is."""
        found = centring_json(answer.centring) | {"version": answer.version, "final": answer.final}
        if answer.scan is None:
            self.pair = found
        else:
            self.scans[answer.scan].centring = found

    def archived(self, logs: Sequence[CellLog]) -> None:
        """Take what is on record of it."""
        self.generation = secrets.randbits(32)
        told = self._told.get("scans") or []
        masters = [one["master"] for one in told if isinstance(one, dict)] if isinstance(told, list) else []
        names = [*map(str, masters), *self.ask.masters]
        self.scans = [Scan(log, name) for log, name in zip(logs, names, strict=False)]

    def summary(self, now: float) -> dict[str, Json]:
        """Return what is told of it; `now` by the service's clock."""
        if self.over and self._told:
            now_so = {"state": self.state, "reason": self.reason, "ended": self.ended}
            return self._told | now_so | {"grids_by_hand": self._by_hand()}
        ask, grid = self.ask, any(scan.grid for scan in self.scans) or self.ask.sketched
        return {
            "id": self.id,
            "masters": list(ask.masters),
            "state": self.state,
            "reason": self.reason,
            "created": self.created,
            "ended": self.ended,
            "engine": self.engine or ask.engine,
            "parameters": dict(self.parameters),
            "asked": list(ask.parameters),
            "visit": ask.visit,
            "beamline": ask.beamline,
            "dcid": ask.dcids[0] if ask.dcids else None,
            "dcids": list(ask.dcids),
            "priority": priority_of(ask, grid=bool(grid)).word,
            "reprocess_of": ask.reprocess_of,
            "same_as": self.same_as,
            "origin": ask.origin,
            "warnings": list(self.warnings),
            "centring": self.pair,
            "grids_by_hand": self._by_hand(),
            "scans": self._scans_json(now),
        }

    def lay_out(self, grids: Sequence[Grid | None]) -> None:
        """Have scans shown as these grids, whatever was collected; None, or none = as collected. Raises `Refused`."""
        told: Any = self._told.get("scans") or []
        frames = [scan.log.frames for scan in self.scans] or [int(scan["frames"]) for scan in told]
        frames = frames or [0] * max(1, len(self.ask.masters), len(self.ask.dcids))
        if len(grids) > len(frames):
            raise Refused(f"{len(grids)} grids, and collection {self.id} has {len(frames)} scans: one for each")
        for number, grid in enumerate(grids):
            if grid is not None and frames[number] not in (0, len(grid)):
                raise Refused(
                    f"a grid of {grid} has {len(grid)} cells, and scan {number} has {frames[number]} frames: "
                    "give the columns and rows of this scan"
                )
        self.grids = tuple(grids) if any(grids) else ()
        self.bell.ring()

    def _by_hand(self) -> list[Json]:
        words = [None if grid is None else grid_words(grid) for grid in self.grids]
        # steps are those of the collection
        return [one and {name: word for name, word in one.items() if word is not None} for one in words]

    def remember(self, now: float) -> None:
        """Keep what is told of it for later, when its work is gone."""
        self._told = {}
        self._told = self.summary(now)

    def _scans_json(self, now: float) -> list[Json]:
        progress = self.work.progress if self.work is not None else ()
        known = list(progress) + [None] * (len(self.scans) - len(progress))
        return [
            self._scan_json(number, scan, where, now)
            for number, (scan, where) in enumerate(zip(self.scans, known, strict=False))
        ]

    def _scan_json(self, number: int, scan: Scan, where: Progress | None, now: float) -> dict[str, Json]:
        counts, grid = scan.log.counts, scan.grid
        done, failed = counts[State.DONE], counts[State.FAILED]
        written = where.written if where is not None else done + failed
        words: dict[str, Json] | None = None
        if grid is not None:
            words = grid_words(grid.grid)
        return {
            "scan": number,
            "master": scan.master,
            "expected": where.expected if where is not None else None,
            "frames": scan.log.frames,
            "written": written,
            "done": done,
            "failed": failed,
            "missing": counts[State.MISSING],
            "disagreeing": scan.log.disagreeing,
            "behind": max(0, written - done - failed),
            "seconds_since_last": None if scan.last is None else round(now - scan.last, 3),
            "grid": words,
            "angles": None if scan.angles is None else list(scan.angles),
            "centring": scan.centring,
            "snapshot": self._snapshot_json(grid),
        }

    def _snapshot_json(self, grid: GridInfo | None) -> dict[str, Json] | None:
        if self.ask.snapshot is None or grid is None or grid.snapshot is None:
            return None
        return {
            "url": f"/api/collections/{self.id}/snapshot",
            "offset_px": list(grid.snapshot.offset),
            "um_per_px": list(grid.snapshot.microns_per_pixel),
        }


def _angles(described: Described) -> tuple[float, float] | None:
    angles = described.angles
    if angles is None or not len(angles):
        return None
    step = float(angles[1] - angles[0]) if len(angles) > 1 else 0.0
    return float(angles[0]), step
