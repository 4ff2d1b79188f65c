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
    "distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT,
}
