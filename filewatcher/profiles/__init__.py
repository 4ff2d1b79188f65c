"""Profiles: where workers run, how many and with what, as a system administrator writes it down in YAML."""

from filewatcher.profiles.loading import DEFAULT, SHIPPED, Loaded, Override, SearchPath, load
from filewatcher.profiles.model import Environment, Limits, Profile, Slurm, Workers

__all__ = [
    "DEFAULT",
    "SHIPPED",
    "Environment",
    "Limits",
    "Loaded",
    "Override",
    "Profile",
    "SearchPath",
    "Slurm",
    "Workers",
    "load",
]
