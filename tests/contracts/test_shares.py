"""What workers that several collections share do, the fake as Dask's.

Frames that wait until the test lets them go are named pipes: a worker that reads one is busy until somebody writes.
"""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from filewatcher.core.batching import Batch, BatchEnded, BatchLost, Limits, Unreadable
from filewatcher.core.detector import Detector
from filewatcher.core.messages import ChunkLayout, FrameReady, FrameResult, Statistics
from filewatcher.core.run import Job
from filewatcher.edges.dask_pool import DaskPool
from filewatcher.testing.clusters import local_cluster
from filewatcher.testing.workers import ThreadWorkers
from spotfinding.engines import resolve
from spotfinding.parameters import Parameters

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from filewatcher.ports import Share, Workers

SHAPE = (60, 50)
NBYTES = 2 * SHAPE[0] * SHAPE[1]
LAYOUT = ChunkLayout(SHAPE, "<u2", ())
DETECTOR = Detector(SHAPE, (0.075, 0.075), (1, 0, 0), (0, -1, 0), (-2, 2, -200), 1.0)
EACH = Limits().in_flight_per_worker
KINDS = pytest.mark.parametrize("kind", ["fake", "local"])
LOOK = 0.02
FIRST, LAST = 0, 2
"""Priorities."""
POISON = "poison"


def analyse(frame: FrameReady, attempts: int) -> FrameResult | Unreadable | None:
    """Stand in for a worker of Dask's: it, too, waits for a pipe, and then cannot read it."""
    if Path(frame.path).is_fifo():
        with Path(frame.path).open("rb"):
            return None if Path(frame.path).name == POISON else Unreadable(frame, "a pipe")
    return FrameResult(0, frame.frame, Statistics(0, 0, 0, 0.0, -1.0, -1.0, -1.0, -1.0, -1.0, 0), "native", attempts)


@asynccontextmanager
async def workers_of(kind: str, frame_timeout: float = 60.0) -> AsyncIterator[Workers]:
    """One worker."""
    real = DaskPool(local_cluster(1), Limits(), frame_timeout)
    workers = ThreadWorkers(analyse) if kind == "fake" else real
    try:
        yield workers
    finally:
        await workers.close()


async def armed(workers: Workers, name: str, priority: int) -> Share:
    """Return the share of one more collection; its worker is there."""
    share = workers.share(priority)
    await share.start()
    await share.arm(Job(name, DETECTOR, resolve("native", Parameters()).parameters.as_json(), "native"))
    return share


@pytest.fixture
def blank(tmp_path: Path) -> Callable[[int], Batch]:
    """Make a batch of one image, by its number."""
    path = tmp_path / "images.raw"
    path.write_bytes(np.random.default_rng(1).poisson(2.0, (9, *SHAPE)).astype("<u2").tobytes())
    return lambda n: Batch((FrameReady(0, n, str(path), n * NBYTES, NBYTES, 0, LAYOUT, n),), (1,))


