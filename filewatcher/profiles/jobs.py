"""A profile as a job of Slurm: the section that dask-jobqueue reads. Numbers and words only; nothing is started.

The section is complete. dask-jobqueue fills gaps from ``jobqueue.yaml`` in the user's home and from its own defaults
(30 minutes; as many threads as processes): here there are no gaps.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from filewatcher.profiles.model import Profile

JOB_NAME = "filewatcher"
"""What `squeue` shows, and the name of dask-jobqueue's section."""

WORKER_ENVIRONMENT = {
    # 36 MB images would be mapped and faulted in anew each time: 1.5 times the time of DIALS
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "HDF5_USE_FILE_LOCKING": "FALSE",
}
"""Of every worker, local or not; `environment.variables` may say otherwise."""

MIB = 1 << 20
NANNY = 128 * MIB
"""Bytes that a worker's nanny and the margin of its memory limit may take beside it."""
SPARE = 60.0
"""Seconds between a worker's retirement and the end of its job, beside the longest frame."""
DEATH_TIMEOUT = 60
"""Seconds after which a worker that reaches no scheduler gives its job back."""


def job_section(profile: Profile, *, home: Path, python: str) -> dict[str, object]:
    """Return the value of ``jobqueue.filewatcher`` in Dask's configuration.

    `home` is what ``~`` means, `python` the interpreter where the profile names none. Its ``processes`` must be given
    to `SLURMCluster` as a keyword as well: read from the configuration alone, it gives wrong names to workers.
    """
    (per_job, each), memory = sizes(profile), job_memory(profile)
    workers = profile.workers
    lifetime, stagger = retirement(profile)
    return {
        "name": JOB_NAME,
        "cores": per_job * workers.threads,
        "processes": per_job,
        "memory": per_job * each,
        "python": shlex.quote(profile.environment.python or python),
        "interface": workers.interface,
        "death-timeout": DEATH_TIMEOUT,
        "local-directory": None if workers.local_directory is None else node_path(workers.local_directory),
        "shared-temp-directory": None,
        "extra": None,
        "worker-command": "distributed.cli.dask_worker",
        "worker-extra-args": [
            "--no-dashboard", "--lifetime", f"{lifetime:g}s", "--lifetime-stagger", f"{stagger:g}s",
        ],
        # a login shell: `module` is a function of it, also where filewatcher was started by systemd
        "shebang": "#!/bin/bash -l",
        "queue": profile.slurm.partition,
        "account": profile.slurm.account,
        "walltime": clock(profile.slurm.walltime),
        "env-extra": None,
        "job-script-prologue": _prologue(profile),
        "job-cpu": None,
        "job-mem": None if memory is None else f"{memory // MIB}M",
        "job-extra": None,
        "job-extra-directives": _directives(profile, home),
        "job-directives-skip": ["--mem="] if memory is None else [],
        "log-directory": None,
        "scheduler-options": _scheduler_options(profile),
    }  # fmt: skip


def local_keywords(profile: Profile, directory: str | None) -> dict[str, object]:
    """Return what `LocalCluster` is told of workers on this machine; `directory` is where their scratch files go."""
    memory = profile.workers.memory_each
    return {
        "memory_limit": "auto" if memory is None else memory,
        "local_directory": directory,
    }


def job_memory(profile: Profile) -> int | None:
    """Bytes to ask for, whole MiB, or None for none: more than its workers may use, or Slurm is the first to kill."""
    if profile.slurm.job_memory == "omit":
        return None
    per_job, each = sizes(profile)
    amount = profile.slurm.job_memory or per_job * (each * 11 // 10 + NANNY)
    return -(-amount // MIB) * MIB


def sizes(profile: Profile) -> tuple[int, int]:
    """Return the workers in a job of Slurm and the bytes of each: a profile for Slurm has both."""
    per_job, each = profile.workers.per_job, profile.workers.memory_each
    assert per_job is not None
    assert each is not None
    return per_job, each


def retirement(profile: Profile) -> tuple[float, float]:
    """Seconds after which workers retire, and how much earlier or later than that each may do so.

    Slurm kills all workers of a job at one moment, with all that they hold; so they go before, one by one.
    """
    walltime = profile.slurm.walltime
    stagger = min(120.0, walltime / 8)
    reserve = min(stagger + profile.limits.frame_timeout + SPARE, walltime / 2)
    return round(walltime - reserve), round(stagger)


def clock(length: float) -> str:
    """Write seconds as Slurm reads them; it counts in minutes, upwards.

    >>> clock(8 * 3600), clock(90), clock(7 * 86400)
    ('08:00:00', '00:01:30', '7-00:00:00')
    """
    days, rest = divmod(round(length), 86400)
    text = f"{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}"
    return f"{days}-{text}" if days else text


def node_path(text: str) -> str:
    """Write a path with variables so that a shell on the node takes it as one word, and never as nothing.

    >>> node_path("$TMPDIR"), node_path("/scratch/$USER"), node_path("~/a b")
    ('"${TMPDIR:-/tmp}"', '"/scratch/${USER:?is not set on this node}"', '"${HOME:?is not set on this node}/a b"')
    """
    text = re.sub(r"^~(?=/)", "$HOME", text)
    given = re.sub(r"\$\{?(\w+)\}?", r"${\1:?is not set on this node}", text)
    return '"' + given.replace("${TMPDIR:?is not set on this node}", "${TMPDIR:-/tmp}") + '"'


def _scheduler_options(profile: Profile) -> dict[str, object]:
    # Dask would show its dashboard, unprotected, on all interfaces
    options: dict[str, object] = {"dashboard_address": "127.0.0.1:0"}
    interface = profile.workers.scheduler_interface or profile.workers.interface
    return options if interface is None else options | {"interface": interface}


def _prologue(profile: Profile) -> list[str]:
    ours = [f"export {name}={value}" for name, value in WORKER_ENVIRONMENT.items()]
    theirs = [f"export {name}={shlex.quote(value)}" for name, value in profile.environment.variables.items()]
    return [*ours, *profile.environment.setup, *theirs]


def _directives(profile: Profile, home: Path) -> list[str]:
    log = "/dev/null"
    if profile.slurm.log_directory is not None:
        log = f"{re.sub('^~(?=/)', str(home), profile.slurm.log_directory)}/{JOB_NAME}-%j.log"
    return [
        # lost workers are replaced by new jobs; one that Slurm starts again would come on top
        "--no-requeue",
        # or a crash leaves its core file where filewatcher was started, which may be among raw data
        "--chdir=/tmp",
        f"--output={shlex.quote(log)}",
        *([] if profile.slurm.qos is None else [f"--qos={profile.slurm.qos}"]),
        *profile.slurm.extra_directives,
    ]
