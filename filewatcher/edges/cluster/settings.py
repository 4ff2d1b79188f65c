"""How Dask is set for frames: what its scheduler and workers do by themselves, and what they must not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distributed.scheduler import DEFAULT_EXTENSIONS

from filewatcher.profiles.jobs import WORKER_ENVIRONMENT

if TYPE_CHECKING:
    from distributed import Scheduler
    from distributed.scheduler import WorkerState

    from filewatcher.profiles import Profile

SILENCE = 30.0
"""Seconds without a word from a worker after which it is given up, if a frame may take that long."""

DASK_SETTINGS = {
    # the loop's journal decides what is run again
    "distributed.scheduler.allowed-failures": 0,
    # a worker runs its batches in the order in which they were handed out: so it is known which one it died over
    "distributed.scheduler.work-stealing": False,
    # payloads kept for debugging, graphs kept for the dashboard: a daemon's memory must not grow with them
    "distributed.admin.low-level-log-length": 10,
    "distributed.diagnostics.computations.max-history": 5,
    "distributed.worker.daemon": True,
    # what Dask measures of itself: a tenth of a core in all, whether there are frames or not
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "2s",
    "distributed.admin.system-monitor.disk": False,
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.diagnostics.nvml": False,
    # there is one copy of everything
    "distributed.scheduler.active-memory-manager.start": False,
}


def dask_settings(profile: Profile) -> dict[str, Any]:
    """Return all of them.

    What a worker has that is silent for as long as a frame may take goes to another one.
    """
    return {
        **DASK_SETTINGS,
        "distributed.scheduler.worker-ttl": f"{min(SILENCE, profile.limits.frame_timeout)}s",
    }


def local_environment(profile: Profile) -> dict[str, str]:
    """Return the variables that whoever starts workers on this machine has itself.

    So they have them from their first moment on: malloc and the loader read them only then. As a setting of Dask's
    (``pre-spawn-environ``) they would yield to those of the user's shell.
    """
    return {**WORKER_ENVIRONMENT, **(profile.environment.variables if profile.kind == "local" else {})}


class NoSpans:
    """Stands in for a scheduler's spans, which keep a note of every task for ever: gigabytes a day at our rates."""

    def __init__(self, scheduler: Scheduler) -> None:
        """Need nothing of it."""

    def __bool__(self) -> bool:
        """Tell the scheduler that there are none."""
        return False

    def heartbeat(self, worker: WorkerState, data: Any) -> None:
        """Forget what a worker says of them."""


def extensions() -> dict[str, Any]:
    """Return what a scheduler is to be extended by: as Dask's own, but no spans, and no stealing of tasks."""
    kept = {name: extension for name, extension in DEFAULT_EXTENSIONS.items() if name != "stealing"}
    return kept | {"spans": NoSpans}
