"""Where workers come from: this machine, Slurm, or a Dask scheduler that the site runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filewatcher.edges.cluster.existing import ExistingScheduler
from filewatcher.edges.cluster.office import Office
from filewatcher.edges.cluster.script import job_script

if TYPE_CHECKING:
    from collections.abc import Callable

    from filewatcher.ports import Cluster
    from filewatcher.profiles import Profile

__all__ = ["ExistingScheduler", "Office", "job_script", "open_cluster"]


def open_cluster(profile: Profile, say: Callable[[str], None], folder: str | None = None) -> Cluster:
    """Choose what `profile` says; nothing is started yet. `say` is told what a user should know.

    `folder` is where workers on this machine have their scratch files.
    """
    if profile.kind in {"local", "slurm"}:
        return Office(profile, say, folder)
    return ExistingScheduler(profile.scheduler)
