"""The loop: observe -> decide -> dispatch -> collect, for one collection from its trigger to its end.

It knows no file, no cluster and no database, only the Protocols of `filewatcher.ports`; the command line hands it
the real ones.
Only this loop adds outcomes; a frame's first outcome counts, it is journalled, then it is told to the `Listener`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from filewatcher.core.answers import Answers
from filewatcher.core.batching import BatchEnded, Batcher, BatchLost, Unreadable
from filewatcher.core.messages import FrameFailed, FrameMissing, FrameReady, Outcome, Recorded, State, place_of
from filewatcher.core.observations import Described, DetectorRead, MasterBlocked, OnDisk, Superseded, Writers
from filewatcher.core.run import Finished, FinishedScan, Job, Run
from filewatcher.core.scanwatch import SUPERSEDED
from filewatcher.core.troubles import Troubles
from filewatcher.errors import Broken
from filewatcher.inbox import Inbox
from filewatcher.ports import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from filewatcher.core.batching import Limits
    from filewatcher.core.collection import Collection
    from filewatcher.core.detector import Detector
    from filewatcher.core.messages import ChunkLayout
    from filewatcher.core.observations import Observation
    from filewatcher.core.run import Order
    from filewatcher.ports import Journal, Listener, Observer, Opened, Pool

TICK = 0.05
"""Seconds after which the time itself is news: time-outs, batches."""
WARM_UP_AFTER = 0.5
"""Seconds without a master after which workers are started all the same, to be warm when it comes."""


class CollectionLoop:
    """One collection: runs until every frame has ended."""

    def __init__(
        self,
        order: Order,
        scans: Collection,
        observer: Observer,
        pool: Pool,
        open_run: Callable[[Run, Sequence[Described]], Opened],
        listener: Listener,
        clock: Callable[[], float],
        limits: Limits | None = None,
    ) -> None:
        self._order, self._scans, self._listener = order, scans, listener
        self._observer, self._pool, self._open_run = observer, pool, open_run
        self._clock = clock
        self._started = clock()
        self._batcher = Batcher(limits)
        self._inbox: Inbox[Observation | BatchEnded | BatchLost] = Inbox()
        self._recorded: dict[tuple[int, int], Recorded] = {}
        self._places: dict[tuple[int, int], str] = {}
        self._fresh: list[tuple[Outcome, str]] = []
        self._in_flight = 0
        self._run: Run | None = None
        self._journal: Journal | None = None
        self._answers: Answers | None = None
        self._detector: Detector | None = None
        self._warnings: tuple[str, ...] = ()
        self._layouts: set[ChunkLayout] = set()
        self._troubles = Troubles()
        self._superseded = False
        self._warming: asyncio.Task[None] | None = None
        self._arming: asyncio.Task[None] | None = None

    async def run(self) -> Finished:
        """Watch until the end. Raises `Broken` for a collection that cannot be analysed at all."""
        feeds = [asyncio.create_task(self._observer.report(self._inbox.put)), asyncio.create_task(self._hear())]
        try:
            while not self._is_over():
                for message in await self._news(feeds):
                    await self._handle(message)
                self._tick()
                await self._commit()
            return self._finish()
        finally:
            tasks = [t for t in (*feeds, self._warming, self._arming) if t is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._journal is not None:
                self._journal.close()

    # ---- in

    async def _hear(self) -> None:
        while True:
            self._inbox.put(await self._pool.ended())

    async def _news(self, feeds: list[asyncio.Task[None]]) -> list[Observation | BatchEnded | BatchLost]:
        """All that has come; waits a tick at most. Fails as the start of the workers or a feed failed."""
        messages = await self._inbox.take(TICK)
        # what came before a feed failed counts; workers that did not start take nothing at all
        for task in (self._warming, self._arming, *(() if messages else feeds)):
            if task is not None and task.done():
                task.result()
        return messages

    async def _handle(self, message: Observation | BatchEnded | BatchLost) -> None:
        now = self._clock()
        match message:
            case BatchEnded():
                await self._take(message, now)
            case BatchLost() if self._superseded:
                self._in_flight -= 1  # its frames have been called missing
            case BatchLost():
                self._in_flight -= 1
                if message.blameless:
                    self._batcher.put_back(message.batch)
                else:
                    self._record(self._batcher.lost(message.batch, message.reason))
            case DetectorRead():
                self._detector = message.detector
                self._warnings = message.warnings
            case Described() | MasterBlocked() | OnDisk() | Superseded() | Writers():
                self._decide(message, now)
                if isinstance(message, Described) and self._journal is None and self._scans.described:
                    self._open(self._scans.described)
                elif isinstance(message, Superseded):
                    self._let_go(f"{message.problem}: {SUPERSEDED}")

    async def _take(self, ended: BatchEnded, now: float) -> None:
        self._in_flight -= 1
        self._batcher.took(ended.seconds / len(ended.outcomes))
        for outcome in ended.outcomes:
            if not isinstance(outcome, Unreadable):
                self._record([outcome])
            elif self._superseded:
                continue  # it has been called missing
            elif self._batcher.may_try_again(outcome.frame):
                self._observer.look_again(*self._scans.give_back(outcome.frame, now))
            else:
                frame, attempts = outcome.frame, self._batcher.attempts(outcome.frame)
                why = outcome.reason.removeprefix(f"{frame.path}: ")
                reason = f"its bytes in {frame.path.rpartition('/')[2]} are not whole: {why}"
                self._record([FrameFailed(frame.scan, frame.frame, reason, attempts)])

    def _open(self, described: Sequence[Described]) -> None:
        """Find out which run this is, and what is on record of it."""
        order, masters = self._order, tuple(one.master for one in described)
        self._run = Run(masters, order.selection, order.parameters, order.engine, order.channel)
        opened = self._open_run(self._run, described)
        self._journal = opened.journal
        self._answers = Answers(self._journal.key, opened.grids, self._clock)
        recorded = self._journal.recorded()
        self._listener.described(described, self._run, len(recorded))
        self._recorded = {(one.outcome.scan, one.outcome.frame): one for one in recorded}

    def _let_go(self, reason: str) -> None:
        """What is still to be read lies in files that another collection is written to: call it missing."""
        self._superseded = True
        self._batcher.clear()
        for scan in self._scans.scans:
            self._record([FrameMissing(scan.watch.scan, frame, reason) for frame in scan.waiting.tolist()])

    # ---- decide

    def _decide(self, observation: Observation | None, now: float) -> None:
        ready, known = [], []
        for event in self._scans.observe(observation, now):
            if isinstance(event, FrameReady):
                self._check(event)
                place = place_of(event)
                record = self._recorded.pop((event.scan, event.frame), None)
                # what is on record is true of those bytes only: the file may have been written anew since
                if record is not None and record.place == place:
                    known.append(record.outcome)
                else:
                    self._places[event.scan, event.frame] = place
                    ready.append(event)
            elif isinstance(event, FrameMissing):
                record = self._recorded.pop((event.scan, event.frame), None)
                if record is not None:  # analysed then, and taken away since
                    known.append(record.outcome)
                else:
                    self._record([event])
        if ready:
            self._batcher.add(ready, now)
        self._listener.outcomes([outcome for outcome in known if self._note(outcome)])

    def _check(self, ready: FrameReady) -> None:
        if ready.layout in self._layouts:
            return
        if reason := self._pool.unsupported(ready.layout):
            raise Broken(f"{ready.path}: {reason}")
        self._layouts.add(ready.layout)

    def _record(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self._batcher.forget(outcome.scan, outcome.frame)
            place = self._places.pop((outcome.scan, outcome.frame), "")
            if self._note(outcome):
                self._fresh.append((outcome, place))

    def _note(self, outcome: Outcome) -> bool:
        new = self._scans.record(outcome)
        if new and self._answers is not None:
            self._answers.record(outcome)
        return new

    # ---- out

    def _tick(self) -> None:
        now = self._clock()
        self._decide(None, now)
        self._warm_up(now)
        if self._arming is not None and self._arming.done():
            assert self._journal is not None
            for batch in self._batcher.next(self._pool.places, now):
                self._in_flight += 1
                self._pool.submit(self._journal.key, batch)
        counts = [self._scans.count(state) for state in (State.DONE, State.FAILED, State.MISSING)]
        for problem in self._troubles.lasting(self._scans.problems, now):
            self._listener.trouble(problem)
        self._listener.progress(Progress(self._scans.expected, self._scans.seen, *counts))

    def _warm_up(self, now: float) -> None:
        """Start workers when a master is slow to come, or has frames to analyse; arm them when it is complete."""
        if self._warming is None and self._work_to_come(now):
            self._warming = asyncio.create_task(self._pool.start())
        if self._arming is None and self._warming is not None and self._detector is not None and self._journal:
            job = self._order.job(self._journal.key, self._detector)
            self._arming = asyncio.create_task(self._arm(job, self._warming))

    def _work_to_come(self, now: float) -> bool:
        if not self._scans.described:
            return now - self._started >= WARM_UP_AFTER
        unknown = self._scans.waiting() > len(self._recorded)
        return bool(len(self._batcher)) or (unknown and not self._scans.ended)

    async def _arm(self, job: Job, warming: asyncio.Task[None]) -> None:
        await warming
        await self._pool.arm(job)

    async def _commit(self) -> None:
        if self._fresh and self._journal is not None:
            fresh, self._fresh = self._fresh, []
            await self._journal.add([Recorded(o, place) for o, place in fresh if not isinstance(o, FrameMissing)])
            self._listener.outcomes([outcome for outcome, _ in fresh])
        if self._answers is not None:
            for answer in self._answers.due(self._clock(), [scan.over for scan in self._scans.scans]):
                self._listener.centred(answer)

    # ---- the end

    def _is_over(self) -> bool:
        idle = self._scans.ended and not self._in_flight and not len(self._batcher)
        # without a journal nothing can be recorded: a master never came
        recorded = not self._fresh or self._journal is None
        return idle and recorded and not self._scans.looking_again

    def _finish(self) -> Finished:
        scans = [self._finished(number) for number in range(len(self._scans.scans))]
        assert self._run is not None
        assert self._journal is not None
        if waiting := self._scans.waiting():
            raise Broken(f"{waiting} frames ended without an outcome: this is a fault of filewatcher")
        if self._superseded:
            self._journal.retire()
        # images inside a master that is still open: it will change once more, so its age says nothing yet
        elif not self._scans.still_written & {master.path for master in self._run.masters}:
            self._journal.complete(self._run)
        assert self._answers is not None
        problem = (self._answers.problem,) if self._answers.problem else ()
        return Finished(self._run, tuple(scans), self._detector, self._warnings + problem, tuple(self._answers.final))

    def _finished(self, number: int) -> FinishedScan:
        scan = self._scans.scans[number]
        ended = scan.watch.ended
        assert ended is not None
        if scan.described is None:
            problem = next(iter(scan.watch.problems), f"{self._order.masters[number]} did not come")
            raise Broken(f"{problem}: {ended.reason}")
        if ended.expected == 0:
            raise Broken(
                f"{scan.described.master.path}: not one frame to analyse ({ended.reason}); check --images and --select"
            )
        return FinishedScan(scan.described, scan.watch.selected, scan.collector.results(), ended)
