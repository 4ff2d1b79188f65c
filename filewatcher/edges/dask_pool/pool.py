"""The pool of workers, as the loop sees it.

Dask never reruns anything by itself here: its scheduler gives up at the first failure, every attempt has a new key, and
the loop's journal decides (a lost worker also loses finished results that were not fetched yet, which Dask would run
twice). Nor does it place anything: each batch goes to a worker that is armed, so it is known what was lost with it.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import TYPE_CHECKING, Any

import dask
import dask.system
from distributed import Client
from distributed.client import FutureCancelledError
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker
from distributed.security import Security

from filewatcher.core.batching import BatchEnded, BatchLost, Unreadable
from filewatcher.core.messages import Disagreement, FrameFailed, FrameResult, Statistics
from filewatcher.core.placing import Placing
from filewatcher.edges.dask_pool import worker
from filewatcher.edges.dask_pool.arming import Armoury
from filewatcher.edges.dask_pool.herald import Herald, names_of_workers
from filewatcher.errors import FilewatcherError, Unreachable
from filewatcher.ports import WORKER_NEWS
from spotfinding.chunks import Layout, unsupported

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Future

    from filewatcher.core.batching import Batch, Limits
    from filewatcher.core.messages import ChunkLayout, FrameReady
    from filewatcher.core.run import Job
    from filewatcher.ports import Cluster, Credentials, Door

CLIENT_SETTINGS = {
    # payloads that the client keeps for debugging: its memory must not grow with them
    "distributed.admin.low-level-log-length": 10,
}

SPOT_FINDING = "spotfinding.analysis:Analysis"
"""What a worker does with a frame, by name: a class with the constructor and the methods of this one."""

GATHER = 0.1
"""Seconds in which all that a dead worker had comes back."""
CONNECT_LIMIT = 30.0
"""Seconds for the scheduler to answer."""


def cores() -> int:
    """How many cores this process may use: the default number of local workers."""
    return int(dask.system.CPU_COUNT)


class DaskPool:
    """Workers that `cluster` provides, one thread each: DIALS holds the GIL. `say` is told what a user should know."""

    def __init__(
        self,
        cluster: Cluster,
        limits: Limits,
        frame_timeout: float = 60.0,
        analysis: str = SPOT_FINDING,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._cluster, self._frame_timeout, self._say = cluster, frame_timeout, say
        self._placing = Placing(limits.in_flight_per_worker)
        self._armoury = Armoury(self._run_at, analysis, say, cluster.judged)
        self._door: Door | None = None
        self._client: Client | None = None
        self._starting: asyncio.Task[None] | None = None
        self._verify: dict[str, int] = {}
        self._sequence = itertools.count()
        self._workers: dict[str, str] = {}
        self._armed = False
        self._futures: dict[int, Future[Any]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ended: asyncio.Queue[BatchEnded | BatchLost | FilewatcherError] = asyncio.Queue()
        self.frames_back = 0
        """Frames that workers have answered."""
        self.worker_seconds = 0.0
        """Seconds that they took."""

    @property
    def ready(self) -> int:
        """Workers that take frames."""
        return self._placing.ready

    @property
    def places(self) -> int:
        """How many more batches to hand out now."""
        return self._placing.places

    def unsupported(self, layout: ChunkLayout) -> str | None:
        """Why images stored like this cannot be read; None = they can."""
        return unsupported(Layout(*_plain(layout)))

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
        self._do(self._stay_connected())

    async def _connect(self) -> None:
        self._door = door = await self._cluster.start()
        security = None if door.credentials is None else _security(door.credentials)
        client = Client(door.address, asynchronous=True, set_as_default=False, security=security, timeout=CONNECT_LIMIT)
        try:
            await client
            self._client = client  # workers are armed as soon as they are heard of
            client.subscribe_topic(WORKER_NEWS, self._hear)
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
                self._say(f"{why}; starting it again")
                client, self._client = self._client, None
                for address in list(self._workers):
                    self._went(address, f"the scheduler lost it: {why}")
                if client is not None:
                    await client.close()
                await self._connect()
        except FilewatcherError as error:
            self._ended.put_nowait(error)

    async def arm(self, job: Job) -> None:
        """Have every worker, also those to come, build what the collection needs; returns when the first has.

        Raises `Broken` if the collection cannot be analysed, `Unreachable` if there is nobody to do it.
        """
        assert self._door is not None
        self._verify[job.name] = job.verify
        await self._armoury.add(job)
        self._armed = True
        arming = {address: self._do(self._arm(address)) for address in list(self._workers)}
        # those that work for other collections must not get a frame of this one too early
        busy = [task for address, task in arming.items() if self._placing.has(address)]
        await self._armoury.first(self._door.workers)
        await asyncio.gather(*busy)

    def submit(self, job: str, batch: Batch) -> None:
        """Hand out a batch; it comes back by `ended`."""
        places = [(f.path, f.offset, f.size, f.filter_mask) for f in batch.frames]
        every = self._verify[job]
        judged = [i for i, f in enumerate(batch.frames) if f.frame % every == 0] if every else []
        address, ticket = self._placing.hand_out(batch)
        stored, limit = _plain(batch.frames[0].layout), self._frame_timeout
        future = self._task(address, worker.analyse, job, stored, places, judged, limit)
        self._futures[ticket] = future
        self._do(self._collect(future, batch, ticket))

    async def ended(self) -> list[BatchEnded | BatchLost]:
        """Wait for batches to come back; all that have. Raises `Unreachable` when there is no scheduler any more."""
        ended = []
        waiting: BatchEnded | BatchLost | FilewatcherError = await self._ended.get()
        while True:
            if isinstance(waiting, FilewatcherError):
                raise waiting
            ended.append(waiting)
            if self._ended.empty():
                return ended
            waiting = self._ended.get_nowait()

    async def close(self) -> None:
        """Let go of the workers, and end those that were started for us."""
        if self._starting is not None:  # first, for it leaves a task behind that minds the scheduler
            await asyncio.gather(self._starting, return_exceptions=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.close()
        await self._cluster.close()
        self._client = self._starting = None

    # ---- workers come and go

    def _hear(self, event: tuple[float, dict[str, str]]) -> None:
        match event[1]:
            case {"action": "came", "worker": address, "name": name}:
                self._came(address, name)
            case {"action": "leaving", "worker": address}:
                self._placing.leaves(address)
            case {"action": "went", "worker": address}:
                # results that are on their way from it still count
                asyncio.get_running_loop().call_later(GATHER, self._went, address)

    def _came(self, address: str, name: str) -> None:
        if address not in self._workers:
            self._workers[address] = name
            if self._armed:
                self._do(self._arm(address))

    async def _arm(self, address: str) -> None:
        if await self._armoury.arm(address, self._workers[address]) and address in self._workers:
            self._placing.came(address)

    def _went(self, address: str, why: str | None = None) -> None:
        """Take back all that a worker had: the oldest batch was the one that ran."""
        self._workers.pop(address, None)
        blameless = why is not None or self._placing.is_leaving(address)
        for ticket, batch in self._placing.went(address):
            reason = why or f"its worker died: a crash, lack of memory, or longer than {self._frame_timeout:g} s"
            self._ended.put_nowait(BatchLost(batch, reason, blameless=blameless))
            self._futures.pop(ticket).release()
            blameless, why = True, why or "it was waiting at a worker that died"

    # ---- tasks

    def _do(self, what: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _task(self, address: str, function: Any, *args: Any) -> Future[Any]:
        """Submit under a key that never repeats; a tuple, because Dask keeps every prefix of a string for ever."""
        assert self._client is not None
        key = (function.__name__, next(self._sequence))
        return self._client.submit(function, *args, key=key, pure=False, workers=[address], allow_other_workers=False)

    async def _run_at(self, address: str, function: Any, *args: Any) -> Any:
        future = self._task(address, function, *args)
        try:
            return await future
        finally:
            future.release()

    async def _collect(self, future: Future[Any], batch: Batch, ticket: int) -> None:
        back: BatchEnded | BatchLost
        try:
            answers, seconds = await future
            outcomes = tuple(_outcome(*one) for one in zip(batch.frames, batch.attempts, answers, strict=True))
            back = BatchEnded(batch, outcomes, seconds)
        except (KilledWorker, FutureCancelledError):
            return  # its worker, or the scheduler, is gone: that is news of its own, and then it is known who ran
        except CommClosedError as error:
            back = BatchLost(batch, f"the way to the scheduler broke: {error}", blameless=True)
        except Exception as error:  # noqa: BLE001  the boundary of a batch: whatever it is, the collection goes on
            back = BatchLost(batch, f"{type(error).__name__}: {error}", blameless=False)
        if self._placing.came_back(ticket):
            self._futures.pop(ticket).release()
            if isinstance(back, BatchEnded):
                self.frames_back += len(batch.frames)
                self.worker_seconds += back.seconds
            self._ended.put_nowait(back)


def _security(credentials: Credentials) -> Security:
    return Security(
        tls_ca_file=credentials.certificate,
        tls_client_cert=credentials.certificate,
        tls_client_key=credentials.key,
        require_encryption=True,
    )


def _plain(layout: ChunkLayout) -> tuple[Any, ...]:
    return layout.shape, layout.dtype, tuple((f.id, f.options) for f in layout.filters)


def _outcome(frame: FrameReady, attempts: int, answer: worker.Answer) -> FrameResult | FrameFailed | Unreadable:
    match answer:
        case ("done", (engine, *numbers), *verdict):
            statistics = Statistics(*numbers)
            return FrameResult(frame.scan, frame.frame, statistics, engine, attempts, _verified(verdict))
        case ("unreadable", reason):
            return Unreadable(frame, reason)
        case (_, reason, *verdict):
            return FrameFailed(frame.scan, frame.frame, reason, attempts, _verified(verdict))


def _verified(verdict: list[worker.Verdict]) -> tuple[Disagreement, ...] | None:
    return tuple(Disagreement(*difference) for difference in verdict[0]) if verdict else None
