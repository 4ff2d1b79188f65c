"""The sbatch script of a profile, as dask-jobqueue submits it; Slurm need not be there."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import dask

from filewatcher.profiles.jobs import JOB_NAME, job_section

if TYPE_CHECKING:
    from pathlib import Path

    from dask_jobqueue.slurm import SLURMJob

    from filewatcher.profiles import Profile

SCHEDULER = "tcp://SCHEDULER:PORT"
"""Stands for the address that is not known before there is a scheduler."""


WORKER = "slurm-$SLURM_JOB_ID"
"""Name of a job's worker, as its shell will read it; several are ``slurm-12-0``, ``slurm-12-1``, ..."""


def job_script(profile: Profile, *, home: Path, python: str, scheduler: str = SCHEDULER) -> str:
    """Return the script of one job; `home` is what ``~`` means, `python` the interpreter where none is named."""
    section = job_section(profile, home=home, python=python)
    job_class = _job_class()
    with dask.config.set({f"jobqueue.{JOB_NAME}": section}):
        job = job_class(scheduler, name=WORKER, config_name=JOB_NAME, processes=section["processes"])
        return str(job.job_script())


def _job_class() -> type[SLURMJob]:
    """Import it when it is needed: dask-jobqueue makes Ctrl-C end the process at once, with exit code 0."""
    before = signal.getsignal(signal.SIGINT)
    from dask_jobqueue.slurm import SLURMJob  # noqa: PLC0415

    signal.signal(signal.SIGINT, before)
    return SLURMJob
