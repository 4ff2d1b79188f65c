"""What a profile comes to, in a few lines for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filewatcher.profiles.jobs import job_memory, retirement, sizes
from filewatcher.profiles.units import as_duration, as_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filewatcher.profiles.model import Profile


def plan(profile: Profile, cores: int) -> Iterator[tuple[str, str]]:
    """Yield what is planned, subject and words; `cores` is what this machine has."""
    workers, limits = profile.workers, profile.limits
    match profile.kind:
        case "local":
            memory = "a fair share of the memory" if workers.memory_each is None else as_size(workers.memory_each)
            yield "workers", f"{workers.per_job or cores} on this machine, one thread and {memory} each"
        case "slurm":
            yield from _slurm(profile)
        case _:
            yield "workers", f"those of the Dask scheduler {profile.scheduler}, which must be running"
    tasks = f"{limits.frames_per_task_max} frames at most, {limits.in_flight_per_worker} per worker under way"
    yield "tasks", tasks
    yield "frames", f"{as_duration(limits.frame_timeout)} at most; tried {limits.retries + 1} times if a worker dies"


def _slurm(profile: Profile) -> Iterator[tuple[str, str]]:
    workers, slurm = profile.workers, profile.slurm
    per_job, each = sizes(profile)
    yield "workers", f"{workers.jobs_max * per_job} at most, one thread and {as_size(each)} each, in jobs of {per_job}"
    yield "jobs", f"{workers.jobs_min} kept warm, {workers.jobs_max} at most, in partition {slurm.partition}"
    memory = job_memory(profile)
    asked = "no memory asked for" if memory is None else as_size(memory)
    lifetime, stagger = retirement(profile)
    retired = f"workers retire after {as_duration(lifetime)} (+- {as_duration(stagger)})"
    yield "a job", f"{per_job} cores, {asked}, {as_duration(slurm.walltime)}; {retired}"
    if (idle := profile.limits.idle_release) is None:
        yield "idle", "jobs are kept"
    else:
        yield "idle", f"jobs beyond the warm ones are given back after {as_duration(idle)}"
    if (fallback := profile.fallback_after) is None:
        yield "no worker", "Slurm is waited for"
    else:
        yield "no worker", f"local ones take over after {as_duration(fallback)}"
