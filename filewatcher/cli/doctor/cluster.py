"""Where workers run: the profile, Slurm as it is asked by it, one worker and one frame, the clocks of their nodes."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from filewatcher.cli.doctor.findings import note, ok, skipped, unreachable, wrong
from filewatcher.cli.doctor.folders import nearest
from filewatcher.edges.cluster import job_script
from filewatcher.edges.cluster.inquiry import QueueError, partitions, refusal, version
from filewatcher.errors import FilewatcherError, Refused, Unreachable
from filewatcher.profiles.units import as_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from filewatcher.cli.doctor.findings import Asked, Finding
    from filewatcher.edges.cluster.inquiry import Partition
    from filewatcher.profiles import Profile

COMMANDS = ("sbatch", "squeue", "scancel", "sinfo")
FAR, TOO_FAR = 1.0, 60.0
"""Seconds between two clocks: what confuses readers of logs, and what is on its way to the 300 s at which munge lets
nobody in. To filewatcher itself they do not matter: it compares no times of two machines."""


def check_profile(asked: Asked) -> Iterator[Finding]:
    """The profile: every key and value of it."""
    try:
        loaded = asked.profile()
    except Refused as error:
        yield wrong("profile", str(error))
    else:
        yield ok("profile", f"{loaded.name} ({loaded.files[0]}), scheduler {loaded.profile.scheduler}")


def check_network(asked: Asked) -> Iterator[Finding]:
    """Where other nodes would look for the scheduler."""
    if not (profile := _slurm_profile(asked)):
        return
    workers = profile.workers
    if interface := workers.scheduler_interface or workers.interface:
        here = [name for _, name in socket.if_nameindex()]
        if interface in here:
            yield ok("network", f"the scheduler listens on {interface}")
        else:
            yield wrong(
                "network",
                f"this machine has no interface {interface}: write one of {', '.join(here)} as "
                "workers.scheduler_interface (workers.interface is that of the nodes)",
            )
        return
    host = socket.gethostname()
    try:
        address = socket.gethostbyname(host)
    except OSError as error:
        problem = f"this machine does not know its own name {host} ({error.strerror})"
        yield wrong("network", f"{problem}: write workers.interface, as ib0")
        return
    if address.startswith("127."):
        yield wrong("network", f"{host} is {address}, which no other node can reach: write workers.interface, as ib0")
    else:
        yield ok("network", f"the scheduler listens on {address} ({host})")


def check_slurm(asked: Asked) -> Iterator[Finding]:
    """Slurm's commands, its controller, the partition, and whether it would take a job of the profile."""
    if not (profile := _slurm_profile(asked)):
        return
    if absent := [name for name in COMMANDS if shutil.which(name) is None]:
        way_out = "install Slurm's client (Debian: slurm-client), or go to a machine that may submit jobs"
        yield unreachable("Slurm", f"no {', '.join(absent)} here: {way_out}")
        return
    script = job_script(profile, home=Path.home(), python=sys.executable)
    try:
        found, there, no = asyncio.run(_asked_slurm(script))
    except QueueError as error:
        yield unreachable("Slurm", f"slurmctld does not answer: {error}; is SLURM_CONF or /etc/slurm/slurm.conf right?")
        return
    wanted = (profile.slurm.partition or "").split(",")
    problems = [problem for name in wanted if (problem := _trouble(name, there, profile.slurm.walltime))]
    if problems:
        yield wrong("Slurm", problems[0])
    elif no is not None:
        yield wrong("Slurm", f"would not take a job of this profile: {no}; filewatcher profile check prints the job")
    else:
        nodes = ", ".join(f"{p.name} ({p.answering} of {p.nodes} nodes)" for p in there if p.name in wanted)
        yield ok("Slurm", f"{found}, partition {nodes}, takes a job of this profile")


async def _asked_slurm(script: str) -> tuple[str, list[Partition], str | None]:
    return await version(), await partitions(), await refusal(script)


def _trouble(name: str, there: Sequence[Partition], walltime: float) -> str | None:
    """Say what stands against a partition."""
    found = next((partition for partition in there if partition.name == name), None)
    if found is None:
        names = ", ".join(partition.name for partition in there)
        return f"there is no partition {name}: write one of {names} as slurm.partition"
    if not found.up:
        return f"partition {name} is not up (sinfo -s says so): wait, or write another one as slurm.partition"
    if walltime > found.longest:
        longest, asked = as_duration(found.longest), as_duration(walltime)
        return f"partition {name} gives {longest} at most, not {asked}: write slurm.walltime: {longest}"
    if not found.answering:
        return f"none of the {found.nodes} nodes of partition {name} takes jobs: sinfo -R says why"
    return None


def check_workers(asked: Asked) -> Iterator[Finding]:
    """One worker as the profile says, one frame; then the clock of its node."""
    if not asked.all_good("profile", "network", "Slurm", "output"):
        yield skipped("worker", "not tried, because of what is said above")
        return
    from filewatcher.cli.trial import trial  # noqa: PLC0415  heavy: not needed where something is wrong

    said: list[str] = []
    # os.path raises nothing where we may not look
    masters = [str(place.absolute()) for place in asked.data if os.path.isfile(place)]  # noqa: PTH113
    try:
        tried = asyncio.run(trial(asked.profile().profile, nearest(asked.output), asked.patience, said.append, masters))
    except FilewatcherError as error:
        state = unreachable if isinstance(error, Unreachable) else wrong
        yield state("worker", "; ".join(dict.fromkeys([*said, str(error)])))
        return
    yield ok("worker", ", ".join(f"{what} ({took:.1f} s)" for what, took in tried.steps))
    for node, ahead in tried.clocks.items():
        yield _clock(node, ahead)


def _clock(node: str, ahead: float) -> Finding:
    how = f"that of {node} is {abs(ahead):.3g} s {'ahead of' if ahead > 0 else 'behind'} ours"
    if abs(ahead) < FAR:
        return ok("clock", f"{node} and this machine agree")
    if abs(ahead) < TOO_FAR:
        return note("clock", f"{how}: results do not suffer, but times in logs do; run chrony or ntpd on both")
    return wrong("clock", f"{how}: Slurm's munge lets nobody in from 300 s on; run chrony or ntpd on both")


def _slurm_profile(asked: Asked) -> Profile | None:
    """The profile, if it has to do with Slurm."""
    if not asked.all_good("profile"):
        return None
    profile = asked.profile().profile
    return profile if profile.kind == "slurm" else None
