"""Clusters for tests: small, on loopback, quick to notice what happens."""

from __future__ import annotations

from typing import Any

from filewatcher.edges.cluster import Office
from filewatcher.profiles import Profile


def local_cluster(workers: int, **variables: str) -> Office:
    """Make a scheduler in a process of its own, with workers on this machine and these environment variables."""
    sections = {"workers": {"per_job": workers}, "environment": {"variables": variables}}
    return Office(Profile.model_validate({"scheduler": "local", **sections}), lambda _: None)


def slurm_profile(**sections: dict[str, Any]) -> Profile:
    """Make a profile for `PrivateSlurm`: one job of two workers, kept; `sections` add to it."""
    base: dict[str, dict[str, Any]] = {
        "slurm": {"partition": "live", "walltime": "10min"},
        "workers": {"jobs_min": 1, "jobs_max": 1, "per_job": 2, "memory_each": "1GiB", "interface": "lo"},
        "limits": {"frame_timeout": "20s"},
    }
    merged = {name: base.get(name, {}) | sections.get(name, {}) for name in base | sections}
    return Profile.model_validate({"scheduler": "slurm", "fallback_after": "never", **merged})
