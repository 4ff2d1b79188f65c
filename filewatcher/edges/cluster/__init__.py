"""Where workers come from: this machine, Slurm, or a Dask scheduler that the site runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filewatcher.edges.cluster.existing import ExistingScheduler
from filewatcher.edges.cluster.office import Office

if TYPE_CHECKING:
    from collections.abc import Callable

    from filewatcher.ports import Cluster
    from filewatcher.profiles import Profile

__all__ = ["ExistingScheduler", "Office", "open_cluster"]


def open_cluster(profile: Profile, say: Callable[[str], None], workers: int | None = None) -> Cluster:
    """Choose what `profile` says; nothing is started yet. `workers` overrides how many are local."""
    if profile.kind in {"local", "slurm"}:
        return Office(profile, say, workers)
    return ExistingScheduler(profile.scheduler)
