"""The scans of one collection: one detector arming, one set of data files, one or more masters.

What is said of a master goes to its scan; what is said of data files goes to all: each knows which rows are its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from filewatcher.core.collector import Collector
from filewatcher.core.messages import FrameMissing, State
from filewatcher.core.observations import Described, MasterBlocked

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from filewatcher.core.messages import Event, FrameReady, Outcome
    from filewatcher.core.observations import Observation
    from filewatcher.core.scanwatch import ScanWatch


class Scan:
    """One scan: what was seen of it on disk, and how its frames ended."""

    def __init__(self, watch: ScanWatch) -> None:
        self.watch = watch
        self.collector = Collector()
        self.described: Described | None = None

    @property
    def over(self) -> bool:
        """Every frame has its outcome, and no more will be announced."""
        ended, count = self.watch.ended, self.collector.count
        return ended is not None and sum(map(count, (State.DONE, State.FAILED, State.MISSING))) >= ended.expected

    @property
    def waiting(self) -> NDArray[np.int64]:
        """Selected frames that have no outcome."""
        selected = self.watch.selected
        states = self.collector.results().states
        known = selected[selected < len(states)]
        waiting: NDArray[np.int64] = known[states[known] == State.WAITING]
        return waiting


class Collection:
    """All scans of a collection, numbered from 0."""

    def __init__(self, watches: Sequence[ScanWatch]) -> None:
        self.scans = tuple(Scan(watch) for watch in watches)
        if [scan.watch.scan for scan in self.scans] != list(range(len(self.scans))):
            raise ValueError(f"scans {[watch.scan for watch in watches]} are not numbered from 0")

    # ---- what may be asked

    @property
    def described(self) -> tuple[Described, ...]:
        """What the masters say; nothing before all of them are there."""
        known = tuple(scan.described for scan in self.scans if scan.described is not None)
        return known if len(known) == len(self.scans) else ()

    @property
    def expected(self) -> int:
        """Frames to be analysed."""
        return sum(scan.watch.expected for scan in self.scans)

    @property
    def seen(self) -> int:
        """Of these, frames that have been on disk."""
        return sum(scan.watch.seen for scan in self.scans)

    @property
    def ended(self) -> bool:
        """Nothing more will be announced."""
        return all(scan.watch.ended is not None for scan in self.scans)

    @property
    def looking_again(self) -> bool:
        """Whether frames that a worker could not read are being looked up anew."""
        return any(scan.watch.looking_again for scan in self.scans)

    @property
    def problems(self) -> tuple[str, ...]:
        """What keeps files from being read now, in words; scans that share a file say it once."""
        return tuple(dict.fromkeys(problem for scan in self.scans for problem in scan.watch.problems))

    @property
    def still_written(self) -> set[str]:
        """Paths of the data files that a writer holds open."""
        return set().union(*(scan.watch.still_written for scan in self.scans))

    def count(self, state: State) -> int:
        """How many frames have ended like this."""
        return sum(scan.collector.count(state) for scan in self.scans)

    def waiting(self) -> int:
        """How many frames have no outcome."""
        return sum(len(scan.waiting) for scan in self.scans)

    def rows_seen(self) -> dict[int, NDArray[np.bool_]]:
        """File index -> bitmap over its rows: what a restarted child need not report again to any scan."""
        seen = self.scans[0].watch.rows_seen()
        for scan in self.scans[1:]:
            other = scan.watch.rows_seen()
            for file, rows in seen.items():
                n = min(len(rows), len(other.get(file, ())))
                rows[:n] &= other[file][:n] if n else True
                rows[n:] = False
        return seen

    # ---- what may be told

    def observe(self, what: Observation | None, now: float) -> list[Event]:
        """Take in what the disk says now (None: time has passed)."""
        if isinstance(what, Described | MasterBlocked):
            scan = self.scans[what.scan]
            if isinstance(what, Described):
                scan.described = what
            events = scan.watch.observe(what, now)
            if isinstance(what, Described):
                scan.collector.expect(len(what.frame_map))
            return events
        return [event for scan in self.scans for event in scan.watch.observe(what, now)]

    def stop(self, now: float) -> None:
        """Hear that the detector has stopped: what does not come soon will not come."""
        for scan in self.scans:
            scan.watch.stop(now)

    def give_back(self, frame: FrameReady, now: float) -> tuple[int, int]:
        """Announce a frame again once its bytes are found again; returns its (file, row) to be looked at anew."""
        return self.scans[frame.scan].watch.give_back(frame.frame, now)

    def record(self, outcome: Outcome) -> bool:
        """Take an outcome; False if its frame has ended already."""
        collector = self.scans[outcome.scan].collector
        if isinstance(outcome, FrameMissing):
            collector.expect(outcome.frame + 1)
        return collector.record(outcome)
