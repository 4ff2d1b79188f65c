"""``profile test``: one worker of a profile, one frame of our own, how long each step took; then all is given back."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from filewatcher.cli.collecting.collect import cluster_of, limits_of
from filewatcher.core.batching import Batch, BatchEnded
from filewatcher.core.detector import Detector
from filewatcher.core.messages import ChunkLayout, FrameReady, FrameResult
from filewatcher.core.run import Job
from filewatcher.edges.cluster.clocks import clock_differences
from filewatcher.edges.dask_pool import DaskPool, Share
from filewatcher.errors import Broken, Refused, Unreachable
from filewatcher.profiles import Profile
from spotfinding.engines import resolve
from spotfinding.parameters import Parameters

SHAPE = (1062, 1028)
BLOBS = 25
"""Spots in the frame: 3 x 3 pixels of 200 counts on a background of one."""

Step: TypeAlias = tuple[str, float]
"""What was done, and the seconds that it took."""


@dataclass(frozen=True, slots=True)
class Tried:
    """How it went."""

    steps: tuple[Step, ...]
    clocks: Mapping[str, float]
    """Node of a worker -> seconds that its clock is ahead of ours."""


def one_worker(profile: Profile) -> Profile:
    """Return the same profile for a single worker, that waits for Slurm as long as we do."""
    if profile.kind not in {"local", "slurm"}:
        return profile
    few = profile.workers.model_copy(update={"jobs_min": 1, "jobs_max": 1, "per_job": 1})
    return profile.model_copy(update={"workers": few, "fallback_after": None})


async def trial(
    profile: Profile, folder: Path, patience: float, say: Callable[[str], None], paths: Sequence[str] = ()
) -> Tried:
    """Do it, with a frame in `folder`; the worker must see the files `paths`, too.

    Raises `Refused`, `Unreachable` or `Broken`.
    """
    small = one_worker(profile)
    cluster = cluster_of(small, say)
    pool = DaskPool(cluster, limits_of(small), small.limits.frame_timeout, say=say)
    clock = [time.monotonic()]
    steps: list[Step] = []

    def done(what: str) -> None:
        clock.append(time.monotonic())
        steps.append((what, clock[-1] - clock[-2]))

    try:
        with tempfile.NamedTemporaryFile(dir=_writable(folder), prefix="filewatcher-test-", suffix=".raw") as file:
            file.write(image().tobytes())
            file.flush()
            os.fsync(file.fileno())
            await pool.start()
            done("scheduler started")
            share = pool.share()
            await _armed(share, (file.name, *paths), patience)
            done("worker came and built its engine")
            spots = await _analysed(share, file.name)
            done(f"frame analysed, {spots} of {BLOBS} spots found")
        clocks = await clock_differences(await cluster.start())
    finally:
        await pool.close()
    done("worker given back")
    if spots != BLOBS:
        raise Broken(f"the worker found {spots} spots in a frame that has {BLOBS}; is its DIALS whole?")
    return Tried(tuple(steps), clocks)


def image() -> np.ndarray[tuple[int, int], np.dtype[np.uint16]]:
    """Make a frame that every engine finds `BLOBS` spots in."""
    pixels = np.random.default_rng(1).poisson(1.0, SHAPE).astype("<u2")
    side = int(BLOBS**0.5)
    for row in range(side):
        for column in range(side):
            y, x = 100 + 200 * row, 100 + 200 * column
            pixels[y : y + 3, x : x + 3] = 200
    return pixels


def _writable(folder: Path) -> Path:
    if not os.access(folder, os.W_OK):
        raise Refused(f"{folder}: cannot be written to; give --folder, one that all nodes see")
    return folder


async def _armed(share: Share, paths: tuple[str, ...], patience: float) -> None:
    resolved = resolve("auto", Parameters(d_max=None))
    engine, parameters = resolved.engine, resolved.parameters.as_json()
    # as if 200 mm from an Eiger with its beam in the middle
    detector = Detector(SHAPE, (0.075, 0.075), (1, 0, 0), (0, -1, 0), (-38.5, 39.8, -200.0), 1.0)
    try:
        await asyncio.wait_for(share.arm(Job("test", detector, parameters, engine, paths=paths)), patience)
    except TimeoutError as error:
        raise Unreachable(f"no worker came in {patience:g} s; squeue says what its job waits for") from error


async def _analysed(share: Share, path: str) -> int:
    layout = ChunkLayout(SHAPE, "<u2", ())
    share.submit("test", Batch((FrameReady(0, 0, path, 0, 2 * SHAPE[0] * SHAPE[1], 0, layout, 0),), (1,)))
    (ended,) = await share.ended()
    match ended:
        case BatchEnded(outcomes=(FrameResult(statistics=found),)):
            return found.n_spots_total
        case BatchEnded(outcomes=(failed,)):
            raise Broken(f"the worker could not analyse a frame: {getattr(failed, 'reason', failed)}")
        case lost:
            raise Broken(f"the worker was lost over a frame: {getattr(lost, 'reason', lost)}")
