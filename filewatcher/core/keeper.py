"""The jobs that are in the queue, the workers that came and the number wanted in; what to submit, retire, cancel out.

Dask's own `scale` and `adapt` count a failed sbatch, or a job that died before its worker came, as on its way for
ever. The keeper compares what is there with what is wanted at every look, so it heals whatever went wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BACK_OFF = 60.0
"""Seconds to wait at most before the next try after failures: 2, 4, 8, ..."""
AGAIN = 30.0
"""Seconds after which a job that was to be gone and is still there is cancelled again."""


class JobState(Enum):
    """What matters here of Slurm's states."""

    PENDING = "pending"
    RUNNING = "running"
    ENDING = "ending"


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """One of our jobs in Slurm's queue."""

    id: str
    state: JobState
    seconds_left: float = math.inf
    """Of its walltime."""


@dataclass(frozen=True, slots=True)
class Crew:
    """How many workers a profile allows, and when they come and go; seconds."""

    jobs_min: int
    jobs_max: int
    """A job that replaces one whose walltime runs out comes on top."""
    per_job: int
    """Workers of one job."""
    idle_release: float = 900.0
    """For how long fewer must be enough before jobs are given back."""
    fallback_after: float | None = None
    """Without any worker, before local ones take over; None = never."""
    register_within: float = 120.0
    """From the start of a job to its first worker."""
    renew_before: float = 0.0
    """Walltime left at which a job's replacement is submitted."""
    retire_before: float = 0.0
    """Walltime left at which its workers take nothing new, replaced or not."""


@dataclass(frozen=True, slots=True)
class Submit:
    """Submit so many jobs; `Keeper.submitted` or `Keeper.refused` follows for each."""

    count: int