class Gate:
    """A batch over which a worker waits until the gate is opened."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self.batch = Batch((FrameReady(0, 0, str(path), 0, NBYTES, 0, LAYOUT, 0),), (1,))
        self._descriptor = -1

    async def open(self) -> None:
        """Wait until a worker is busy with it, and let it go; it stays open, for whoever tries again."""
        while self._descriptor < 0:
            try:
                self._descriptor = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:
                if error.errno != errno.ENXIO:  # nobody reads yet
                    raise
                await asyncio.sleep(LOOK)

    def close(self) -> None:
        """Leave no descriptor behind."""
        if self._descriptor >= 0:
            os.close(self._descriptor)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Callable[[str], Gate]]:
    """Make a gate, by its name."""
    gates: list[Gate] = []

    def make(name: str) -> Gate:
        gates.append(Gate(tmp_path / name))
        return gates[-1]

    yield make
    for one in gates:
        one.close()


async def back(share: Share, count: int) -> list[BatchEnded | BatchLost]:
    found: list[BatchEnded | BatchLost] = []
    while len(found) < count:
        found += await share.ended()
    assert len(found) == count
    return found


@KINDS
def test_what_comes_back_goes_to_whoever_handed_it_out(kind: str, blank: Callable[[int], Batch]) -> None:
    async def story() -> None:
        async with workers_of(kind) as workers:
            one, other = await armed(workers, "one", FIRST), await armed(workers, "other", FIRST)
            handed = {one: [blank(0), blank(2)], other: [blank(1)]}
            for share, batches in handed.items():
                for batch in batches:
                    share.submit("one" if share is one else "other", batch)
            for share, batches in handed.items():
                assert {ended.batch for ended in await back(share, len(batches))} == set(batches)

    asyncio.run(story())


@KINDS
def test_the_more_urgent_one_waits_for_no_more_than_the_batch_that_runs(
    kind: str, blank: Callable[[int], Batch], gate: Callable[[str], Gate]
) -> None:
    async def story() -> None:
        runs, waits = gate("runs"), gate("waits")
        async with workers_of(kind) as workers:
            late, soon = await armed(workers, "late", LAST), await armed(workers, "soon", FIRST)
            for batch in (runs.batch, waits.batch, blank(0)):
                late.submit("late", batch)
            assert (late.places, soon.places) == (EACH - 3, EACH)
            soon.submit("soon", blank(1))
            await runs.open()
            # the worker would be stuck at the other gate if it had taken what was there before
            await back(soon, 1)
            await waits.open()
            await back(late, 3)

    asyncio.run(story())


@KINDS
def test_those_that_are_alike_get_alike_though_one_came_first(
    kind: str, blank: Callable[[int], Batch], gate: Callable[[str], Gate]
) -> None:
    async def story() -> None:
        runs = gate("runs")
        async with workers_of(kind) as workers:
            first, second = await armed(workers, "first", LAST), await armed(workers, "second", LAST)
            first.submit("first", runs.batch)
            while first.places:
                first.submit("first", blank(0))
            assert second.places > 0
            second.priority = FIRST
            assert second.places == EACH
            await runs.open()
            await back(first, EACH)

    asyncio.run(story())


@KINDS
def test_one_that_is_cancelled_frees_its_places_at_once(
    kind: str, blank: Callable[[int], Batch], gate: Callable[[str], Gate]
) -> None:
    async def story() -> None:
        runs, never = gate("runs"), gate("never")
        async with workers_of(kind) as workers:
            goes, stays = await armed(workers, "goes", LAST), await armed(workers, "stays", LAST)
            for batch in (runs.batch, never.batch, blank(0)):
                goes.submit("goes", batch)
            await asyncio.wait_for(goes.close(), 1.0)
            await goes.close()
            assert (goes.places, stays.places) == (0, EACH)
            stays.submit("stays", blank(1))
            await runs.open()
            # nobody opens the other gate: what waited for the worker has been taken back
            (ended,) = await back(stays, 1)
            assert isinstance(ended, BatchEnded)
            again = await armed(workers, "goes", LAST)
            again.submit("goes", blank(2))
            (ended,) = await back(again, 1)
            assert isinstance(ended.outcomes[0] if isinstance(ended, BatchEnded) else None, FrameResult)

    asyncio.run(story())


@KINDS
def test_only_the_batch_over_which_a_worker_died_is_blamed_whoever_waited_there(
    kind: str, blank: Callable[[int], Batch], gate: Callable[[str], Gate]
) -> None:
    async def story() -> None:
        poison = gate(POISON)
        async with workers_of(kind, frame_timeout=2.0) as workers:
            bad, good = await armed(workers, "bad", LAST), await armed(workers, "good", FIRST)
            bad.submit("bad", poison.batch)
            good.submit("good", blank(0))
            if kind == "fake":  # a real one hangs, and is ended by its watchdog
                await poison.open()
            (lost,) = await back(bad, 1)
            assert isinstance(lost, BatchLost)
            assert not lost.blameless
            (innocent,) = await back(good, 1)
            assert isinstance(innocent, BatchLost)
            assert innocent.blameless
            for share, name in ((bad, "bad"), (good, "good")):
                while not share.places:  # noqa: ASYNC110  the worker that takes its place is armed first
                    await asyncio.sleep(LOOK)
                share.submit(name, blank(1))
                (ended,) = await back(share, 1)
                assert isinstance(ended, BatchEnded)

    asyncio.run(story())
