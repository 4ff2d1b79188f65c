"""How Dask is set for frames: what its scheduler and workers do by themselves, and what they must not."""

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
}

WORKER_ENVIRONMENT = {
    # 36 MB images would be mapped and faulted in anew each time: 1.5 times the time of DIALS
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "HDF5_USE_FILE_LOCKING": "FALSE",
}
"""Of every worker, from before its Python starts."""
