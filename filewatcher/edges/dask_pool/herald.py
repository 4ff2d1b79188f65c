"""Tells, on a topic of Dask's, which workers came and went: Dask's own topic for it also tells of every result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed.diagnostics.plugin import SchedulerPlugin

from filewatcher.ports import WORKER_NEWS

if TYPE_CHECKING:
    from distributed import Scheduler


class Herald(SchedulerPlugin):
    """Lives in the scheduler; one is enough for all clients."""

    name = "filewatcher-herald"
    idempotent = True

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        """Tell that a worker came."""
        news = {"action": "came", "worker": worker, "name": str(scheduler.workers[worker].name)}
        scheduler.log_event(WORKER_NEWS, news)

    def remove_worker(self, scheduler: Scheduler, worker: str, **_: object) -> None:
        """Tell that a worker went."""
        scheduler.log_event(WORKER_NEWS, {"action": "went", "worker": worker})


def names_of_workers(dask_scheduler: Scheduler) -> dict[str, str]:
    """Tell, in the scheduler, who is there: address -> name."""
    return {worker.address: str(worker.name) for worker in dask_scheduler.workers.values()}
