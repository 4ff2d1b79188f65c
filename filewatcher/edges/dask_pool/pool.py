"""The pool of workers, which many collections share.

Dask never reruns anything by itself here: the loop's journal decides. Nor does it place anything: each batch goes to a
worker that is armed, so it is known what was lost with it. Its scheduler carries the batches (`Lane`, `Courier`), and
knows workers, credentials and connections; its tasks are for arming.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import dask.system

from filewatcher.core.batching import BatchLost
from filewatcher.core.placing import Placing
from filewatcher.edges.dask_pool import worker
from filewatcher.edges.dask_pool.connecting import connected
from filewatcher.edges.dask_pool.courier import Courier
from filewatcher.edges.dask_pool.herald import Herald, names_of_workers
from filewatcher.edges.dask_pool.lane import Gone, Lane
from filewatcher.edges.dask_pool.parcels import Answers, ended
from filewatcher.edges.dask_pool.share import Share
from filewatcher.edges.dask_pool.tasks import Tasks
from filewatcher.errors import FilewatcherError
from filewatcher.ports import WORKER_NEWS
from filewatcher.settled import settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client

    from filewatcher.core.batching import Batch, BatchEnded, Limits
    from filewatcher.edges.dask_pool.parcels import Parcel
    from filewatcher.ports import Cluster, Door

SPOT_FINDING = "spotfinding.analysis:Analysis"
"""What a worker does with a frame, by name: a class with the constructor and the methods of this one."""

GATHER = 0.1
"""Seconds in which all that a dead worker had comes back."""


def cores() -> int:
    """How many cores this process may use: the default number of local workers."""
    return int(dask.system.CPU_COUNT)


class _Out(NamedTuple):
    """A batch that has been handed out."""

    share: Share
    batch: Batch
    packed: Parcel
    answer: asyncio.Future[Any] | None = None
    """Once it has been sent."""


class DaskPool:
    """Workers that `cluster` provides, one thread each: DIALS holds the GIL. `say` is told what a user should know.

    A loop works with a `share` of it. `analysis`: what workers do with a frame.
    """

    def __init__(
        self,
        cluster: Cluster,
        limits: Limits,
        frame_timeout: float = 60.0,
        analysis: str = SPOT_FINDING,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.analysis, self.say = analysis, say
        self.placing = Placing(limits.in_flight_per_worker)
        self.workers: dict[str, str] = {}
        """All that are there, armed or not: address -> name."""
        self.frames_back = 0
        """Frames that workers have answered."""
        self.worker_seconds = 0.0
        """Seconds that they took."""
        self._cluster, self._frame_timeout = cluster, frame_timeout
        self._shares: dict[int, Share] = {}
        self._door: Door | None = None
        self._client: Client | None = None
        self._tasks: Tasks | None = None
        self._lane: Lane | None = None
        self._starting: asyncio.Task[None] | None = None
        self._out: dict[int, _Out] = {}
        self._doing: set[asyncio.Task[Any]] = set()
        self._gone: FilewatcherError | None = None

    @property
    def ready(self) -> int:
        """Workers that take frames."""
        return self.placing.ready()

    @property
    def workers_at_first(self) -> int:
        """How many workers there are from the beginning; 0 = they come when their cluster gives them."""
        assert self._door is not None
        return self._door.workers

    @property
    def tasks(self) -> Tasks:
        """The way to the workers, once the pool has started."""
        assert self._tasks is not None
        return self._tasks

    @property
    def lane(self) -> Lane:
        """The way of batches to the workers, once the pool has started."""
        assert self._lane is not None
        return self._lane

    def share(self, priority: int = 0) -> Share:
        """Make room for one more collection: the lowest priority is served first. To be closed."""
        share = Share(self, priority)
        self._shares[share.number] = share
        if self._gone is not None:
            share.back(self._gone)
        return share

    async def start(self) -> None:
        """Have a scheduler, and workers there or on their way; harmless if they are. Raises `Unreachable`."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        # a start that is cancelled half-way leaves processes behind: let it come to its end, `close` waits for it
        await asyncio.shield(self._starting)

    async def _start(self) -> None:
        await self._connect()
        settle()
        self._do(self._stay_connected())

    async def _connect(self) -> None:
        self._door = door = await self._cluster.start()
        async with connected(door) as client:
            # workers are armed as soon as they are heard of
            self._tasks, self._lane = Tasks(client), Lane(client)
            await client.register_plugin(Courier())
            client.subscribe_topic(WORKER_NEWS, self._hear)
            await client.register_plugin(Herald())
            names = await client.run_on_scheduler(names_of_workers)
        self._client = client
        for address, name in names.items():
            self._came(address, name)

    async def _stay_connected(self) -> None:
        """Find a new scheduler when this one is gone; what it had is handed out again, through no fault of its own."""
        try:
            while True:
                why = await self._lost()
                self.say(f"{why}; starting it again")
                client, self._client = self._client, None
                for address in list(self.workers):
                    self._went(address, f"the scheduler lost it: {why}")
                if client is not None:
                    await client.close()
                await self._connect()
        except FilewatcherError as error:
            self._gone = error
            for share in self._shares.values():
                share.back(error)

    async def _lost(self) -> str:
        """Wait until scheduler or connection are lost."""
        lost = [asyncio.create_task(self._cluster.lost()), asyncio.create_task(self.lane.broken())]
        try:
            done, _ = await asyncio.wait(lost, return_when=asyncio.FIRST_COMPLETED)
            return next(task for task in lost if task in done).result()
        finally:
            for task in lost:
                task.cancel()
            await asyncio.gather(*lost, return_exceptions=True)

    async def close(self) -> None:
        """Let go of the workers, and end those that were started for us."""
        if self._starting is not None:  # first, for it leaves a task behind that minds the scheduler
            await asyncio.gather(self._starting, return_exceptions=True)
        client, self._client = self._client, None
        await asyncio.gather(*(share.close() for share in self._shares.values()))
        for task in self._doing:
            task.cancel()
        await asyncio.gather(*self._doing, return_exceptions=True)
        if client is not None:
            await client.close()
        await self._cluster.close()
        self._starting = None

    # ---- workers come and go

    def _hear(self, event: tuple[float, dict[str, str]]) -> None:
        match event[1]:
            case {"action": "came", "worker": address, "name": name}:
                self._came(address, name)
            case {"action": "leaving", "worker": address}:
                self.placing.leaves(address)
            case {"action": "went", "worker": address}:
                self.placing.dies(address)
                # results that are on their way from it still count
                asyncio.get_running_loop().call_later(GATHER, self._went, address)

    def _came(self, address: str, name: str) -> None:
        if address not in self.workers:
            self.workers[address] = name
            for share in sorted(self._shares.values(), key=lambda share: share.priority):
                share.came(address)

    def _went(self, address: str, why: str | None = None) -> None:
        """Tell the shares what a worker had; only over the batch that ran it may have died."""
        self.workers.pop(address, None)
        expected = self.placing.is_leaving(address)
        died = f"its worker died: a crash, lack of memory, or longer than {self._frame_timeout:g} s"
        for lost in self.placing.went(address):
            reason = why or (died if lost.ran else "it was waiting at a worker that died")
            blameless = why is not None or expected or not lost.ran
            del self._out[lost.ticket]
            if lost.share in self._shares:
                self._shares[lost.share].back(BatchLost(lost.batch, reason, blameless=blameless))
        self.lane.gone(address)

    def judged(self, address: str, *, fit: bool) -> None:
        """Tell the cluster whether a worker can be used; one that another share uses can be."""
        if address in self.workers and (fit or not self.placing.has(address)):
            self._cluster.judged(self.workers[address], fit=fit)

    # ---- what shares hand out

    def hand_out(self, share: Share, batch: Batch, packed: Parcel) -> None:
        """Have a worker analyse a batch; it comes back to the share."""
        _, ticket = self.placing.hand_out(share.number, batch)
        self._out[ticket] = _Out(share, batch, packed)
        self._send()

    def _send(self) -> None:
        for address, ticket in self.placing.due():
            out = self._out[ticket]
            what = out.share.name, *out.packed, self._frame_timeout
            answer = self.lane.ask(address, out.share.priority, worker.analyse, *what)
            self._out[ticket] = out._replace(answer=answer)
            answer.add_done_callback(partial(self._answered, ticket, address))

    def withdraw(self, share: Share) -> None:
        """A share wants nothing any more."""
        del self._shares[share.number]
        for ticket in self.placing.close(share.number):
            if (answer := self._out.pop(ticket).answer) is not None:
                answer.cancel()
        self._send()
        if self._client is not None and share.arming is not None:
            self._do(self._disarm(share.name, list(self.workers)))

    async def _disarm(self, name: str, addresses: list[str]) -> None:
        futures = [self.tasks.submit(address, worker.disarm, name) for address in addresses]
        for future in futures:
            await future.exception()
            future.release()

    def _do(self, what: Any) -> None:
        task = asyncio.create_task(what)
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)

    def _answered(self, ticket: int, address: str, answer: asyncio.Future[Any]) -> None:
        if answer.cancelled():
            return  # taken back
        error, out = answer.exception(), self._out.pop(ticket, None)
        if out is None:
            return  # its worker was given up
        back: BatchEnded | BatchLost
        match error:
            case None:
                answers = Answers(*answer.result())
                self.frames_back += len(out.batch.frames)
                self.worker_seconds += answers.seconds
                back = ended(out.batch, answers)
            case Gone():
                self.placing.dies(address)
                back = BatchLost(out.batch, str(error), blameless=True)
            case _:
                back = BatchLost(out.batch, str(error), blameless=False)
        if self.placing.came_back(ticket):
            out.share.back(back)
        self._send()
