"""Arming: every worker is told of every collection and proves that it can analyse it, before it gets a frame."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol

from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker

from filewatcher.edges.dask_pool import worker
from filewatcher.errors import Broken, FilewatcherError, Unreachable
from spotfinding.engines import engine_version
from spotfinding.errors import AnalysisError
from spotfinding.parameters import ParameterError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from filewatcher.core.run import Job

ARM_LIMIT = 120.0
"""Seconds for a worker to build an engine; one that hangs on a dead mount takes longer."""
HOPE = 20.0
"""Seconds to wait for another worker when all that came were refused."""
DEATHS = 3
"""Workers that may die while they are armed, before there is one that did not."""


class Unfit(Unreachable):
    """A worker that would be refused again, whatever it is asked for."""


class Judged(Protocol):
    """Is told whether a worker, by name, can be used."""

    def __call__(self, worker: str, *, fit: bool) -> None:
        """Take note of it."""


class Armoury:
    """Arms workers for `analysis`, by `run`: (worker's address, function, arguments) -> its result."""

    def __init__(
        self, run: Callable[..., Awaitable[Any]], analysis: str, say: Callable[[str], None], judged: Judged
    ) -> None:
        self._run, self._analysis, self._say, self._judged = run, analysis, say, judged
        self._jobs: dict[str, tuple[Job, Mapping[str, str]]] = {}
        self._verdicts: asyncio.Queue[FilewatcherError | None] = asyncio.Queue()
        self._armed = False
        self._deaths = self._busy = 0

    async def add(self, job: Job) -> None:
        """Remember a collection, for the workers here and to come."""
        versions = {"filewatcher": version("filewatcher")}
        with suppress(ParameterError):  # an analysis of another kind needs no engine
            versions[job.engine] = await asyncio.to_thread(engine_version, job.engine)
        self._jobs[job.name] = job, versions

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

    async def arm(self, address: str, name: str) -> bool:
        """Arm one worker for every collection; says why not, with its name."""
        self._busy += 1
        try:
            verdict = await self._judge(address, name)
        finally:
            self._busy -= 1
        if verdict is not None:
            self._say(f"{verdict}: it gets no frames")
        else:
            self._armed = True
        self._verdicts.put_nowait(verdict)
        if verdict is None or isinstance(verdict, Unfit):
            self._judged(name, fit=verdict is None)
        return verdict is None

    async def _judge(self, address: str, name: str) -> FilewatcherError | None:
        try:
            if reason := await asyncio.wait_for(self._refusal(address), ARM_LIMIT):
                return Unfit(f"worker {name} {reason}")
        except (AnalysisError, ParameterError) as error:
            engine = ", ".join({job.engine for job, _ in self._jobs.values()})
            return Broken(f"the {engine} engine cannot analyse this collection: {error}")
        except FutureCancelledError:
            return Unreachable(f"worker {name} went away")
        except KilledWorker:
            self._deaths += not self._armed
            return Unreachable(f"worker {name} died while it built its engine; is there enough memory?")
        except TimeoutError:
            what = f"was not ready in {ARM_LIMIT:g} s; does its file system answer?"
        except Exception as error:  # noqa: BLE001  the boundary of a worker: whatever it lacks, the others go on
            what = f"cannot run filewatcher ({type(error).__name__}: {error}); is it installed there?"
        else:
            return None
        return Unfit(f"worker {name} {what}")

    async def _refusal(self, address: str) -> str | None:
        for job, versions in list(self._jobs.values()):
            what = (job.name, asdict(job.detector), dict(job.parameters), job.engine, self._analysis, job.verify > 0)
            reason: str | None = await self._run(address, worker.arm, *what, dict(versions), job.paths)
            if reason is not None:
                return reason
        return None
