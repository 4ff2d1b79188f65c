"""Workers in Slurm's jobs: does what the keeper says, and tells it what became of it."""

from __future__ import annotations

import asyncio
import math
import re
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from distributed.diagnostics.plugin import SchedulerPlugin

from filewatcher.core.keeper import Cancel, Crew, Keeper, Local, Retire, Say, Submit
from filewatcher.edges.cluster.credentials import worker_environment
from filewatcher.edges.cluster.queue import Queue, QueueError
from filewatcher.edges.cluster.script import job_script
from filewatcher.ports import COURIER, WORKER_NEWS
from filewatcher.profiles.jobs import retirement, sizes
from filewatcher.reasons import in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from distributed import Scheduler

    from filewatcher.core.keeper import Action, QueuedJob
    from filewatcher.edges.cluster.local import LocalWorkers
    from filewatcher.ports import Credentials
    from filewatcher.profiles import Profile

BUSY, QUIET = 1.0, 15.0
"""Seconds between two looks at the queue: while something is on its way, and when all are there. A worker that comes
or goes is news at once."""
RENEWAL = 300.0
"""Seconds that Slurm may take to start a job in the place of one whose walltime ends."""
DRAINED = 0.1
"""Seconds between two looks at what a worker that leaves has in hand."""


def crew_of(profile: Profile) -> Crew:
    """Tell the keeper what a profile allows.

    Its workers retire by themselves before their job's walltime ends, if nobody tells them to; the keeper is earlier.
    """
    walltime, (lifetime, stagger) = profile.slurm.walltime, retirement(profile)
    retire = walltime - lifetime + stagger
    workers, (per_job, _) = profile.workers, sizes(profile)
    return Crew(
        workers.jobs_min,
        workers.jobs_max,
        per_job,
        idle_release=profile.limits.idle_release or math.inf,
        fallback_after=profile.fallback_after,
        renew_before=min(retire + RENEWAL, (retire + walltime) / 2),
        retire_before=retire,
    )


class SlurmWorkers(SchedulerPlugin):
    """As many jobs as the keeper says; a worker is named ``slurm-JOB`` or, of several, ``slurm-JOB-NUMBER``."""

    name = "filewatcher-slurm-workers"

    def __init__(
        self,
        name: str,
        profile: Profile,
        credentials: Credentials,
        scheduler: Scheduler,
        local: LocalWorkers,
        home: Path,
        say: Callable[[str], None],
    ) -> None:
        self._scheduler, self._local, self._say = scheduler, local, say
        self._queue = Queue(name, worker_environment(credentials))
        self._script = job_script(profile, home=home, python=sys.executable, scheduler=scheduler.address)
        self._drain_limit = profile.limits.frame_timeout
        self._keeper = Keeper(crew_of(profile), time.monotonic())
        self._wanted = 1
        self._news = asyncio.Event()
        self._leaving: set[asyncio.Task[None]] = set()
        scheduler.add_plugin(self)
        if (logs := profile.slurm.log_directory) is not None:
            self._make_folder(Path(re.sub("^~(?=/)", str(home), logs)))

    def want(self, workers: int) -> None:
        """Say how many workers would keep up."""
        if workers != self._wanted:
            self._wanted = workers
            self._news.set()

    async def judged(self, worker: str, *, fit: bool) -> None:
        """Take note of a worker that can be used, or cannot."""
        place, _, job = worker.partition("-")
        if place != "slurm":
            return
        job = job.partition("-")[0]
        if fit:
            self._keeper.fit(job)
        for action in () if fit else self._keeper.unfit(job, time.monotonic()):
            await self._act(action)
        self._news.set()

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:  # noqa: ARG002  Dask's signature
        """Dask's news: look again."""
        self._news.set()

    def remove_worker(self, scheduler: Scheduler, worker: str, **_: object) -> None:  # noqa: ARG002  Dask's signature
        """Dask's news: look again."""
        self._news.set()

    async def tend(self) -> None:
        """Look and act for ever."""
        while True:
            self._news.clear()
            queue = await self._look()
            workers = self._workers()
            actions = self._keeper.observe(queue, workers, self._wanted, time.monotonic())
            for action in actions:
                await self._act(action)
            settled = queue is not None and not actions and all(workers[job.id] for job in queue)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), QUIET if settled and queue else BUSY)

    async def close(self) -> None:
        """Cancel every job and end the local workers."""
        for task in self._leaving:
            task.cancel()
        await asyncio.gather(self._queue.cancel_all(), self._local.close(), *self._leaving, return_exceptions=True)

    def _make_folder(self, logs: Path) -> None:
        """Slurm starts no job whose log it cannot write."""
        try:
            logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._say(f"slurm.log_directory {logs}: {error.strerror}; Slurm starts no job whose log it cannot write")

    async def _look(self) -> list[QueuedJob] | None:
        try:
            return await self._queue.jobs()
        except QueueError:
            return None

    def _addresses(self, name: str) -> list[str]:
        """Workers whose name begins with these words: ``slurm-12``, ``local``."""
        workers = self._scheduler.workers.values()
        return [w.address for w in workers if f"{w.name}-".startswith(f"{name}-")]

    def _workers(self) -> Counter[str]:
        """Count workers by job."""
        names = [str(worker.name).split("-") for worker in self._scheduler.workers.values()]
        return Counter(words[1] for words in names if words[0] == "slurm")

    async def _act(self, action: Action) -> None:
        match action:
            case Submit(count):
                await self._submit(count)
            case Cancel(job):
                await self._queue.cancel([job])
            case Retire(job):
                self._start(self._retire(job))
            case Local(on=True):
                self._start(self._start_local())
            case Local(on=False):
                self._start(self._end_local())
            case Say(sentence):
                self._say(sentence)

    async def _submit(self, count: int) -> None:
        for _ in range(count):
            try:
                self._keeper.submitted(await self._queue.submit(self._script))
            except QueueError as error:
                for action in self._keeper.refused(str(error), time.monotonic()):
                    await self._act(action)
                return

    async def _retire(self, job: str) -> None:
        self._say(f"Slurm job {job} is given back")
        await self._drain(self._addresses(f"slurm-{job}"))
        await self._queue.cancel([job])

    async def _drain(self, addresses: Sequence[str]) -> None:
        """Let workers end what they have in hand, and nothing else."""
        for address in addresses:
            self._scheduler.log_event(WORKER_NEWS, {"action": "leaving", "worker": address})
        here = self._scheduler.workers
        end = time.monotonic() + self._drain_limit
        while any(map(self._busy, addresses)) and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(DRAINED)
        await self._scheduler.retire_workers(workers=[a for a in addresses if a in here], close_workers=True)

    def _busy(self, address: str) -> bool:
        """Whether a worker has batches, or tasks of Dask's."""
        worker = self._scheduler.workers.get(address)
        batches = getattr(self._scheduler.plugins.get(COURIER), "in_hand", Counter[str]())[address]
        return worker is not None and bool(worker.processing or batches)

    async def _start_local(self) -> None:
        try:
            await self._local.start()
        except (OSError, RuntimeError, TimeoutError) as error:
            self._say(f"local workers did not start: {in_words(error)}")

    async def _end_local(self) -> None:
        self._local.let_go()
        await self._drain(self._addresses("local"))
        await self._local.close()

    def _start(self, what: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(what)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
