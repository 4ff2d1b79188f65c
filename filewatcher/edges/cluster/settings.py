"""How Dask is set for frames: what its scheduler and workers do by themselves, and what they must not."""

from filewatcher.profiles.jobs import WORKER_ENVIRONMENT

DASK_SETTINGS = {
    # the loop's journal decides what is run again
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.worker-ttl": "30s",
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
    "distributed.worker.memory.monitor-interval": "500ms",
    # there is one copy of everything
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT,
}
