"""The life of one frame, from disk to its cell, along the reading list of README.rst: real parts, called by hand."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

import spotfinding.detector
from filewatcher.core.batching import BatchEnded, Batcher, Limits
from filewatcher.core.collector import Collector
from filewatcher.core.messages import FrameReady, FrameResult, State, Statistics
from filewatcher.core.observations import Described, DetectorRead
from filewatcher.core.positions import from_positions
from filewatcher.core.run import Job
from filewatcher.core.scanwatch import ScanWatch
from filewatcher.edges.cluster import Office
from filewatcher.edges.dask_pool import DaskPool
from filewatcher.edges.swmr import SwmrObserver
from filewatcher.testing.clusters import local_cluster, slurm_profile
from filewatcher.testing.detector import Simulation, run
from filewatcher.testing.fakes import InlinePool
from spotfinding.analysis import Analysis
from spotfinding.chunks import Chunk, Layout
from spotfinding.engines import resolve
from spotfinding.parameters import Parameters

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from filewatcher.core.detector import Detector
    from filewatcher.core.messages import Event
    from filewatcher.ports import Pool


@pytest.mark.usefixtures("slurm")
@pytest.mark.parametrize("workers", ["inline", "local", "slurm"])
def test_a_frame_reaches_its_cell(tmp_path: Path, workers: str) -> None:
    sim = Simulation(tmp_path, detector="eiger2-1m", grid=(6, 5), rate=float("inf"), writers=2, frames_per_file=8)
    run(sim)
    asyncio.run(story(tmp_path / "grid.nxs", workers))


@asynccontextmanager
async def pool_of(workers: str, detector: Detector) -> AsyncIterator[Pool]:
    """The same analysis in this process, in one on this machine, and in a job of Slurm."""
    if workers == "inline":
        analysis = Analysis(
            spotfinding.detector.Detector(**asdict(detector)), resolve("dials", Parameters()).parameters, "dials"
        )

        def analyse(frame: FrameReady, attempts: int) -> FrameResult:
            filters = tuple((f.id, f.options) for f in frame.layout.filters)
            layout = Layout(frame.layout.shape, frame.layout.dtype, filters)
            chunk = Chunk(frame.path, frame.offset, frame.size, frame.filter_mask)
            numbers: tuple[Any, ...] = analysis(chunk, layout).numbers()
            return FrameResult(frame.scan, frame.frame, Statistics(*numbers), "dials", attempts)

        yield InlinePool(analyse)
        return
    cluster = local_cluster(1) if workers == "local" else Office(slurm_profile(), print)
    pool = DaskPool(cluster, Limits())
    try:
        yield pool.share()
    finally:
        await pool.close()


async def story(master: Path, workers: str) -> None:
    # what does the disk say now, and which of that is new
    watch = ScanWatch(wait=False, now=time.monotonic())
    observer = SwmrObserver(master, wait=False, seen=watch.rows_seen)
    events: list[Event] = []
    described: Described | None = None
    detector: DetectorRead | None = None
    while watch.ended is None or detector is None:
        for observation in await observer.observe():
            if isinstance(observation, DetectorRead):
                detector = observation
                continue
            described = observation if isinstance(observation, Described) else described
            events += watch.observe(observation, time.monotonic())
    await observer.close()
    ready = [event for event in events if isinstance(event, FrameReady)]
    assert sorted(event.frame for event in ready) == list(range(30))

    # which frames go together, how they reach a worker and come back
    batcher = Batcher()
    chosen = next(event for event in ready if event.frame == 14)
    batcher.add([chosen], time.monotonic())
    async with pool_of(workers, detector.detector) as pool:
        await pool.start()
        parameters = resolve("dials", Parameters()).parameters.as_json()
        await pool.arm(Job("story", detector.detector, parameters, "dials"))
        for batch in batcher.next(pool.places, time.monotonic()):
            pool.submit("story", batch)
        (ended,) = await pool.ended()
    assert isinstance(ended, BatchEnded)
    (outcome,) = ended.outcomes
    assert isinstance(outcome, FrameResult)
    assert outcome.statistics.n_spots_total > 0, "the crystal is in the middle of the grid"

    # what if it comes twice, and which cell is it
    collector = Collector(30)
    assert collector.record(outcome)
    assert not collector.record(outcome)
    results = collector.results()
    assert results.states[14] == State.DONE
    assert described is not None
    assert described.positions is not None
    grid = from_positions(described.positions.x, described.positions.y)
    assert grid is not None
    assert (grid.columns, grid.rows, grid.snaked) == (6, 5, True)
    picture = grid.picture(results.values["n_spots_total"])
    assert picture[2, 2] == outcome.statistics.n_spots_total
