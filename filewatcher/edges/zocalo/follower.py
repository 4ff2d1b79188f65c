"""Between zocalo and the collections of a daemon: messages become asks, and what is recorded becomes answers."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, cast

from filewatcher.core.requests import read_request
from filewatcher.edges.zocalo.listening import Subscription
from filewatcher.edges.zocalo.teller import Teller
from filewatcher.edges.zocalo.telling import Known
from filewatcher.errors import FilewatcherError, Full, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from filewatcher.core.answers import Answer
    from filewatcher.core.asks import Ask, Asked
    from filewatcher.core.messages import Outcome
    from filewatcher.core.observations import Described
    from filewatcher.core.requests import Request
    from filewatcher.core.run import Finished, Run
    from filewatcher.edges.zocalo.broker import Broker
    from filewatcher.edges.zocalo.listening import Delivery
    from filewatcher.edges.zocalo.telling import Reader

log = logging.getLogger(__name__)

ANALYSIS = frozenset({"per_image_analysis"})
"""Queues of the per-image analysis that is replaced: its place in a recipe is answered for."""
AGAIN = 5.0
"""Seconds after which a queue of collections that was full is asked again."""


class Collected(Protocol):
    """A collection, as the service knows it."""

    @property
    def id(self) -> str:
        """Its name."""

    @property
    def ask(self) -> Ask:
        """What was asked for, with all that has been looked up since."""

    @property
    def over(self) -> bool:
        """Whether it has ended."""

    @property
    def same_as(self) -> str | None:
        """Id of the collection that goes on in its place, where it was found to be that."""


class Collections(Protocol):
    """The service, as far as it is needed here."""

    async def ask(self, ask: Ask) -> Asked:
        """Have a collection analysed. Raises `Full`, `Refused`."""

    async def end(self, collection: str) -> None:
        """Hear that the detector has stopped."""

    def collections(self) -> Sequence[Collected]:
        """Return all, the latest first."""

    def get(self, collection: str) -> Any:
        """Return one, `Collected`. Raises `Unknown`."""

    def summary(self, entry: Any) -> Mapping[str, object]:
        """Return what is told of one."""


class Zocalo:
    """A `Follower` of the service that listens to a queue, asks for collections and answers.

    `open_journal`: that of a collection, for another thread; None if there is none. `say`: to whoever runs this.
    """

    def __init__(
        self,
        broker: Broker,
        listen_to: str,
        service: Collections,
        open_journal: Callable[[str], Reader | None],
        state_dir: Path,
        say: Callable[[str], None] = log.warning,
        absorbed: frozenset[str] = ANALYSIS,
    ) -> None:
        self._service, self._say, self._absorbed = service, say, absorbed
        self._teller = Teller(broker, state_dir, absorbed, open_journal, say)
        self._subscription = Subscription(broker, listen_to, self._deliver, say)
        self._listening: asyncio.Task[None] | None = None
        self._handling: set[asyncio.Task[None]] = set()
        self._asking: set[int] = set()
        """Steps whose collection is being asked for now."""

    async def start(self) -> None:
        """Answer what an earlier process left, and listen. Call it after the service has started. Raises `Broken`."""
        for task in await asyncio.to_thread(self._teller.start):
            if task.collection is not None:
                self._know_if_over(task.collection)
        self._listening = asyncio.create_task(self._subscription.run(), name="zocalo")

    async def close(self) -> None:
        """Stop listening; tell what can be told at once. The next process goes on with the rest."""
        tasks = [task for task in (self._listening, *self._handling) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._subscription.close()
        await asyncio.to_thread(self._teller.close)

    # ---- in

    def _deliver(self, delivery: Delivery) -> None:
        task = asyncio.create_task(self._handle(delivery))
        self._handling.add(task)
        task.add_done_callback(self._handling.discard)

    async def _handle(self, delivery: Delivery) -> None:
        """Do what a message says; it is acknowledged when that survives a crash of ours."""
        try:
            if not isinstance(delivery.body, dict):
                raise Refused("it is no JSON object")  # noqa: TRY301  one place says what was wrong with a message
            request = read_request(delivery.body, recipe=delivery.recipe, absorbed=self._absorbed)
            await (self._end(request) if request.event == "end" else self._begin(request, delivery.body))
        except Refused as error:
            self._say(f"a message of zocalo was rejected: {error}")
            delivery.reject()
        except FilewatcherError as error:  # the disk: the message stays with the broker, for the next process
            self._say(f"a message of zocalo waits: {error}")
        else:
            delivery.acknowledge()

    async def _begin(self, request: Request, message: Mapping[str, Any]) -> None:
        if request.step is None:
            await self._ask(request.ask())
            return
        number = await asyncio.wrap_future(self._teller.take(request, message))
        # to answer one from two messages would begin its answers anew
        if number is None or number in self._asking:
            log.info("a message of zocalo came again: %s", request.master or request.dcid)
            return
        self._asking.add(number)
        try:
            collection = await self._ask(request.ask())
            await asyncio.wrap_future(self._teller.assign(number, collection))
        except Refused:
            await asyncio.wrap_future(self._teller.forget(number))
            raise
        finally:
            self._asking.discard(number)
        self._know_if_over(collection)

    async def _ask(self, ask: Ask) -> str:
        """Have it analysed, as soon as there is room; returns the id of the collection."""
        if (running := self._running(ask.dcids, ask.masters)) is not None and running.ask.parameters == ask.parameters:
            return running.id
        while True:
            try:
                return (await self._service.ask(ask)).id
            except Full as error:
                self._say(f"a message of zocalo waits: {error}")
                await asyncio.sleep(AGAIN)

    async def _end(self, request: Request) -> None:
        masters = () if request.master is None else (request.master,)
        running = self._running(() if request.dcid is None else (request.dcid,), masters)
        if running is not None:
            await self._service.end(running.id)

    def _running(self, dcids: tuple[int, ...], masters: tuple[str, ...]) -> Collected | None:
        """The collection that has these, if it is not over: a data collection may be one of a pair."""
        for one in self._service.collections():
            known = one.ask.dcids or one.ask.masters
            wanted = dcids if one.ask.dcids else masters
            if not one.over and wanted and set(wanted) <= set(known):
                return one
        return None

    # ---- out

    def began(self, collection: str, ask: Ask, /) -> None:
        """Nothing can be told yet."""

    def described(self, collection: str, described: Sequence[Described], run: Run, /) -> None:  # noqa: ARG002
        """The masters are there."""
        ask = self._service.get(collection).ask
        totals = [None if one.frame_map.open_ended else len(one.frame_map) for one in described]
        self._teller.know(collection, Known(ask.masters, ask.dcids, tuple(totals)))

    def outcomes(self, collection: str, outcomes: Sequence[Outcome], /) -> None:  # noqa: ARG002
        """There is more in its journal."""
        self._teller.wake(collection)

    def centred(self, collection: str, answer: Answer, /) -> None:
        """Nobody asks a filewatcher for that: production's services centre from the answers per image."""

    def ended(self, collection: str, state: str, finished: Finished | None, /) -> None:  # noqa: ARG002
        """It is over: the last words."""
        self._know_if_over(collection)

    def _know_if_over(self, collection: str) -> None:
        with suppress(Refused):  # one that is not remembered any more
            entry = self._service.get(collection)
            if not entry.over:
                return
            if entry.same_as is not None:
                self._teller.move(collection, entry.same_as)
                self._know_if_over(entry.same_as)
                return
            told = self._service.summary(entry)
            scans = cast("Sequence[Mapping[str, Any]]", told.get("scans") or ())
            totals = tuple(cast("int | None", scan.get("expected")) for scan in scans)
            self._teller.know(collection, Known(entry.ask.masters, entry.ask.dcids, totals, over=True))
            return
        self._teller.know(collection, Known((), (), (), over=True))