@dataclass(frozen=True, slots=True)
class Retire:
    """Let the workers of this job end what they have in hand, then cancel it."""

    job: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel this job: it has no worker to wait for."""

    job: str


@dataclass(frozen=True, slots=True)
class Local:
    """Start workers on this machine, or retire them."""

    on: bool


@dataclass(frozen=True, slots=True)
class Say:
    """A sentence for the user."""

    sentence: str


Action: TypeAlias = Submit | Retire | Cancel | Local | Say


@dataclass(slots=True)
class _Job:
    """What is known of one job beyond the queue."""

    came: bool = False
    """It has had a worker."""
    fit: bool | None = None
    """A worker of it was armed, or refused; None = that is not known yet."""
    empty_since: float | None = None
    """It runs and has no worker, since then."""
    left: float | None = None
    """When it was cancelled or retired."""


@dataclass(slots=True)
class _Look:
    """One look at queue and workers, with what follows from it so far."""

    queue: dict[str, QueuedJob]
    workers: Mapping[str, int]
    now: float
    actions: list[Action] = field(default_factory=list)


class Keeper:
    """Keeps between `jobs_min` and `jobs_max` jobs, as many as the workers wanted fill."""

    def __init__(self, crew: Crew, now: float) -> None:
        self.crew = crew
        self._jobs: dict[str, _Job] = {}
        self._kept = crew.jobs_min
        self._enough_since = now
        self._manned = now
        self._failures = 0
        self._doubtful = False
        self._not_before = now
        self._answers = True
        self._local = False

    def submitted(self, job: str) -> None:
        """Slurm has taken a job."""
        self._jobs[job] = _Job()

    def refused(self, reason: str, now: float) -> list[Action]:
        """Slurm has not taken a job: try again later, ever more slowly."""
        return [self._failed(f"sbatch failed: {reason}", now)]

    def fit(self, job: str) -> None:
        """A worker of this job can analyse what it is wanted for."""
        self._doubtful, self._failures = False, 0
        if job in self._jobs:
            self._jobs[job].fit = self._jobs[job].came = True

    def unfit(self, job: str, now: float) -> list[Action]:
        """A worker of this job was refused: its node, or its installation, is no good for the others of it either.

        Another job is tried later, ever more slowly until one is fit: it may come to the same node.
        """
        known = self._jobs.get(job)
        if known is None or known.left is not None:
            return []
        known.fit, known.left, self._doubtful = False, now, True
        return [Retire(job), self._failed(f"Slurm job {job} is of no use", now)]

    def observe(
        self, queue: Iterable[QueuedJob] | None, workers: Mapping[str, int], wanted: int, now: float
    ) -> Sequence[Action]:
        """Compare what is there with what is wanted.

        `queue`: our jobs, or None if Slurm did not answer. `workers`: how many there are now, by job.
        """
        if queue is None:
            sentence = Say("Slurm does not answer; the workers that are there go on")
            actions: list[Action] = [sentence] if self._answers else []
            self._answers = False
            return [*actions, *self._fall_back(workers, wanted, now)]
        look = _Look({job.id: job for job in queue}, workers, now)
        if not self._answers:
            self._answers = True
            look.actions.append(Say("Slurm answers again"))
        self._forget_ended(look)
        self._clear_dead(look)
        self._balance(look, self._need(wanted, now))
        look.actions += self._fall_back(workers, wanted, now)
        return look.actions

    def _forget_ended(self, look: _Look) -> None:
        for name in [name for name in self._jobs if name not in look.queue]:
            job = self._jobs.pop(name)
            if job.left is not None:
                continue
            if job.came:
                look.actions.append(Say(f"Slurm job {name} ended: cancelled, killed, or its node went down"))
            else:
                look.actions.append(self._failed(f"Slurm job {name} ended before a worker of it came", look.now))

    def _clear_dead(self, look: _Look) -> None:
        """Cancel what will not come: jobs of a keeper that died, jobs whose workers do not come or are all gone."""
        for name, queued in look.queue.items():
            if name not in self._jobs:
                self._jobs[name] = _Job(left=look.now)
                look.actions.append(Cancel(name))
                continue
            job = self._jobs[name]
            if look.workers.get(name, 0):
                job.came, job.empty_since = True, None
                if not self._doubtful:
                    self._failures = 0
            elif queued.state is JobState.RUNNING and job.empty_since is None:
                job.empty_since = look.now
            if job.left is not None:
                if look.now - job.left > AGAIN and not look.workers.get(name, 0):
                    self._leave(look, name, Cancel(name))
            elif job.empty_since is not None and look.now - job.empty_since > self.crew.register_within:
                self._leave(look, name, Cancel(name))
                what = "has lost its workers" if job.came else "has no worker"
                seconds = f"for {self.crew.register_within:g} s"
                look.actions.append(self._failed(f"Slurm job {name} runs and {what} {seconds}: cancelled", look.now))

    def _need(self, wanted: int, now: float) -> int:
        """Jobs to have now: more at once, fewer only after they were too many for a while."""
        crew = self.crew
        need = min(max(math.ceil(wanted / crew.per_job), crew.jobs_min), crew.jobs_max)
        if need >= self._kept or now - self._enough_since >= crew.idle_release:
            self._kept, self._enough_since = need, now
        return self._kept

    def _balance(self, look: _Look, need: int) -> None:
        here = [job for name, job in look.queue.items() if self._jobs[name].left is None]
        here = [job for job in here if job.state is not JobState.ENDING]
        lasting = [job for job in here if job.seconds_left > self.crew.renew_before]
        expiring = [job for job in here if job.seconds_left <= self.crew.renew_before]
        if len(lasting) < need and look.now >= self._not_before:
            look.actions.append(Submit(need - len(lasting)))
        # the last to have come go first: pending ones, then those whose workers are still on their way
        lasting.sort(key=lambda job: (look.workers.get(job.id, 0), job.state is JobState.RUNNING, job.seconds_left))
        for job in lasting[: max(0, len(lasting) - need)]:
            self._send_away(look, job.id)
        replaced = sum(1 for job in lasting if look.workers.get(job.id, 0)) >= need
        for job in expiring:
            if replaced or job.seconds_left <= self.crew.retire_before:
                self._send_away(look, job.id)

    def _send_away(self, look: _Look, name: str) -> None:
        self._leave(look, name, Retire(name) if look.workers.get(name, 0) else Cancel(name))

    def _leave(self, look: _Look, name: str, how: Action) -> None:
        self._jobs[name].left = look.now
        look.actions.append(how)

    def _fall_back(self, workers: Mapping[str, int], wanted: int, now: float) -> list[Action]:
        after = self.crew.fallback_after
        if any(count and self._counts(job) for job, count in workers.items()):
            self._manned = now
            if self._local:
                self._local = False
                return [Local(on=False), Say("workers from Slurm are here: the local ones are released")]
        elif not max(wanted, self.crew.jobs_min):
            self._manned = now  # nobody is waited for
        elif after is not None and not self._local and now - self._manned >= after:
            self._local = True
            return [Local(on=True), Say(f"no worker from Slurm for {after:g} s: local workers take over")]
        return []

    def _counts(self, job: str) -> bool:
        """Whether its workers are any good, as far as is known; after one that was refused they have to show it."""
        fit = self._jobs[job].fit if job in self._jobs else None
        return not self._doubtful if fit is None else fit

    def _failed(self, what: str, now: float) -> Say:
        self._failures += 1
        pause = min(2.0 ** min(self._failures, 10), BACK_OFF)
        self._not_before = now + pause
        return Say(f"{what}; the next try is in {pause:g} s")
