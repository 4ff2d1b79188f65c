"""Slurm's queue, by its own commands: submit, look, cancel."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import re
from typing import TYPE_CHECKING

from filewatcher.core.keeper import JobState, QueuedJob

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PATIENCE = 30.0
"""Seconds that one of Slurm's commands may take: about 10 when slurmctld is away."""

STATES = {
    "PENDING": JobState.PENDING,
    "CONFIGURING": JobState.PENDING,
    "RUNNING": JobState.RUNNING,
    "SUSPENDED": JobState.RUNNING,
}
"""Any other: the job is about to end."""


class QueueError(Exception):
    """Slurm said no, or nothing; the message is its last line."""


class Queue:
    """The jobs of one name, all ours. `environment` is added to that of the jobs."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self.name = name
        self._environment = environment

    async def submit(self, script: str) -> str:
        """Submit a script, which does not touch a disk; returns the number of the job. Raises `QueueError`."""
        words = ["sbatch", "--parsable", f"--job-name={self.name}"]
        answer = await ask_slurm(*words, stdin=script, environment=self._environment)
        # on a federation: number;cluster
        number = answer.strip().rpartition("\n")[2].partition(";")[0]
        if not number.isdigit():
            raise QueueError(f"sbatch answered {answer.strip()!r}")
        return number

    async def jobs(self) -> list[QueuedJob]:
        """Every job of our name that has not ended. Raises `QueueError`."""
        answer = await ask_slurm("squeue", "--noheader", "--me", f"--name={self.name}", "--format=%i|%T|%L")
        return [queued_job(line) for line in answer.splitlines()]

    async def cancel(self, jobs: Sequence[str]) -> None:
        """Cancel jobs; one that has gone already does not matter, and one that stays is seen in the queue."""
        with contextlib.suppress(QueueError):
            await ask_slurm("scancel", "--quiet", *jobs)

    async def cancel_all(self) -> None:
        """Cancel every job of our name."""
        with contextlib.suppress(QueueError):
            await ask_slurm("scancel", "--quiet", "--me", f"--name={self.name}")


async def ask_slurm(*words: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> str:
    """Run one of Slurm's commands; returns its standard output. Raises `QueueError`."""
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env={**os.environ, **(environment or {})},
            start_new_session=True,  # a terminal's Ctrl-C is for us
        )
    except OSError as error:
        raise QueueError(f"{words[0]}: {error.strerror} (is this a machine that may submit jobs?)") from error
    try:
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), PATIENCE)
    except (TimeoutError, asyncio.CancelledError) as error:
        process.kill()
        await process.wait()
        if isinstance(error, TimeoutError):
            raise QueueError(f"{words[0]} gave no answer in {PATIENCE:g} s") from error
        raise
    if process.returncode:
        lines = err.decode(errors="replace").strip().splitlines() or [f"exit status {process.returncode}"]
        raise QueueError(re.sub(r"^\w+: (error|fatal): ", "", lines[-1]))
    return out.decode()


def queued_job(line: str) -> QueuedJob:
    """Understand a line of squeue in the format ``%i|%T|%L``.

    >>> queued_job("12|RUNNING|1-02:00:05")
    QueuedJob(id='12', state=<JobState.RUNNING: 'running'>, seconds_left=93605.0)
    >>> queued_job("13|COMPLETING|INVALID").state, queued_job("14|PENDING|UNLIMITED").seconds_left
    (<JobState.ENDING: 'ending'>, inf)
    """
    number, state, left = line.strip().split("|")
    return QueuedJob(number, STATES.get(state, JobState.ENDING), seconds(left))


def seconds(left: str) -> float:
    """Read ``[days-][hours:]minutes:seconds``; anything else knows no end."""
    days, _, clock = left.rpartition("-")
    parts = clock.split(":")
    if not all(part.isdigit() for part in (days or "0", *parts)):
        return math.inf
    total = 0.0
    for part in parts:
        total = 60 * total + int(part)
    return total + 86400 * int(days or 0)
