"""Batches on their way to a worker: what is lost there is said, and none is lost without a word."""

from __future__ import annotations

import asyncio
import os
import pickle
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from distributed import Scheduler, Worker

from filewatcher.core.batching import Batch, BatchEnded, BatchLost, Limits
from filewatcher.core.detector import Detector
from filewatcher.core.messages import ChunkLayout, FrameReady, FrameResult
from filewatcher.core.run import Job
from filewatcher.edges.dask_pool import DaskPool, worker
from filewatcher.edges.dask_pool.courier import ASK, lacking
from filewatcher.edges.dask_pool.lane import Failed, Gone
from filewatcher.edges.dask_pool.turns import Turns
from filewatcher.ports import COURIER
from filewatcher.testing.clusters import local_cluster
from spotfinding.engines import resolve
from spotfinding.parameters import Parameters

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SHAPE = (60, 50)
NBYTES = 2 * SHAPE[0] * SHAPE[1]
DETECTOR = Detector(SHAPE, (0.075, 0.075), (1, 0, 0), (0, -1, 0), (-2, 2, -200), 1.0)
JOB = Job("a-run", DETECTOR, resolve("native", Parameters()).parameters.as_json(), "native")
LOOK = 0.02


def batch(path: Path) -> Batch:
    """One frame at the beginning of a file."""
    return Batch((FrameReady(0, 0, str(path), 0, NBYTES, 0, ChunkLayout(SHAPE, "<u2", ()), 0),), (1,))


@asynccontextmanager
async def one_worker(said: list[str]) -> AsyncIterator[DaskPool]:
    pool = DaskPool(local_cluster(1), Limits(), say=said.append)
    try:
        await pool.start()
        yield pool
    finally:
        await pool.close()


async def in_hand(pool: DaskPool) -> list[int]:
    """How much each worker has, as the scheduler counts."""
    client: Any = pool._client
    counts = await client.run_on_scheduler(lambda dask_scheduler: dict(dask_scheduler.plugins[COURIER].in_hand))
    return [count for count in counts.values() if count]


def test_a_connection_that_breaks_loses_no_batch(tmp_path: Path) -> None:
    blank, pipe = tmp_path / "blank.raw", tmp_path / "pipe"
    blank.write_bytes(np.random.default_rng(1).poisson(2.0, SHAPE).astype("<u2").tobytes())
    os.mkfifo(pipe)
    said: list[str] = []

    async def story() -> None:
        async with one_worker(said) as pool:
            share = pool.share()
            await share.arm(JOB)
            share.submit("a-run", batch(pipe))
            while await in_hand(pool) != [1]:  # noqa: ASYNC110  it is on its way
                await asyncio.sleep(LOOK)
            client: Any = pool._client
            client.scheduler_comm.comm.abort()
            (lost,) = await share.ended()
            assert isinstance(lost, BatchLost)
            assert lost.blameless
            with pipe.open("wb"):  # the worker goes on with it, and its answer counts no more
                while not share.places:  # noqa: ASYNC110  it is armed anew
                    await asyncio.sleep(LOOK)
                share.submit("a-run", batch(blank))
                (ended,) = await share.ended()
            assert isinstance(ended, BatchEnded)
            assert isinstance(ended.outcomes[0], FrameResult)
            assert await in_hand(pool) == []

    asyncio.run(story())
    assert said == ["the connection to the Dask scheduler broke; starting it again"]


def test_whoever_asks_hears_that_a_worker_is_not_there_or_cannot() -> None:
    async def story() -> None:
        async with one_worker([]) as pool:
            await pool.share().arm(JOB)
            with pytest.raises(Gone, match="not there any more"):
                await pool.lane.ask("tls://127.0.0.1:1", 0, worker.analyse)
            (address,) = pool.workers
            with pytest.raises(Failed, match="KeyError: 'another'"):
                await pool.lane.ask(address, 0, worker.analyse, "another", "", (SHAPE, "<u2", ()), b"", (), 60.0)
            assert await in_hand(pool) == []

    asyncio.run(story())


def test_what_waits_at_a_worker_that_closes_is_not_begun() -> None:
    begun, go = threading.Semaphore(0), threading.Event()
    said: list[dict[str, Any]] = []

    def hold() -> None:
        begun.release()
        go.wait()

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, what: said.append(what))
        async with Scheduler(host="127.0.0.1", port=0, dashboard=False) as scheduler:
            closing = await Worker(scheduler.address, nthreads=1, dashboard=False)
            turns = Turns(closing, {"hold": hold})
            for number in (1, 2):
                closing.stream_handlers[ASK]("a client", number, 0, "hold", pickle.dumps(()))
            await asyncio.to_thread(begun.acquire)
            await closing.close(executor_wait=False)
            go.set()
            while turns.busy:  # noqa: ASYNC110  the first one ends
                await asyncio.sleep(LOOK)

    asyncio.run(story())
    assert said == []
    assert not begun.acquire(blocking=False)


def test_a_release_of_dask_s_without_what_batches_need_is_named() -> None:
    with pytest.raises(TypeError, match=r"distributed \d.* has no object.stream_handlers, which batches need: install"):
        lacking(object(), "stream_handlers")
