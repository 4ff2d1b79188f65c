"""The sbatch script of a profile, as dask-jobqueue submits it; Slurm need not be there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dask
from dask_jobqueue.slurm import SLURMJob

from filewatcher.profiles.jobs import JOB_NAME, job_section

if TYPE_CHECKING:
    from pathlib import Path

    from filewatcher.profiles import Profile

SCHEDULER = "tcp://SCHEDULER:PORT"
"""Stands for the address that is not known before there is a scheduler."""


WORKER = "slurm-$SLURM_JOB_ID"
"""Name of a job's worker, as its shell will read it; several are ``slurm-12-0``, ``slurm-12-1``, ..."""


def job_script(profile: Profile, *, home: Path, python: str, scheduler: str = SCHEDULER) -> str:
    """Return the script of one job; `home` is what ``~`` means, `python` the interpreter where none is named."""
    section = job_section(profile, home=home, python=python)
    with dask.config.set({f"jobqueue.{JOB_NAME}": section}):
        job = SLURMJob(scheduler, name=WORKER, config_name=JOB_NAME, processes=section["processes"])
        return str(job.job_script())
