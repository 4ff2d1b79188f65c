"""What Slurm says about a profile before a job of it is submitted; nothing is started."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filewatcher.edges.cluster.queue import QueueError, ask_slurm, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Partition", "QueueError", "partitions", "refusal", "version"]


@dataclass(frozen=True, slots=True)
class Partition:
    """Nodes of one kind, as `sinfo` shows them."""

    name: str
    up: bool
    """It takes jobs."""
    longest: float
    """Seconds that a job may last."""
    nodes: int
    answering: int
    """Nodes that would take a job, now or when those that they have are over."""


async def version() -> str:
    """Return the version of Slurm's commands, e.g. ``slurm-wlm 22.05.8``. Raises `QueueError`."""
    return (await ask_slurm("sinfo", "--version")).strip()


async def partitions() -> list[Partition]:
    """Ask slurmctld for all partitions that this user sees. Raises `QueueError`."""
    return understood((await ask_slurm("sinfo", "--noheader", "--all", "--format=%R|%a|%l|%D|%T")).splitlines())


def understood(lines: Sequence[str]) -> list[Partition]:
    """Understand lines of sinfo in the format ``%R|%a|%l|%D|%T``: one per partition and state of its nodes.

    >>> understood(["live|up|infinite|2|idle", "live|up|infinite|1|down*", "short|inact|2:00|1|mixed"])[0]
    Partition(name='live', up=True, longest=inf, nodes=3, answering=2)
    """
    found: dict[str, Partition] = {}
    for line in lines:
        name, available, longest, count, state = line.strip().split("|")
        before = found.get(name, Partition(name, available == "up", seconds(longest), 0, 0))
        # a * behind the state: the node does not answer
        here = int(count) if re.fullmatch(r"(idle|mixed|allocated|completing|reserved)[^*]?", state) else 0
        found[name] = Partition(name, before.up, before.longest, before.nodes + int(count), before.answering + here)
    return list(found.values())


async def refusal(script: str) -> str | None:
    """Ask Slurm whether it would take this job (``sbatch --test-only``); returns its reason if it would not."""
    try:
        await ask_slurm("sbatch", "--test-only", stdin=script)
    except QueueError as error:
        return str(error).removeprefix("allocation failure: ")
    return None
