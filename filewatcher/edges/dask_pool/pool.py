"""The pool of workers, as the loop sees it.

Dask never reruns anything by itself here: `allowed-failures` is 0, every attempt has a new key, and the loop's
journal decides (a lost worker also loses finished results that were not fetched yet, which Dask would run twice).
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import dask
import dask.system
from distributed import Client, LocalCluster
from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker

from filewatcher.core.batching import BatchEnded, BatchLost, Unreadable
from filewatcher.core.messages import FrameFailed, FrameResult, Statistics
from filewatcher.edges.dask_pool import worker
from filewatcher.errors import Broken, Unreachable
from filewatcher.profiles.jobs import WORKER_ENVIRONMENT
from spotfinding.chunks import Layout, unsupported
from spotfinding.errors import AnalysisError
from spotfinding.parameters import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from distributed import Future

    from filewatcher.core.batching import Batch, Limits
    from filewatcher.core.messages import ChunkLayout, FrameReady
    from filewatcher.core.run import Job

DASK_SETTINGS = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.worker-ttl": "30s",
    "distributed.scheduler.worker-saturation": 1.1,
    # a worker runs its batches in the order in which they were handed out: so it is known which one it died over
    "distributed.scheduler.work-stealing": False,
    # payloads kept for debugging, graphs kept for the dashboard: a daemon's memory must not grow with them
    "distributed.admin.low-level-log-length": 10,
    "distributed.diagnostics.computations.max-history": 5,
    "distributed.worker.daemon": True,
    "distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT,
}

SPOT_FINDING = "spotfinding.analysis:Analysis"
"""What a worker does with a frame, by name: a class with the constructor and the methods of this one."""

GATHER = 0.1
"""Seconds in which all that a dead worker had comes back."""

START_LIMIT = 120.0
"""Seconds for the workers to come up."""


def cores() -> int:
    """How many cores this process may use: the default number of workers."""
    return int(dask.system.CPU_COUNT)


class DaskPool:
    """Worker processes on this machine, one thread each: DIALS holds the GIL."""

    def __init__(
        self,
        workers: int,
        limits: Limits,
        frame_timeout: float = 60.0,
        analysis: str = SPOT_FINDING,
        keywords: Mapping[str, Any] | None = None,
    ) -> None:
        self.workers = workers
        self._analysis = analysis
        self._limits = limits
        self._frame_timeout = frame_timeout
        self._keywords = keywords or {}
        self._cluster: LocalCluster | None = None
        self._client: Client | None = None
        self._starting: asyncio.Task[None] | None = None
        self._sequence = itertools.count()
        self._order = itertools.count()
        self._batches_out = 0
        self._lost: dict[str, list[tuple[int, Batch]]] = {}
        self._collecting: set[asyncio.Task[None]] = set()
        self._ended: asyncio.Queue[BatchEnded | BatchLost] = asyncio.Queue()

    @property
    def places(self) -> int:
        """How many more batches to hand out now."""
        return self.workers * self._limits.in_flight_per_worker - self._batches_out

    def unsupported(self, layout: ChunkLayout) -> str | None:
        """Why images stored like this cannot be read; None = they can."""
        return unsupported(Layout(*_plain(layout)))

    async def start(self) -> None:
        """Start scheduler and workers; harmless if they are there. Raises `Unreachable`."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        # a start that is cancelled half-way leaves processes behind: let it come to its end, `close` waits for it
        await asyncio.shield(self._starting)

    async def _start(self) -> None:
        dask.config.set(DASK_SETTINGS)
        try:
            self._cluster = await asyncio.wait_for(
                LocalCluster(
                    n_workers=self.workers,
                    threads_per_worker=1,
                    processes=True,
                    asynchronous=True,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",
                    silence_logs="CRITICAL",
                    **self._keywords,
                ),
                START_LIMIT,
            )
            self._client = await Client(self._cluster, asynchronous=True, set_as_default=False)
        except (OSError, RuntimeError, TimeoutError) as error:
            if self._cluster is not None:
                await self._cluster.close()  # type: ignore[misc]  # awaitable, because it is asynchronous
            raise Unreachable(f"{self.workers} local Dask workers did not start: {error}") from error

    async def arm(self, job: Job) -> None:
        """Give every worker, also those to come, what the collection needs, and warm them up."""
        assert self._client is not None
        assert self._cluster is not None
        plugin = worker.ArmJob(job.name, asdict(job.detector), dict(job.parameters), job.engine, self._analysis)
        await self._client.register_plugin(plugin)
        addresses = [w.worker_address for w in self._cluster.workers.values()]
        warm = [self._task(worker.warm_up, job.name, workers=[address]) for address in addresses]
        try:
            await asyncio.gather(*warm)
        except (AnalysisError, ParameterError) as error:
            raise Broken(f"the {job.engine} engine cannot analyse this collection: {error}") from error
        except FutureCancelledError as error:
            raise Unreachable(f"the Dask scheduler went away while workers were armed: {error}") from error
        except KilledWorker as error:
            raise Unreachable(
                f"a worker died while it built the {job.engine} engine: is there enough memory?"
            ) from error

    def submit(self, job: str, batch: Batch) -> None:
        """Hand out a batch; it comes back by `ended`."""
        places = [(f.path, f.offset, f.size, f.filter_mask) for f in batch.frames]
        future = self._task(worker.analyse, job, _plain(batch.frames[0].layout), places, self._frame_timeout)
        task = asyncio.create_task(self._collect(future, batch, next(self._order)))
        self._batches_out += 1
        self._collecting.add(task)
        task.add_done_callback(self._collecting.discard)

    async def ended(self) -> list[BatchEnded | BatchLost]:
        """Wait for batches to come back; all that have."""
        ended = [await self._ended.get()]
        while not self._ended.empty():
            ended.append(self._ended.get_nowait())
        return ended

    async def close(self) -> None:
        """End workers and scheduler; nothing is left running."""
        for task in self._collecting:
            task.cancel()
        await asyncio.gather(*self._collecting, return_exceptions=True)
        if self._starting is not None:
            await asyncio.gather(self._starting, return_exceptions=True)
        if self._client is not None:
            await self._client.close()
        if self._cluster is not None:
            await self._cluster.close()  # type: ignore[misc]  # awaitable, because it is asynchronous
        self._client = self._cluster = self._starting = None

    def _task(self, function: Any, *args: Any, workers: list[str] | None = None) -> Future[Any]:
        """Submit under a key that never repeats; a tuple, because Dask keeps every prefix of a string for ever."""
        assert self._client is not None
        key = (function.__name__, next(self._sequence))
        return self._client.submit(function, *args, key=key, pure=False, workers=workers, allow_other_workers=False)

    async def _collect(self, future: Future[Any], batch: Batch, order: int) -> None:
        try:
            answers, seconds = await future
            outcomes = tuple(_outcome(*one) for one in zip(batch.frames, batch.attempts, answers, strict=True))
            self._came_back(BatchEnded(batch, outcomes, seconds))
        except KilledWorker as error:
            self._worker_died(error.last_worker.address, order, batch)
        except FutureCancelledError as error:
            self._came_back(BatchLost(batch, f"the scheduler lost it: {error}", blameless=True))
        except Exception as error:  # noqa: BLE001  the boundary of a batch: whatever it is, the collection goes on
            self._came_back(BatchLost(batch, f"{type(error).__name__}: {error}", blameless=False))
        finally:
            future.release()

    def _worker_died(self, address: str, order: int, batch: Batch) -> None:
        """Gather what was lost with a worker; Dask blames all of it, also what was only waiting there."""
        if address not in self._lost:
            asyncio.get_running_loop().call_later(GATHER, self._judge, address)
        self._lost.setdefault(address, []).append((order, batch))

    def _judge(self, address: str) -> None:
        """The oldest batch was the one that ran."""
        oldest, *waiting = [batch for _, batch in sorted(self._lost.pop(address), key=lambda lost: lost[0])]
        reason = f"its worker died: a crash, lack of memory, or longer than {self._frame_timeout:g} s"
        self._came_back(BatchLost(oldest, reason, blameless=False))
        for batch in waiting:
            self._came_back(BatchLost(batch, "it was waiting at a worker that died", blameless=True))

    def _came_back(self, what: BatchEnded | BatchLost) -> None:
        self._batches_out -= 1
        self._ended.put_nowait(what)


def _plain(layout: ChunkLayout) -> tuple[Any, ...]:
    return layout.shape, layout.dtype, tuple((f.id, f.options) for f in layout.filters)


def _outcome(frame: FrameReady, attempts: int, answer: worker.Answer) -> FrameResult | FrameFailed | Unreadable:
    match answer:
        case ("done", (engine, *numbers)):
            return FrameResult(frame.scan, frame.frame, Statistics(*numbers), engine, attempts)
        case ("unreadable", reason):
            return Unreadable(frame, reason)
        case (_, reason):
            return FrameFailed(frame.scan, frame.frame, reason, attempts)
