"""Takes asks, starts as many collections as are allowed, ends each, and begins again where a restart left off."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from filewatcher.core.asks import Asked, priority_of
from filewatcher.core.scanwatch import SUPERSEDED
from filewatcher.errors import FilewatcherError, Full, Refused, Unknown, Unreachable
from filewatcher.service.entry import Entry
from filewatcher.service.ports import Kept, Terms
from filewatcher.service.sameness import SameAsAnotherError, asked_before, check_still_new
from filewatcher.service.shelf import Shelf
from filewatcher.service.telling import Telling

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from filewatcher.core.asks import Ask
    from filewatcher.core.grid import Grid
    from filewatcher.core.run import Finished
    from filewatcher.ports import Follower, Resolver
    from filewatcher.service.ports import Ended, Registry, Works

log = logging.getLogger(__name__)

AGAIN = 10.0
"""Seconds after which a collection that had no workers is tried again: nobody says when there will be some."""
CLOSING = 30.0
"""Seconds that collections have to let go when the daemon stops."""


class Service:
    """The collections of one daemon. `clock` in seconds, `today` an ISO 8601 time."""

    def __init__(
        self,
        works: Works,
        registry: Registry,
        clock: Callable[[], float],
        today: Callable[[], str],
        terms: Terms | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self._works, self._registry, self._resolver = works, registry, resolver
        self._clock, self._today = clock, today
        self.terms = terms or Terms()
        self._shelf = Shelf(self.terms)
        self._followers: list[Follower] = []
        self._asking = asyncio.Lock()
        self._loading = asyncio.Lock()
        self._keeping: set[asyncio.Task[None]] = set()
        self._closing = False

    # ---- what may be asked

    def collections(self) -> list[Entry]:
        """Return all, the latest first."""
        return self._shelf.latest_first()

    def get(self, collection: str) -> Entry:
        """Return one. Raises `Unknown`."""
        return self._shelf.get(collection)

    async def with_cells(self, collection: str) -> Entry:
        """Return one with its frames, also where it ended long ago. Raises `Unknown`."""
        entry = self.get(collection)
        async with self._loading:
            if entry.over and not entry.scans:
                entry.archived(await self._works.archive(entry.kept))
                self._shelf.looked_at(entry)
        return entry

    async def view(self, collection: str, scan: int, frame: int, what: str, black: float | None) -> bytes:
        """Return a frame as `Work.view` does, also of a collection that has ended."""
        entry = self.get(collection)
        if entry.work is not None:
            return await entry.work.view(scan, frame, what, black)
        if not entry.over:
            raise Unknown(f"collection {entry.id} has not begun: it has no images yet")
        return await self._works.view(entry.kept, scan, frame, what, black)

    def counts(self) -> dict[str, int]:
        """How many collections are in each state."""
        return self._shelf.counts()

    def summary(self, entry: Entry) -> dict[str, object]:
        """Return what is told of a collection now."""
        return dict(entry.summary(self._clock()))

    # ---- what may be told

    def follow(self, follower: Follower) -> None:
        """Tell this one too."""
        self._followers.append(follower)

    async def start(self) -> None:
        """Go on with all that had not ended when the last process did."""
        for kept in self._registry.load(self.terms.remembered):
            entry = self._shelf.add(Entry(kept))
            if not entry.over:
                entry.state = "queued"
        self._pump()

    async def ask(self, ask: Ask) -> Asked:
        """Have a collection analysed; returns when that is safe from a crash. Raises `Refused`, `Full`, `Forbidden`."""
        self._refuse_id_alone(ask)
        await self._works.check(ask)
        async with self._asking:
            if (same := asked_before(ask, self.collections(), self._works.age)) is not None:
                return Asked(same.id, new=False)
            queued = sum(entry.state == "queued" for entry in self._shelf)
            if queued >= self.terms.queued:
                raise Full(
                    f"{self.terms.running} collections are watched and {queued} wait, which is all that is allowed: "
                    "ask again later, or cancel one"
                )
            return Asked((await self._add(ask)).id, new=True)

    async def reprocess(self, collection: str, ask: Ask) -> Asked:
        """Have a collection analysed once more, another way. Raises as `ask`, and `Unknown`."""
        entry = self.get(collection)
        return await self.ask(replace(ask, reprocess_of=entry.id, wait=not entry.over))

    async def end(self, collection: str) -> None:
        """Hear that the detector has stopped. Raises `Unknown`."""
        entry = self.get(self.get(collection).same_as or collection)
        if entry.over or entry.stopped is not None:
            return
        entry.stopped = self._today()
        if entry.work is not None:
            entry.work.end()
        await self._remember(entry)

    async def cancel(self, collection: str) -> None:
        """End a collection now; what is on record stays. Harmless if it has ended. Raises `Unknown`."""
        entry = self.get(collection)
        if entry.over:
            return
        entry.cancelling = True
        if entry.task is not None:
            entry.task.cancel()
            await asyncio.wait([entry.task])
        if not entry.over:  # it had not begun
            await self._over(entry, "cancelled", None)

    async def lay_out(self, collection: str, grids: Sequence[Grid | None]) -> None:
        """Show scans as grids that a person gives, as `Entry.lay_out`; returns when that is kept. Raises `Unknown`."""
        entry = self.get(collection)
        entry.lay_out(grids)
        await self._registry.keep(entry.kept)

    async def close(self) -> None:
        """Stop; what has not ended goes on with the next start."""
        self._closing = True
        tasks = [entry.task for entry in self._shelf if entry.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSING)
        await asyncio.gather(*self._keeping, return_exceptions=True)
        self._registry.close()

    # ---- how

    def _refuse_id_alone(self, ask: Ask) -> None:
        if not ask.masters and self._resolver is None:
            raise Refused(
                f"data collection {ask.dcids[0]}: this daemon looks no ids up (ISPYB_CREDENTIALS): give the master file"
            )

    async def _add(self, ask: Ask) -> Entry:
        kept = Kept(secrets.token_hex(6), ask, self._today(), "queued")
        await self._registry.keep(kept)
        entry = self._shelf.add(Entry(kept))
        log.info("asked for by %s: %s", ask.origin, " ".join(ask.masters) or ask.dcids, extra={"collection": entry.id})
        self._pump()
        return entry

    def _pump(self) -> None:
        """Start what may start: what people wait for first, then in the order of asking."""
        if self._closing:
            return
        now = self._clock()
        queued = [entry for entry in self._shelf if entry.state == "queued" and entry.not_before <= now]
        running = sum(entry.task is not None for entry in self._shelf)
        queued.sort(key=lambda entry: priority_of(entry.ask, grid=entry.ask.sketched))
        for entry in queued[: max(0, self.terms.running - running)]:
            entry.state, entry.reason = "waiting", None
            entry.task = asyncio.create_task(self._watch(entry), name=f"collection {entry.id}")

    async def _watch(self, entry: Entry) -> None:
        """One collection to its end, whatever that is."""
        state, ended, again = "done", None, False
        for follower in self._followers:
            follower.began(entry.id, entry.ask)
        try:
            ended = await self._work(entry)
            entry.folder = ended.folder
            again = any(scan.ended.reason.endswith(SUPERSEDED) for scan in ended.finished.scans)
        except asyncio.CancelledError:
            if not entry.cancelling:
                raise  # the daemon stops; the next one goes on
            state = "cancelled"
        except SameAsAnotherError as same:
            state, entry.reason = "cancelled", str(same)
            if entry.stopped is not None:
                await self.end(same.id)
        except Unreachable as error:
            self._put_back(entry, str(error))
            return
        except FilewatcherError as error:
            state, entry.reason = "failed", str(error)
        except Exception as error:  # the boundary of a collection: whatever it is, the others go on
            log.exception("this is a fault of filewatcher", extra={"collection": entry.id})
            state, entry.reason = "failed", f"this is a fault of filewatcher: {type(error).__name__}: {error}"
        over = self._do(self._over(entry, state, None if ended is None else ended.finished, superseded=again))
        await asyncio.shield(over)
        if again:
            await self._ask_anew(replace(entry.ask, dcids=()))

    async def _ask_anew(self, ask: Ask) -> None:
        """Whoever asked for a new collection of a name before the old one had ended was answered with the old."""
        async with self._asking:
            if asked_before(ask, self.collections(), self._works.age) is None:
                try:
                    await self._add(ask)  # in the place of the old one: that the queue is full is no reason
                except FilewatcherError as error:
                    log.error("%s is written anew and not watched: %s", " ".join(ask.masters), error)  # noqa: TRY400

    async def _work(self, entry: Entry) -> Ended:
        self._refuse_id_alone(entry.ask)
        if self._resolver is not None:
            entry.ask = await self._resolver.resolve(entry.ask)
            check_still_new(entry, self._shelf)
            await self._remember(entry)
        # also what was allowed when it was asked for may not be after a restart
        await self._works.prepare(entry.ask)
        telling = Telling(entry, self._followers, self._clock, lambda: self._do(self._remember(entry)))
        entry.work = self._works.open(entry.id, entry.ask, telling)
        if entry.stopped is not None:
            entry.work.end()
        try:
            ended = await entry.work.run()
            entry.warnings += [one for one in ended.finished.warnings if one not in entry.warnings]
            return ended
        finally:
            entry.remember(self._clock())
            work, entry.work = entry.work, None
            await asyncio.shield(work.close())

    def _put_back(self, entry: Entry, reason: str) -> None:
        """There are no workers: nothing is wrong with the collection, which goes on when there are."""
        log.error("%s; again in %g s", reason, AGAIN, extra={"collection": entry.id})
        entry.task, entry.state, entry.reason = None, "queued", reason
        entry.not_before = self._clock() + AGAIN
        entry.bell.ring()
        asyncio.get_running_loop().call_later(AGAIN + 0.1, self._pump)
        self._pump()

    async def _over(self, entry: Entry, state: str, finished: Finished | None, *, superseded: bool = False) -> None:
        entry.state, entry.ended = state, self._today()
        entry.age = None if superseded else self._works.age(entry.ask.masters)
        if not entry.kept.summary:
            entry.remember(self._clock())
        words = ": ".join(filter(None, (state, entry.reason)))
        log.info("%s", words, extra={"collection": entry.id})
        await self._remember(entry, summary=entry.summary(self._clock()))
        self._shelf.looked_at(entry)
        for follower in self._followers:
            follower.ended(entry.id, state, finished)
        entry.bell.ring()
        entry.task = None
        self._shelf.forget()
        self._pump()

    async def _remember(self, entry: Entry, **more: Any) -> None:
        """Keep what is known when it is written, not when that was asked for: the last word stands.

        Where that fails (a full disk) this process goes on; the next one knows less, and does more again.
        """
        try:
            await self._registry.keep(replace(entry.kept, **more))
        except FilewatcherError as error:
            log.error("%s; a restart would not know of it", error, extra={"collection": entry.id})  # noqa: TRY400

    def _do(self, what: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Do something that a stop waits for."""
        task = asyncio.create_task(what)
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)
        return task
