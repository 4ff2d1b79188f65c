"""Builds the collections of a daemon: each has a loop of its own, all have the workers in common."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from filewatcher.cli.collecting.building import build
from filewatcher.cli.collecting.collect import order_of
from filewatcher.cli.collecting.depositing import Depositor
from filewatcher.cli.collecting.desk import Desk
from filewatcher.cli.collecting.effort import effort_times
from filewatcher.cli.collecting.gridding import checked_words
from filewatcher.cli.collecting.listeners import Listeners, Stopwatch
from filewatcher.cli.collecting.notifying import Notifier
from filewatcher.cli.collecting.placing import ISPYB, refuse_no_file
from filewatcher.cli.collecting.wishes import Wishes
from filewatcher.cli.serving.stages import Noting, Timed
from filewatcher.cli.serving.viewing import Albums, Pictures, seen
from filewatcher.core.asks import priority_of
from filewatcher.core.cells import CellLog
from filewatcher.core.messages import State
from filewatcher.core.places import Places
from filewatcher.edges.journal import RUNS, JournalReader
from filewatcher.edges.output.stored import read_results
from filewatcher.errors import FilewatcherError, Refused, Unreachable
from filewatcher.ports import Progress
from filewatcher.service import Ended
from spotfinding.installed import recall, remeasure
from spotfinding.parameters import ParameterError, Parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from filewatcher.cli.serving.crew import Crew
    from filewatcher.core.asks import Ask
    from filewatcher.core.batching import Limits
    from filewatcher.core.messages import Recorded
    from filewatcher.core.observations import Described
    from filewatcher.core.run import Run
    from filewatcher.edges.ispyb import IspybOffice
    from filewatcher.edges.swmr import Budget
    from filewatcher.ports import Listener, Opened
    from filewatcher.roots import Roots
    from filewatcher.service import Kept, Work

log = logging.getLogger(__name__)

AT_ONCE = 10_000
"""Frames read from a journal at a time."""


class Workshop:
    """Makes the work of each ask."""

    def __init__(
        self,
        crew: Crew,
        limits: Limits,
        budget: Budget,
        roots: Roots,
        state: Path,
        results: Path,
        notify: Sequence[str] = (),
        office: IspybOffice | None = None,
        stage: Callable[[str, float], None] = lambda _name, _seconds: None,
    ) -> None:
        """`stage` is told how long the stages of frames took."""
        self.stage = stage
        self.crew, self.limits, self.budget, self.roots = crew, limits, budget, roots
        self.state, self.results = state, results
        self.notify, self.office = tuple(notify), office
        self.filing = asyncio.Lock()
        """Results are written by one collection after the other."""
        self._resolving = threading.Lock()
        """DIALS is measured once, though many ask at the start."""
        self._noted = state / "dials.json"
        self._warm = recall(self._noted)
        self.pictures, self._albums = Pictures(), Albums(roots)

    async def warm_up(self) -> None:
        """Look once which engines there are, which takes seconds.

        Nobody waits for it where the last daemon has noted it; else asks are answered without knowing until then, and
        the first collections wait.
        """
        await asyncio.to_thread(self._measure)

    async def check(self, ask: Ask) -> None:
        """Raise `Refused` for what can be known to be wrong before anything is there."""
        await asyncio.to_thread(self._check, ask)

    async def prepare(self, ask: Ask) -> None:
        """Check the rest, which may take seconds, before it is opened. Raises `Refused`."""
        await asyncio.to_thread(self._prepare, ask)

    def age(self, masters: Sequence[str]) -> str:
        """Tell masters from others of the same names, written over them."""
        return " ".join(_age(master) for master in masters)

    def open(self, name: str, ask: Ask, listener: Listener) -> Work:
        """Build the work of one ask; nothing runs yet. Raises `Refused`."""
        return CollectionWork(self, name, ask, listener)

    async def view(self, kept: Kept, scan: int, frame: int, what: str, black: float | None) -> bytes:
        """Return a frame of a collection that has ended, for a person."""

        async def make() -> bytes:
            return await self._albums.view(kept.id, self.wishes(kept.ask), (scan, frame), what, black)

        return await self.pictures.get((kept.id, scan, frame, what, black), make)

    async def close(self) -> None:
        """Leave nothing running."""
        await self._albums.close()

    async def archive(self, kept: Kept) -> list[CellLog]:
        """Return what is on record of a collection that has ended."""
        return await asyncio.to_thread(self._archive, kept)

    def wishes(self, ask: Ask) -> Wishes:
        """Return an ask in the words of the command line."""
        words = ask.grid
        return Wishes(
            Path(ask.masters[0]),
            ask.parameters,
            ask.engine,
            others=tuple(Path(master) for master in ask.masters[1:]),
            grid=None if words is None else words.shape,
            orientation=None if words is None else words.orientation,
            snaked=None if words is None else words.snaked,
            start=None if words is None else words.start,
            gridinfos=ask.gridinfos,
            frames=ask.frames,
            wait=ask.wait,
            **{name: given for name in ("timeout_first", "timeout") if (given := getattr(ask, name)) is not None},
            verify=ask.verify,
            results=self.results,
            dcid=",".join(map(str, ask.dcids)) or None,
            # GDA's lines and ISPyB's rows carry the ids of data collections
            notify=tuple(url for url in self.notify if ask.dcids or not url.startswith(("udp:", ISPYB))),
        )

    def _check(self, ask: Ask) -> None:
        for path in (*ask.masters, *filter(None, [ask.snapshot])):
            self.roots.check(path)
        for word in ask.parameters:
            if "=" not in word:
                raise Refused(f"parameter {word!r}: write key=value")
        if ask.masters:
            for master in ask.masters:
                refuse_no_file(Path(master))
            checked_words(self.wishes(ask))
        if self._warm and ask.masters:
            order_of(self.wishes(ask))
            return
        try:
            Parameters.parse(ask.parameters)
        except ParameterError as error:
            raise Refused(str(error)) from error

    def _prepare(self, ask: Ask) -> None:
        self._check(ask)
        self._order_of(self.wishes(ask))

    def _measure(self) -> None:
        with suppress(ParameterError), nullcontext() if self._warm else self._resolving:  # whoever needs it is told
            if (wrong := remeasure(self._noted)) is not None:
                log.warning("DIALS was replaced without a trace: collections since the start went by %s", wrong)
        self._warm = True

    def _order_of(self, wishes: Wishes) -> None:
        with nullcontext() if self._warm else self._resolving:
            order_of(wishes)

    def _archive(self, kept: Kept) -> list[CellLog]:
        results = None if kept.folder is None else Path(kept.folder) / "results.h5"
        try:
            if results is not None and results.is_file():
                return [CellLog.of_report(report) for report in read_results(results.read_bytes(), str(results))]
            if kept.key is not None:
                scans: dict[int, CellLog] = {scan: CellLog() for scan in range(len(kept.ask.masters))}
                for recorded in _recorded(self.state / RUNS / kept.key):
                    scans[recorded.outcome.scan].record([recorded.outcome])
                return list(scans.values())
        except (FilewatcherError, OSError, KeyError) as error:
            log.warning("its frames cannot be shown any more: %s", error, extra={"collection": kept.id})
        return []


class CollectionWork:
    """The loop of one collection, and what it needs."""

    def __init__(self, workshop: Workshop, name: str, ask: Ask, listener: Listener) -> None:
        self._workshop, self._name, self._ask = workshop, name, ask
        wishes = workshop.wishes(ask)
        order, reason = order_of(wishes)
        order = replace(order, roots=workshop.roots.names)
        self.opened: Opened | None = None
        office = workshop.office
        self._depositor = None if office is None or not ask.dcids else Depositor(office, ask.dcids)
        self._desk = Desk(wishes, self._say, reason, self._depositor)
        self._stopwatch, self._notifier = Stopwatch(), Notifier(wishes, order.engine)
        self._place = workshop.crew.place(priority_of(ask, grid=ask.sketched))
        told = Listeners(listener, self._stopwatch, self._notifier, self._place.need)
        self._listener = listener
        self._places = Places()
        pool = Timed(self._place.share, self._places, workshop.stage)
        self._built = build(
            wishes, order, pool, self._open, told, workshop.limits, workshop.budget,
            lambda observer: Noting(observer, self._places), workshop.roots,
        )  # fmt: skip

    @property
    def progress(self) -> list[Progress]:
        """Where each scan stands."""
        scans = self._built.scans.scans
        return [
            Progress(
                one.watch.expected,
                one.watch.seen,
                *(one.collector.count(state) for state in (State.DONE, State.FAILED, State.MISSING)),
            )
            for one in scans
        ]

    async def run(self) -> Ended:
        """Watch until the end, and file the results."""
        self._say(f"watching {' and '.join(self._ask.masters)}", logging.INFO)
        try:
            with self._depositor or nullcontext():
                finished = await self._built.loop.run()
        except Unreachable:
            self._workshop.crew.give_up(self._place.pool)
            raise
        times = self._stopwatch.times | effort_times(self._built.observer.effort, self._workshop.budget)
        async with self._workshop.filing:
            filed = await asyncio.to_thread(self._desk.file, finished, times)
        self._notifier.summaries(filed.summaries)
        for sentence in filed.sentences:
            self._say(sentence, logging.INFO)
        return Ended(finished, str(filed.folder), filed.summaries)

    def end(self) -> None:
        """The detector has stopped."""
        self._built.scans.stop(time.monotonic())

    async def view(self, scan: int, frame: int, what: str, black: float | None) -> bytes:
        """Return a frame for a person, made by a worker that has nothing else to do."""

        async def make() -> bytes:
            return await self._place.share.view(seen(self._places, scan, frame), what, black)

        return await self._workshop.pictures.get((self._name, scan, frame, what, black), make)

    async def close(self) -> None:
        """Leave nothing running."""
        await self._place.close()
        await self._built.observer.close()
        await self._notifier.close(self._say)

    def _open(self, run: Run, described: Sequence[Described]) -> Opened:
        """Decide what the loop needs to know."""
        self.opened = self._desk.open(run, described)
        is_grid = any(grid is not None for grid in self.opened.grids)
        self._place.share.priority = priority_of(self._ask, grid=is_grid)
        return self.opened

    def _say(self, sentence: str, level: int = logging.WARNING) -> None:
        log.log(level, "%s", sentence, extra={"collection": self._name})
        if level >= logging.WARNING:
            self._listener.trouble(sentence.removeprefix("warning: "))


def _age(master: str) -> str:
    try:
        status = os.stat(master)  # noqa: PTH116  one call
    except OSError:
        return "absent"
    return f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"


def _recorded(folder: Path) -> Iterator[Recorded]:
    reader = JournalReader(folder)
    try:
        number = 0
        while some := reader.after(number, AT_ONCE):
            number = some[-1][0]
            yield from (recorded for _, recorded in some)
    finally:
        reader.close()
