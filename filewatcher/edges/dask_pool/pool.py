"""The pool of workers, which many collections share.

Dask never reruns anything by itself here: its scheduler gives up at the first failure, every attempt has a new key, and
the loop's journal decides (a lost worker also loses finished results that were not fetched yet, which Dask would run
twice). Nor does it place anything: each batch goes to a worker that is armed, so it is known what was lost with it.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
from typing import TYPE_CHECKING, Any, NamedTuple

import dask
import dask.system
from distributed import Client
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker
from distributed.security import Security

from filewatcher.core.batching import BatchLost
from filewatcher.core.placing import Placing
from filewatcher.edges.dask_pool import worker
from filewatcher.edges.dask_pool.arming import AT_ONCE
from filewatcher.edges.dask_pool.herald import Herald, names_of_workers
from filewatcher.edges.dask_pool.parcels import Answers, ended
from filewatcher.edges.dask_pool.share import Share
from filewatcher.edges.dask_pool.tasks import Tasks
from filewatcher.errors import FilewatcherError, Unreachable
from filewatcher.ports import WORKER_NEWS
from filewatcher.settled import settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Future

    from filewatcher.core.batching import Batch, BatchEnded, Limits
    from filewatcher.edges.dask_pool.parcels import Parcel
    from filewatcher.ports import Cluster, Credentials, Door

CLIENT_SETTINGS = {
    # payloads that the client keeps for debugging: its memory must not grow with them
    "distributed.admin.low-level-log-length": 10,
}

SPOT_FINDING = "spotfinding.analysis:Analysis"
"""What a worker does with a frame, by name: a class with the constructor and the methods of this one."""

TOGETHER = 0.002
"""Seconds in which messages to the scheduler go together: with Dask's 0.01 a frame that comes alone is late."""
GATHER = 0.1
"""Seconds in which all that a dead worker had comes back."""
CONNECT_LIMIT = 30.0
"""Seconds for the scheduler to answer."""


def cores() -> int:
    """How many cores this process may use: the default number of local workers."""
    return int(dask.system.CPU_COUNT)


class _Out(NamedTuple):
    """A batch that has been handed out."""

    share: Share
    batch: Batch
    future: Future[Any]


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

    def share(self, priority: int = 0) -> Share:
        """Make room for one more collection: the lowest priority is served first. To be closed."""
        share = Share(self, self.placing.open(priority), priority)
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
        dask.config.set(CLIENT_SETTINGS)
        for name in ("distributed", "distributed.client"):  # what a user has to know is said in a sentence
            logging.getLogger(name).setLevel(logging.CRITICAL)
        await self._connect()
        settle()
        self._do(self._stay_connected())

    async def _connect(self) -> None:
        self._door = door = await self._cluster.start()
        security = None if door.credentials is None else _security(door.credentials)
        client = Client(door.address, asynchronous=True, set_as_default=False, security=security, timeout=CONNECT_LIMIT)
        try:
            await client
            self._client, self._tasks = client, Tasks(client)  # workers are armed as soon as they are heard of
            if client.scheduler_comm is not None:
                client.scheduler_comm.interval = TOGETHER
            client.subscribe_topic(WORKER_NEWS, self._hear)
            client.subscribe_topic(self._tasks.topic, self._answered)
            await client.register_plugin(Herald())
            names = await client.run_on_scheduler(names_of_workers)
        except (OSError, RuntimeError, TimeoutError, TypeError, ValueError) as error:
            self._client = None
            await client.close()
            raise Unreachable(f"the Dask scheduler at {door.address} did not answer as one: {error}") from error
        for address, name in names.items():
            self._came(address, name)

    async def _stay_connected(self) -> None:
        """Find a new scheduler when this one is gone; what it had is handed out again, through no fault of its own."""
        try:
            while True:
                why = await self._cluster.lost()
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
            self._out.pop(lost.ticket).future.release()
            if lost.share in self._shares:
                self._shares[lost.share].back(BatchLost(lost.batch, reason, blameless=blameless))

    def judged(self, address: str, *, fit: bool) -> None:
        """Tell the cluster whether a worker can be used; one that another share uses can be."""
        if address in self.workers and (fit or not self.placing.has(address)):
            self._cluster.judged(self.workers[address], fit=fit)

    # ---- what shares hand out

    def hand_out(self, share: Share, batch: Batch, packed: Parcel) -> None:
        """Have a worker analyse a batch; it comes back to the share."""
        address, ticket = self.placing.hand_out(share.number, batch)
        what = ((self.tasks.topic, ticket), share.name, *packed, self._frame_timeout)
        future = self.tasks.submit(address, share.priority, worker.analyse, *what)
        self._out[ticket] = _Out(share, batch, future)
        self._do(self._mind(ticket, future))

    def withdraw(self, share: Share) -> None:
        """A share wants nothing any more."""
        del self._shares[share.number]
        for ticket in self.placing.close(share.number):
            self._out.pop(ticket).future.release()
        if self._client is not None and share.arming is not None:
            self._do(self._disarm(share.name, list(self.workers)))

    async def _disarm(self, name: str, addresses: list[str]) -> None:
        futures = [self.tasks.submit(address, AT_ONCE, worker.disarm, name) for address in addresses]
        for future in futures:
            await future.exception()
            future.release()

    def _do(self, what: Any) -> None:
        task = asyncio.create_task(what)
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)

    def _answered(self, event: tuple[float, tuple[int, bytes]]) -> None:
        ticket, packed = event[1]
        if ticket in self._out:  # else the worker that had it was given up
            answers = Answers(*pickle.loads(packed))  # noqa: S301  from our own worker
            self.frames_back += len(self._out[ticket].batch.frames)
            self.worker_seconds += answers.seconds
            self._came_back(ticket, lambda batch: ended(batch, answers))

    async def _mind(self, ticket: int, future: Future[Any]) -> None:
        """Wait until a batch has come back, or see why it never will."""
        error = await future.exception()
        if ticket not in self._out or future.cancelled() or isinstance(error, KilledWorker):
            return  # its worker, or the scheduler, is gone: news of its own, and then it is known which batch ran
        if error is None:
            lost = "its answer did not arrive", True
        elif isinstance(error, CommClosedError):
            lost = f"the way to the scheduler broke: {error}", True
        else:
            lost = f"{type(error).__name__}: {error}", False
        self._came_back(ticket, lambda batch: BatchLost(batch, lost[0], blameless=lost[1]))

    def _came_back(self, ticket: int, back: Callable[[Batch], BatchEnded | BatchLost]) -> None:
        share, batch, future = self._out.pop(ticket)
        future.release()
        if self.placing.came_back(ticket):
            share.back(back(batch))


def _security(credentials: Credentials) -> Security:
    return Security(
        tls_ca_file=credentials.certificate,
        tls_client_cert=credentials.certificate,
        tls_client_key=credentials.key,
        require_encryption=True,
    )
