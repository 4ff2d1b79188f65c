"""What every pool of workers does, the fake as Dask's; a story each, because starting workers takes seconds."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest

from filewatcher.core.batching import Batch, BatchEnded, BatchLost, Limits, Unreadable
from filewatcher.core.detector import Detector
from filewatcher.core.messages import ChunkLayout, Filter, FrameFailed, FrameReady, FrameResult, Statistics
from filewatcher.core.run import Job
from filewatcher.edges.cluster import Office
from filewatcher.edges.dask_pool import DaskPool
from filewatcher.testing.clusters import local_cluster, slurm_profile
from filewatcher.testing.fakes import InlinePool
from spotfinding.engines import resolve
from spotfinding.parameters import Parameters

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from filewatcher.ports import Pool

SHAPE = (60, 50)
NBYTES = 2 * SHAPE[0] * SHAPE[1]
LAYOUT = ChunkLayout(SHAPE, "<u2", ())
DETECTOR = Detector(SHAPE, (0.075, 0.075), (1, 0, 0), (0, -1, 0), (-2, 2, -200), 1.0)
HANGS, TORN, FLOODED = 90, 91, 92
LOOK = 0.05


@asynccontextmanager
async def pool_of(kind: str) -> AsyncIterator[Pool]:
    """One worker."""
    if kind == "fake":
        yield InlinePool(analyse)
        return
    one = local_cluster(1) if kind == "local" else Office(slurm_profile(workers={"per_job": 1}), lambda _: None)
    workers = DaskPool(one, Limits(), frame_timeout=2.0)
    try:
        yield workers.share()
    finally:
        await workers.close()


def analyse(frame: FrameReady, attempts: int) -> FrameResult | FrameFailed | Unreadable | None:
    if frame.frame == HANGS:
        return None
    if frame.frame == TORN:
        return Unreadable(frame, "the bytes are torn")
    if frame.frame == FLOODED:
        return FrameFailed(0, frame.frame, "too many strong pixels", attempts)
    return FrameResult(0, frame.frame, Statistics(0, 0, 0, 0.0, -1.0, -1.0, -1.0, -1.0, -1.0, 0), "dials", attempts)


@pytest.fixture
def frames(tmp_path: Path) -> dict[int, FrameReady]:
    """Three blank images, one whose bytes are not there, one full of light, one that blocks for ever."""
    path = tmp_path / "images.raw"
    rng = np.random.default_rng(1)
    blank = rng.poisson(2.0, (3, *SHAPE)).astype("<u2").tobytes()
    flood = np.zeros(SHAPE, "<u2")
    flood[::9, ::9] = 60000
    flood[1::9, ::9] = 60000
    path.write_bytes(blank + flood.tobytes())
    os.mkfifo(tmp_path / "pipe")
    known = {n: FrameReady(0, n, str(path), n * NBYTES, NBYTES, 0, LAYOUT, n) for n in range(3)}
    known[FLOODED] = FrameReady(0, FLOODED, str(path), 3 * NBYTES, NBYTES, 0, LAYOUT, 3)
    known[TORN] = FrameReady(0, TORN, str(path), 4 * NBYTES - 100, NBYTES, 0, LAYOUT, 4)
    known[HANGS] = FrameReady(0, HANGS, str(tmp_path / "pipe"), 0, NBYTES, 0, LAYOUT, 0)
    return known


def batch(*frames: FrameReady, attempt: int = 1) -> Batch:
    return Batch(frames, (attempt,) * len(frames))


async def next_of(pool: Pool) -> BatchEnded | BatchLost:
    (ended,) = await pool.ended()
    return ended


@pytest.mark.usefixtures("slurm")
@pytest.mark.parametrize("kind", ["fake", "local", "slurm"])
def test_a_batch_comes_back_whole_and_a_dead_worker_is_replaced(kind: str, frames: dict[int, FrameReady]) -> None:
    async def story() -> None:
        async with pool_of(kind) as pool:
            await pool.start()
            await pool.start()
            parameters = Parameters(max_strong_pixel_fraction=0.001).as_json()
            await pool.arm(Job("a-run", DETECTOR, parameters, "dials"))
            places = pool.places
            assert places >= 1

            mixed = batch(frames[0], frames[FLOODED], frames[TORN], frames[2], attempt=2)
            pool.submit("a-run", mixed)
            assert pool.places == places - 1
            ended = await next_of(pool)
            assert isinstance(ended, BatchEnded)
            assert ended.batch is mixed
            good, failed, torn, last = ended.outcomes
            assert isinstance(good, FrameResult)
            assert (good.frame, good.attempts, good.engine, good.statistics.n_spots_total) == (0, 2, "dials", 0)
            assert isinstance(failed, FrameFailed)
            assert "strong" in failed.reason
            assert isinstance(torn, Unreadable)
            assert torn.frame == frames[TORN]
            assert isinstance(last, FrameResult)
            assert ended.seconds > 0
            assert pool.places == places

            pool.submit("a-run", batch(frames[HANGS]))
            lost = await next_of(pool)
            assert isinstance(lost, BatchLost)
            assert not lost.blameless
            assert "worker died" in lost.reason

            while not pool.places:  # noqa: ASYNC110  the worker that takes its place is armed first
                await asyncio.sleep(LOOK)
            pool.submit("a-run", batch(frames[1]))
            after = await next_of(pool)
            assert isinstance(after, BatchEnded)
            assert isinstance(after.outcomes[0], FrameResult)

    asyncio.run(story())


@pytest.mark.parametrize("kind", ["fake", "local"])
def test_a_filter_that_no_worker_can_undo_is_named(kind: str) -> None:
    async def story() -> None:
        async with pool_of(kind) as pool:
            assert pool.unsupported(LAYOUT) is None
            reason = pool.unsupported(ChunkLayout(SHAPE, "<u2", (Filter(40001),)))
            assert reason is not None
            assert "40001" in reason

    asyncio.run(story())


def test_what_was_only_waiting_at_a_worker_that_died_is_not_blamed(frames: dict[int, FrameReady]) -> None:
    async def story() -> None:
        async with pool_of("local") as pool:
            await pool.start()
            await pool.arm(Job("a-run", DETECTOR, Parameters().as_json(), "dials"))
            for frame in (frames[HANGS], frames[0], frames[1]):
                pool.submit("a-run", batch(frame))
            back: list[BatchEnded | BatchLost] = []
            while len(back) < 3:
                back += await pool.ended()
            blamed = [b.batch.frames[0].frame for b in back if isinstance(b, BatchLost) and not b.blameless]
            assert blamed == [HANGS]

    asyncio.run(story())


def test_dials_is_asked_for_every_nth_frame_failed_ones_too(frames: dict[int, FrameReady]) -> None:
    async def story() -> None:
        async with pool_of("local") as pool:
            await pool.start()
            resolved = resolve("native", Parameters(max_strong_pixel_fraction=0.001)).parameters.as_json()
            await pool.arm(Job("a-run", DETECTOR, resolved, "native", verify=2))
            pool.submit("a-run", batch(frames[0], frames[1], frames[2], frames[TORN], frames[FLOODED]))
            ended = await next_of(pool)
            assert isinstance(ended, BatchEnded)
            zero, one, two, torn, flooded = ended.outcomes
            assert isinstance(zero, FrameResult)
            assert isinstance(one, FrameResult)
            assert isinstance(two, FrameResult)
            assert (zero.engine, zero.verified, one.verified, two.verified) == ("native", (), None, ())
            assert isinstance(torn, Unreadable)
            assert isinstance(flooded, FrameFailed)
            assert flooded.verified == ()

    asyncio.run(story())
