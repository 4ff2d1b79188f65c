"""Frames seen on disk, and the time, in; new frames, missing frames and the end of the scan, out.

The watcher's child process knows rows of data files; this knows logical frames, time-outs and ends::

    watch.observe(OnDisk(file=0, chunks=[(0, ...), (1, ...)]), now)  ->  [FrameReady(frame=0), FrameReady(frame=1)]
    watch.observe(OnDisk(file=0, chunks=[(0, ...), (1, ...)]), now)  ->  []                      said once
    watch.observe(None, now + timeout)               ->  [FrameMissing(frame=2), ScanEnded(seen=2)]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.arrivals import Arrivals
from filewatcher.core.messages import Event, FrameMissing, ScanEnded
from filewatcher.core.observations import Described, MasterBlocked, Observation, OnDisk, Superseded, Writer, Writers
from filewatcher.core.selection import Selection
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filewatcher.core.framemap import FrameMap


SILENT = 3.0
"""Seconds without a word about the writers after which nobody looks: a reader says one every second."""
NOT_WAITED = "not waited for"
"""Why a scan of files that are as they will ever be has ended."""


@dataclass(frozen=True, slots=True)
class TimeOuts:
    """How long a scan is waited for; all in seconds."""

    first: float = 3600.0
    """Until the first frame."""
    progress: float | None = None
    """Since the last new frame; None = max(10 s, 20 exposures), or 60 s where the exposure is unknown."""
    grace: float = 5.0
    """After all writers have closed; 20 exposures, if that is longer, while data files are still to come."""
    look_again: float = 15.0
    """For bytes that a worker could not read to be found again: longer than a hung child is waited for."""
    blind: float = 15.0
    """Longer than the others at most, while nobody looks: the reader hangs, or is being replaced."""

    def without_progress(self, exposure: float | None) -> float:
        """Seconds without a new frame after which the scan is given up."""
        if self.progress is not None:
            return self.progress
        return 60.0 if exposure is None else max(10.0, 20.0 * exposure)


SUPERSEDED = (
    "frames of two collections are not mixed, so this one ends here; for the new one start the same command again"
)
"""What is said of frames that had not come when another collection was begun under the same names."""


class ScanWatch:
    """Turns what is on disk into what is new; says everything once.

    `wait` False: the files are as they will ever be, so one full scan decides.
    `frames`: how many to expect where the master does not say, or never comes.
    """

    def __init__(
        self,
        scan: int = 0,
        *,
        selection: Selection | None = None,
        timeouts: TimeOuts | None = None,
        wait: bool = True,
        frames: int | None = None,
        now: float = 0.0,
    ) -> None:
        self.scan = scan
        self.frame_map: FrameMap | None = None
        self.ended: ScanEnded | None = None
        self._selection = selection or Selection()
        self._timeouts = timeouts or TimeOuts()
        self._wait = wait
        self._frames = frames
        self._exposure: float | None = None
        self._arrivals = Arrivals(scan)
        self._writers = Writers((), was_writing=False, full_scan=False)
        self._closed = False
        self._armed_at = now
        self._stopped_at: float | None = None
        self._scanned_at = now
        self._looked_at: float | None = None  # when the reader last said something of the writers
        self._master_problem = ""

    # ---- what others may ask

    @property
    def selected(self) -> NDArray[np.int64]:
        """Logical frames to be analysed, ascending; grows while the length of the scan is unknown."""
        return self._arrivals.selected

    @property
    def expected(self) -> int:
        """How many frames those are."""
        return self._arrivals.expected

    @property
    def seen(self) -> int:
        """Selected frames that have been on disk."""
        return self._arrivals.seen

    @property
    def still_written(self) -> set[str]:
        """Paths of the data files that a writer holds open."""
        if self.frame_map is None:
            return set()
        states = zip(self.frame_map.files, self._writers.states, strict=False)
        return {file.path for file, state in states if state is Writer.WRITING}

    @property
    def problems(self) -> tuple[str, ...]:
        """What keeps files from being read now, in words: one sentence per file that is there and cannot be."""
        if self.frame_map is None:
            return (self._master_problem,) if self._master_problem else ()
        return tuple(sentence for _, sentence in self._writers.problems)

    @property
    def looking_again(self) -> bool:
        """Whether frames that a worker could not read are being looked up anew."""
        return bool(self._arrivals.given_back)

    def rows_seen(self) -> dict[int, NDArray[np.bool_]]:
        """File index -> bitmap over its rows: what a restarted child need not report again."""
        return self._arrivals.rows_seen()

    # ---- what others may tell

    def give_back(self, frame: int, now: float) -> tuple[int, int]:
        """Announce a frame again once its bytes are found again; returns its (file, row) to be looked at anew."""
        return self._arrivals.give_back(frame, now)

    def stop(self, now: float) -> None:
        """Hear that the detector has stopped: what does not come soon will not come."""
        self._stopped_at = now if self._stopped_at is None else self._stopped_at

    def observe(self, what: Observation | None, now: float) -> list[Event]:
        """Take in what the disk says now (None: nothing new, but time has passed)."""
        events: list[Event] = []
        if isinstance(what, OnDisk):
            events = self._arrivals.take(what, now)
            if self._arrivals.left and not self._arrivals.given_back:
                return events  # nothing else ends by that
        elif isinstance(what, Described):
            self._describe(what)
        elif isinstance(what, Writers):
            if what.states != self._writers.states:
                self._scanned_at = now
            self._writers, self._looked_at = what, now
            self._closed = what.all_closed
        elif isinstance(what, MasterBlocked):
            self._master_problem = what.problem
        elif isinstance(what, Superseded) and self.ended is None:
            self._arrivals.given_back.clear()
            return [*events, *self._finish(f"{what.problem}: {SUPERSEDED}")]
        events += self._lost_again(now)
        if self.ended is None and (reason := self._end(now)):
            events += self._finish(reason)
        return events

    # ---- how it decides

    def _describe(self, what: Described) -> None:
        self.frame_map = what.frame_map
        self._exposure = what.exposure_time
        if what.frame_map.open_ended and self._frames is None and self._selection.needs_length:
            raise Refused(
                f"{what.master.path} does not say how many frames will come, and {self._selection.pattern} "
                "needs to know: give --frames"
            )
        if not what.frame_map.open_ended and self._frames not in (None, len(what.frame_map)):
            raise Refused(
                f"{what.master.path} holds {len(what.frame_map)} frames, but {self._frames} were asked for: "
                "leave --frames out"
            )
        self._expect(max(len(what.frame_map), self._frames or 0))

    def _expect(self, total: int) -> None:
        selected = np.zeros(total, bool)
        selected[self._selection.frames(total)] = True
        self._arrivals.expect(selected, self.frame_map)

    def _lost_again(self, now: float) -> list[Event]:
        reason = "it was on disk, but its bytes could not be read and were not found again"
        overdue = self._arrivals.overdue(now, self._timeouts.look_again)
        return [FrameMissing(self.scan, frame, reason) for frame in overdue]

    def _end(self, now: float) -> str | None:
        """Why nothing more is to be waited for; None = there is."""
        if self.frame_map is not None:
            length_known = self._frames is not None or not self.frame_map.open_ended
            if length_known and not self._arrivals.left and self._arrivals.expected:
                return "complete"
            if reason := self._all_that_will_come(now):
                return reason
        return self._overdue(now)

    def _overdue(self, now: float) -> str | None:
        if self._looked_at is not None and now - self._looked_at >= SILENT:
            now -= self._timeouts.blind  # what has come meanwhile is not known yet
        if self._stopped_at is not None:
            quiet = now - max(self._stopped_at, self._arrivals.progress_at or self._stopped_at)
            if quiet >= max(self._timeouts.grace, 20.0 * (self._exposure or 0.0)):
                return "the detector was said to have stopped"
        if self._arrivals.progress_at is None:
            late = now - self._armed_at >= self._timeouts.first
            return f"no frame came within {self._timeouts.first:g} s (--timeout-first)" if late else None
        limit = self._timeouts.without_progress(self._exposure)
        return f"no new frame came for {limit:g} s (--timeout)" if now - self._arrivals.progress_at >= limit else None

    def _all_that_will_come(self, now: float) -> str | None:
        if not self._writers.full_scan:
            return None
        if not self._wait:
            return NOT_WAITED
        if not self._closed:
            return None
        to_come = 20.0 * (self._exposure or 0.0) if Writer.ABSENT in self._writers.states else 0.0
        quiet = now - max(self._scanned_at, self._arrivals.progress_at or 0.0)
        return "all writers have closed their files" if quiet >= max(self._timeouts.grace, to_come) else None

    def _finish(self, reason: str) -> list[Event]:
        if self.frame_map is None:
            self._expect(self._frames or 0)
        events: list[Event] = [
            FrameMissing(self.scan, frame, self._why_missing(frame, reason)) for frame in self._arrivals.missing
        ]
        self._arrivals.over = True
        self.ended = ScanEnded(self.scan, self.expected, self.seen, reason)
        return [*events, self.ended]

    def _why_missing(self, frame: int, reason: str) -> str:
        if reason.endswith(SUPERSEDED):
            return reason
        what = self._what_keeps(frame)
        return what if reason == NOT_WAITED and self.frame_map is not None else f"{what}: {reason}"

    def _what_keeps(self, frame: int) -> str:
        if self.frame_map is None:
            return self._master_problem or "the master never came"
        if frame >= len(self.frame_map) or (file := int(self.frame_map.file[frame])) < 0:
            return "no data file for it came"
        if problem := dict(self._writers.problems).get(file):
            return problem
        name = self.frame_map.files[file].path.rpartition("/")[2]
        state = self._writers.states[file] if file < len(self._writers.states) else Writer.ABSENT
        if state is Writer.ABSENT:
            return f"{name} does not exist"
        if state is Writer.OPENING:
            return f"{name} cannot be read"
        return f"not written in {name}"
