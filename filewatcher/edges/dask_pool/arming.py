"""Arming: every worker is told of a collection and proves that it can analyse it, before it gets a frame of it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol

from distributed.client import FutureCancelledError
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from filewatcher.edges.dask_pool import worker
from filewatcher.errors import Broken, FilewatcherError, Unreachable
from spotfinding.engines import engine_version
from spotfinding.errors import AnalysisError
from spotfinding.parameters import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from filewatcher.core.run import Job
    from filewatcher.edges.dask_pool.tasks import Tasks

ARM_LIMIT = 120.0
"""Seconds for a worker to build an engine, before any batch that waits; one that hangs on a dead mount takes longer."""
HOPE = 20.0
"""Seconds to wait for another worker when all that came were refused."""
DEATHS = 3
"""Workers that may die while they are armed, before there is one that did not."""


class Unfit(Unreachable):
    """A worker that would be refused again, for whatever it lacks."""


class Judged(Protocol):
    """Is told whether a worker, by its address, can be used."""

    def __call__(self, address: str, *, fit: bool) -> None:
        """Take note of it."""


class Arming:
    """Arms workers for one collection, which they know as `name`; `analysis` is what they do with a frame."""

    def __init__(self, job: Job, name: str, analysis: str, say: Callable[[str], None], judged: Judged) -> None:
        self._job, self._name, self._analysis, self._say, self._judged = job, name, analysis, say, judged
        self._versions: dict[str, str] = {}
        self._verdicts: asyncio.Queue[FilewatcherError | None] = asyncio.Queue()
        self._armed = False
        self._deaths = self._busy = 0

    async def prepare(self) -> None:
        """Find out what workers must agree with; before the first of them is armed."""
        self._versions["filewatcher"] = version("filewatcher")
        engine = self._job.engine
        with suppress(ParameterError):  # an analysis of another kind needs no engine
            self._versions[engine] = await asyncio.to_thread(engine_version, engine)

    async def first(self, workers: int) -> None:
        """Wait until a worker is armed. Raises what stood against it if there is no hope.

        `workers`: those that there will be; 0 = nobody knows, more may come.
        """
        refused, last = 0, None
        while True:
            try:
                verdict = await asyncio.wait_for(self._verdicts.get(), None if last is None else HOPE)
            except TimeoutError:
                if self._busy:
                    continue
                assert last is not None
                raise last from None
            if verdict is None:
                return
            refused, last = refused + 1, verdict
            if isinstance(verdict, Broken) or refused == workers or self._deaths >= DEATHS:
                raise verdict

    async def arm(self, tasks: Tasks, address: str, name: str) -> bool:
        """Arm one worker; says why not, with its name."""
        self._busy += 1
        try:
            verdict = await self._judge(tasks, address, name)
        finally:
            self._busy -= 1
        if verdict is not None:
            self._say(f"{verdict}: it gets no frames")
        else:
            self._armed = True
        self._verdicts.put_nowait(verdict)
        if verdict is None or isinstance(verdict, Unfit):
            self._judged(address, fit=verdict is None)
        return verdict is None

    async def _judge(self, tasks: Tasks, address: str, name: str) -> FilewatcherError | None:
        job = self._job
        what = (self._name, asdict(job.detector), dict(job.parameters), job.engine, self._analysis, job.verify > 0)
        future = tasks.submit(address, worker.arm, *what, self._versions, (job.paths, job.roots))
        try:
            error = await asyncio.wait_for(future.exception(), ARM_LIMIT)
            reason = None if error is not None else await future
        except TimeoutError:
            return Unfit(f"worker {name} was not ready in {ARM_LIMIT:g} s; does its file system answer?")
        except (FutureCancelledError, KilledWorker, CommClosedError):
            return Unreachable(f"worker {name} went away")
        finally:
            future.release()
        match error:
            case None:
                return None if reason is None else Unfit(f"worker {name} {reason}")
            case AnalysisError() | ParameterError():
                return Broken(f"the {job.engine} engine cannot analyse this collection: {error}")
            case KilledWorker():
                self._deaths += not self._armed
                return Unreachable(f"worker {name} died while it built its engine; is there enough memory?")
            case _:  # whatever it lacks, the others go on
                what_is_wrong = f"({type(error).__name__}: {error}); is it installed there?"
                return Unfit(f"worker {name} cannot run filewatcher {what_is_wrong}")
