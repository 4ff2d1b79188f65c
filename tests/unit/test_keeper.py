"""The keeper against a small Slurm that fails at random: it always ends up with as many jobs as are wanted."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.keeper import Action, Cancel, Crew, JobState, Keeper, Local, QueuedJob, Retire, Say, Submit

RUNNING, PENDING, ENDING = JobState.RUNNING, JobState.PENDING, JobState.ENDING
CREW = Crew(1, 3, 4, idle_release=100.0, fallback_after=60.0, register_within=30.0, renew_before=50.0, retire_before=10)


def keeper(crew: Crew = CREW, *jobs: str) -> Keeper:
    one = Keeper(crew, 0.0)
    for job in jobs:
        one.submitted(job)
    return one


def sentence(actions: object) -> str:
    assert isinstance(actions, list)
    (one,) = [action.sentence for action in actions if isinstance(action, Say)]
    assert isinstance(one, str)
    return one


def test_the_warm_minimum_is_submitted_at_once_and_only_once() -> None:
    one = keeper()
    assert one.observe([], {}, 0, 0.0) == [Submit(1)]
    one.submitted("1")
    assert one.observe([QueuedJob("1", PENDING)], {}, 0, 1.0) == []


def test_jobs_are_as_many_as_the_workers_wanted_fill_up_to_the_maximum() -> None:
    running = QueuedJob("1", RUNNING)
    assert keeper(CREW, "1").observe([running], {"1": 4}, 4, 1.0) == []
    assert keeper(CREW, "1").observe([running], {"1": 4}, 5, 1.0) == [Submit(1)]
    assert keeper(CREW, "1").observe([running], {"1": 4}, 1000, 1.0) == [Submit(2)]


def test_a_failed_sbatch_is_said_and_tried_again_ever_more_slowly() -> None:
    one = keeper()
    assert one.observe([], {}, 0, 0.0) == [Submit(1)]
    said = one.refused("Invalid partition", 0.0)
    assert said == [Say("sbatch failed: Invalid partition; the next try is in 2 s")]
    assert one.observe([], {}, 0, 1.0) == []
    assert one.observe([], {}, 0, 2.0) == [Submit(1)]
    assert "in 4 s" in sentence(one.refused("Invalid partition", 2.0))


def test_a_job_that_dies_before_its_worker_comes_is_replaced() -> None:
    one = keeper(CREW, "1")
    assert one.observe([QueuedJob("1", RUNNING)], {}, 0, 1.0) == []
    assert "job 1 ended before a worker" in sentence(one.observe([], {}, 0, 2.0))
    assert one.observe([], {}, 0, 4.0) == [Submit(1)]


def test_a_job_whose_worker_never_comes_is_cancelled_and_replaced() -> None:
    one = keeper(CREW, "1")
    stuck = QueuedJob("1", RUNNING)
    assert one.observe([stuck], {}, 0, 1.0) == []
    actions = list(one.observe([stuck], {}, 0, 32.0))
    assert actions[0] == Cancel("1")
    assert "has no worker for 30 s" in sentence(actions)
    assert one.observe([stuck], {}, 0, 34.0) == [Submit(1)], "even while Slurm takes its time"


def test_a_job_whose_worker_was_refused_is_given_back_and_tried_again_ever_more_slowly() -> None:
    one, now = keeper(CREW), 0.0
    for number, pause in enumerate([2, 4, 8, 16, 32, 60, 60]):
        assert Submit(1) in one.observe([], {}, 1, now)
        one.submitted(str(number))
        running = QueuedJob(str(number), RUNNING)
        assert one.observe([running], {str(number): 4}, 1, now) == []
        gone, said = one.unfit(str(number), now)
        assert (gone, said) == (
            Retire(str(number)),
            Say(f"Slurm job {number} is of no use; the next try is in {pause} s"),
        )
        assert one.unfit(str(number), now) == [], "the other workers of the job are refused, too"
        assert Submit(1) not in one.observe([running], {str(number): 4}, 1, now)
        assert Submit(1) not in one.observe([], {}, 1, now + pause - 1)
        now += pause
    one.observe([], {}, 1, now)
    one.submitted("good")
    one.fit("good")
    assert "in 2 s" in sentence(one.refused("no", now)), "one that is fit ends the doubts"


def test_workers_that_are_refused_are_no_workers() -> None:
    one = keeper(CREW, "1", "2")
    one.unfit("1", 0.0)
    queue = [QueuedJob("2", RUNNING)]
    assert Local(on=True) in one.observe(queue, {"2": 4}, 1, 60.0), "nobody knows whether the next ones are better"
    one.fit("2")
    assert Local(on=False) in one.observe(queue, {"2": 4}, 1, 61.0)


def test_a_job_that_ends_between_two_looks_after_its_worker_came_is_no_failure() -> None:
    one = keeper(CREW, "1")
    one.fit("1")
    actions = list(one.observe([], {}, 0, 2.0))
    assert "job 1 ended: cancelled" in sentence(actions)
    assert Submit(1) in actions


def test_a_cancelled_job_is_replaced_at_once() -> None:
    one = keeper(CREW, "1")
    one.observe([QueuedJob("1", RUNNING)], {"1": 4}, 0, 1.0)
    actions = list(one.observe([], {}, 0, 2.0))
    assert "job 1 ended" in sentence(actions)
    assert Submit(1) in actions


def test_jobs_of_a_keeper_that_died_are_cancelled() -> None:
    one = keeper(CREW, "2")
    assert one.observe([QueuedJob("1", RUNNING), QueuedJob("2", PENDING)], {}, 0, 0.0) == [Cancel("1")]


def test_when_slurm_does_not_answer_nothing_is_concluded() -> None:
    one = keeper(CREW, "1")
    one.observe([QueuedJob("1", RUNNING)], {"1": 4}, 0, 0.0)
    assert "does not answer" in sentence(one.observe(None, {"1": 4}, 0, 1.0))
    assert one.observe(None, {"1": 4}, 0, 2.0) == []
    assert sentence(one.observe([QueuedJob("1", RUNNING)], {"1": 4}, 0, 3.0)) == "Slurm answers again"


def test_what_is_not_needed_is_given_back_late_and_the_pending_first() -> None:
    one = keeper(CREW, "1", "2", "3")
    queue = [QueuedJob("1", RUNNING), QueuedJob("2", RUNNING), QueuedJob("3", PENDING)]
    workers = {"1": 4, "2": 4}
    assert one.observe(queue, workers, 12, 0.0) == []
    assert one.observe(queue, workers, 8, 50.0) == []
    assert one.observe(queue, workers, 8, 100.0) == [Cancel("3")]
    assert one.observe(queue[:2], workers, 1, 199.0) == []
    assert one.observe(queue[:2], workers, 1, 200.0) == [Retire("1")]


def test_a_job_is_replaced_before_its_walltime_ends_and_then_retired() -> None:
    one = keeper(CREW, "1")
    old = QueuedJob("1", RUNNING, 49.0)
    assert one.observe([old], {"1": 4}, 0, 0.0) == [Submit(1)]
    one.submitted("2")
    assert one.observe([old, QueuedJob("2", PENDING)], {"1": 4}, 0, 1.0) == []
    assert one.observe([old, QueuedJob("2", RUNNING)], {"1": 4, "2": 1}, 0, 2.0) == [Retire("1")]


def test_it_is_retired_in_time_also_when_its_replacement_waits() -> None:
    one = keeper(CREW, "1", "2")
    queue = [QueuedJob("1", RUNNING, 9.0), QueuedJob("2", PENDING)]
    assert one.observe(queue, {"1": 4}, 0, 0.0) == [Retire("1")]
    assert one.observe([QueuedJob("1", ENDING, 5.0), queue[1]], {}, 0, 1.0) == []


def test_local_workers_take_over_and_are_released() -> None:
    one = keeper(CREW, "1")
    pending, running = [QueuedJob("1", PENDING)], [QueuedJob("1", RUNNING)]
    assert one.observe(pending, {}, 0, 59.0) == []
    said = list(one.observe(pending, {}, 0, 60.0))
    assert said[0] == Local(on=True)
    assert "local workers take over" in sentence(said)
    assert one.observe(pending, {}, 0, 61.0) == []
    assert next(iter(one.observe(running, {"1": 1}, 0, 62.0))) == Local(on=False)


def test_local_workers_take_over_from_a_slurm_that_does_not_answer() -> None:
    assert Local(on=True) in keeper().observe(None, {}, 0, 60.0)


@dataclass
class SmallSlurm:
    """Takes jobs, starts them at the next step, registers their workers one step later; the test breaks it."""

    keeper: Keeper
    now: float = 0.0
    queue: dict[str, QueuedJob] = field(default_factory=dict)
    workers: dict[str, int] = field(default_factory=dict)
    number: int = 0
    said: int = 0

    def step(self, wanted: int, fault: str, pick: int) -> None:
        self.now += 1.0
        for name, job in list(self.queue.items()):
            if job.state is RUNNING and fault != "no worker":
                self.workers[name] = self.keeper.crew.per_job
            self.queue[name] = QueuedJob(name, RUNNING, job.seconds_left - 1.0)
            if job.seconds_left <= 1.0:
                self.remove(name)
        if self.queue and fault == "killed":
            self.remove(sorted(self.queue)[pick % len(self.queue)])
        if self.workers and fault == "refused":
            for action in self.keeper.unfit(sorted(self.workers)[pick % len(self.workers)], self.now):
                self.act(action, fault)
        queue = None if fault == "silent" else list(self.queue.values())
        for action in self.keeper.observe(queue, self.workers, wanted, self.now):
            self.act(action, fault)

    def act(self, action: Action, fault: str) -> None:
        match action:
            case Submit(count):
                assert count > 0
                for _ in range(count):
                    if fault == "sbatch fails":
                        self.keeper.refused("no", self.now)
                        continue
                    self.number += 1
                    self.queue[str(self.number)] = QueuedJob(str(self.number), PENDING, 300.0)
                    self.keeper.submitted(str(self.number))
            case Retire(name) | Cancel(name):
                assert name in self.queue, "only what is there is sent away"
                if fault != "scancel fails":
                    self.remove(name)
            case Say():
                self.said += 1

    def remove(self, name: str) -> None:
        self.queue.pop(name)
        self.workers.pop(name, None)


FAULTS = ["", "", "killed", "sbatch fails", "no worker", "refused", "silent", "scancel fails"]


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(FAULTS), st.integers(0, 9)), max_size=150),
    st.integers(0, 40),
    st.integers(0, 2),
)
def test_whatever_went_wrong_it_ends_with_as_many_as_are_wanted(
    history: list[tuple[int, str, int]], wanted: int, jobs_min: int
) -> None:
    crew = Crew(jobs_min, 5, 4, idle_release=20.0, register_within=10.0, renew_before=40.0, retire_before=10.0)
    slurm = SmallSlurm(Keeper(crew, 0.0))
    for step in history:
        slurm.step(*step)
    for _ in range(400):
        slurm.step(wanted, "", 0)
    need = min(max(math.ceil(wanted / crew.per_job), jobs_min), crew.jobs_max)
    lasting = [name for name, job in slurm.queue.items() if job.seconds_left > crew.renew_before]
    # one that is just being replaced is not there yet
    assert need - 1 <= len(lasting) <= need
    # at every moment of a quiet time the workers wanted are there
    for _ in range(400):
        slurm.step(wanted, "", 0)
        assert sum(slurm.workers.values()) >= need * crew.per_job


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["", "killed", "sbatch fails"]), st.integers(0, 9))))
def test_never_more_jobs_than_allowed(history: list[tuple[int, str, int]]) -> None:
    crew = Crew(1, 3, 4, idle_release=20.0, register_within=10.0)
    slurm = SmallSlurm(Keeper(crew, 0.0))
    for step in history:
        slurm.step(*step)
        assert len(slurm.queue) <= crew.jobs_max
