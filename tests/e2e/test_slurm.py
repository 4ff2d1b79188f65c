"""A growing collection, analysed in real Slurm jobs while something goes wrong with them: every frame ends once."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any

import pytest

from filewatcher.testing.kills import Kind, processes
from filewatcher.testing.preloads import shifted_clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from filewatcher.testing.slurm import PrivateSlurm
    from tests.e2e.conftest import Shell

pytestmark = pytest.mark.timeout(280)

PROFILE = """\
version: 1
extends: slurm
scheduler: slurm
fallback_after: {fallback}
slurm: {{partition: live, walltime: {walltime}, log_directory: {logs}}}
workers: {{jobs_min: 2, jobs_max: 2, per_job: 1, memory_each: 1GiB, local_directory: /tmp, interface: lo}}
environment: {{setup: [{setup}]}}
limits: {{frame_timeout: 20s}}
"""
FRAMES = 120
SOON = 12.0
"""Frames/s where all that disturbs has been before the first of them."""
PATIENCE = 120.0
SIMULATION = ("--detector", "eiger2-1m", "--grid", "12x10", "--writers", 2, "--frames-per-file", 20)


class Heard:
    """The lines of a pipe, read as they come: a process must not wait for its reader."""

    def __init__(self, pipe: IO[str]) -> None:
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(pipe,))
        self._thread.start()

    def until(self, true: Callable[[list[str]], bool]) -> None:
        """Wait until it is true of the lines."""
        with self._news:
            assert self._news.wait_for(lambda: true(self.lines), PATIENCE), "".join(self.lines)

    def all(self) -> list[str]:
        """Wait for the end."""
        self._thread.join()
        return self.lines

    def _read(self, pipe: IO[str]) -> None:
        with pipe:
            for line in pipe:
                with self._news:
                    self.lines.append(line)
                    self._news.notify_all()


class Night:
    """A beamline with a Slurm: a watcher with a profile, and a detector that writes."""

    def __init__(self, shell: Shell, slurm: PrivateSlurm, folder: Path) -> None:
        self.shell, self.slurm, self.folder = shell, slurm, folder
        (folder / "raw").mkdir()
        self.master = folder / "raw" / "grid.nxs"

    def begin(self, *, fallback: str = "never", walltime: str = "10min", setup: str = "", rate: float = 3) -> None:
        """`rate`: frames/s; the scan has to last for as long as the disturbance of it does."""
        text = PROFILE.format(fallback=fallback, walltime=walltime, logs=self.folder / "logs", setup=json.dumps(setup))
        (self.folder / "slurm-like.yaml").write_text(text)
        self.watch()
        self.simulator = self.shell.start("simulate", self.master.parent, "--rate", rate, *SIMULATION)

    def watch(self) -> None:
        """Start the watcher, the first time or again."""
        profile = self.folder / "slurm-like.yaml"
        self.watching = self.shell.start("watch", self.master, "--json", "--profile", profile)
        assert self.watching.stdout is not None
        assert self.watching.stderr is not None
        self.out, self.err = Heard(self.watching.stdout), Heard(self.watching.stderr)

    @property
    def scheduler(self) -> int:
        """The process of Dask's scheduler."""
        (pid,) = [pid for kind, pid in processes(self.watching.pid) if kind is Kind.SCHEDULER]
        return pid

    def frames(self, count: int) -> None:
        """Wait until so many frames are on record."""
        self.out.until(lambda lines: len(lines) >= count)

    def said(self, words: str) -> None:
        """Wait until that is said."""
        self.err.until(lambda lines: any(re.search(words, line) for line in lines))

    def manned(self, jobs: int) -> list[str]:
        """Wait until so many jobs run and have a worker at the scheduler, as their logs say; their numbers."""

        def found() -> list[str]:
            logs = {job: self.folder / "logs" / f"filewatcher-{job}.log" for job in self.slurm.jobs("RUNNING")}
            return [job for job, log in logs.items() if log.exists() and "Registered to" in log.read_text()]

        self.slurm.until(lambda: len(found()) >= jobs, f"{jobs} jobs with workers", PATIENCE)
        return found()

    def end(self) -> list[dict[str, Any]]:
        """Every frame is done, each once, and Slurm is as it was; the lines of the frames."""
        out, err = self.out.all(), "".join(self.err.all())
        code = self.watching.wait()
        self.shell.running.remove(self.watching)
        assert self.shell.finish(self.simulator).code == 0
        assert code == 0, err
        *lines, summary = map(json.loads, out)
        frames = [line for line in lines if line["type"] == "frame"]
        assert [summary[key] for key in ("expected", "done", "failed", "missing")] == [FRAMES, FRAMES, 0, 0], err
        assert sorted(line["frame"] for line in frames) == list(range(FRAMES))
        self.slurm.until(lambda: not self.slurm.jobs(), "jobs that end with who wanted them")
        return frames


@pytest.fixture
def night(shell: Shell, slurm: PrivateSlurm, tmp_path: Path) -> Night:
    return Night(shell, slurm, tmp_path)


def test_a_growing_collection_is_analysed_in_jobs(night: Night) -> None:
    night.begin(rate=SOON)
    assert all(line["attempts"] == 1 for line in night.end())


def test_a_cancelled_job_is_replaced(night: Night) -> None:
    night.begin()
    night.frames(10)
    cancelled, *_ = night.manned(2)
    night.slurm.call("scancel", cancelled)
    night.said(f"Slurm job {cancelled} ended: cancelled")
    night.end()


def test_a_node_that_goes_down_takes_its_jobs_along_and_comes_back(night: Night) -> None:
    night.begin()
    night.frames(10)
    job, *_ = night.manned(2)
    node = night.slurm.call("squeue", "-h", "-j", job, "-o", "%N")
    night.slurm.take_node_down(node)
    try:
        night.said(f"Slurm job {job} ended")
    finally:
        night.slurm.bring_node_back(node)
    night.end()


def test_workers_go_on_while_slurmctld_is_restarted(night: Night) -> None:
    night.begin()
    night.frames(10)
    night.slurm.stop_controller()
    try:
        before = len(night.out.lines)
        night.frames(before + 10)
    finally:
        night.slurm.start_controller()
    night.end()


def test_a_job_that_dies_before_its_worker_comes_is_replaced(night: Night) -> None:
    mark = night.folder / "died"
    night.begin(setup=f"test -e {mark} || {{ touch {mark}; exit 1; }}", rate=SOON)
    night.said(r"Slurm job \d+ ended before a worker of it came; the next try is in 2 s")
    night.end()


def test_sbatch_that_fails_is_said_and_tried_again(night: Night) -> None:
    night.slurm.set_partition("live", "inactive")
    try:
        night.begin(rate=SOON)
        night.said("sbatch failed: .*artition.*; the next try is in 2 s")
    finally:
        night.slurm.set_partition("live", "up")
    night.end()


def test_local_workers_take_over_from_a_slurm_that_gives_nothing_and_are_released(night: Night) -> None:
    night.slurm.set_partition("live", "down")
    try:
        night.begin(fallback="2s")
        night.said("no worker from Slurm for 2 s: local workers take over")
        night.frames(10)
    finally:
        night.slurm.set_partition("live", "up")
    night.said("workers from Slurm are here: the local ones are released")
    night.end()


def test_a_scheduler_that_is_killed_is_started_again_without_blame(night: Night) -> None:
    night.begin()
    night.frames(10)
    os.kill(night.scheduler, signal.SIGKILL)
    night.said("the Dask scheduler ended with status -9; starting it again")
    assert all(line["attempts"] == 1 for line in night.end())


def test_jobs_end_when_nobody_is_left_to_cancel_them_and_the_same_command_goes_on(night: Night) -> None:
    night.begin()
    night.frames(10)
    night.manned(2)
    scheduler = night.scheduler
    for pid in (night.watching.pid, scheduler):
        os.kill(pid, signal.SIGKILL)
    told = [json.loads(line)["frame"] for line in night.out.all() if json.loads(line)["type"] == "frame"]
    night.err.all()
    night.watching.wait()
    night.shell.running.remove(night.watching)
    night.slurm.until(lambda: not night.slurm.jobs(), "jobs that ended by themselves", PATIENCE)
    night.watch()
    assert {line["frame"] for line in night.end()} >= set(told)
    on_record = re.search(r"(\d+) of them are on record", "".join(night.err.lines))
    assert on_record is not None
    assert int(on_record[1]) >= len(told)  # it is told after it is recorded: the kill may come between the two


def test_the_frames_of_a_job_that_is_suspended_are_handed_out_again_and_its_late_answers_do_not_count(
    night: Night,
) -> None:
    night.begin()
    night.frames(10)
    job, *_ = night.manned(2)
    night.slurm.call("scontrol", "suspend", job)
    # among them what the job had, longer after its silence than a frame may take
    first = set(range(FRAMES * 3 // 4))
    night.out.until(lambda lines: first <= {json.loads(line).get("frame") for line in lines})
    night.slurm.call("scontrol", "resume", job)
    night.end()


def test_clocks_that_differ_do_not_matter(night: Night, tmp_path: Path) -> None:
    days = 300
    early, late = shifted_clock(tmp_path, -20 * 3600), shifted_clock(tmp_path, days * 86400)
    night.begin(setup=f"export LD_PRELOAD=$(test $((SLURM_JOB_ID % 2)) = 0 && echo {early} || echo {late})", rate=SOON)
    assert all(line["attempts"] == 1 for line in night.end())
    # what workers wrote into their logs has the date of another year, or of the day before
    logs = "".join(path.read_text() for path in (tmp_path / "logs").iterdir())
    for shift in (timedelta(hours=-20), timedelta(days=days)):
        day = datetime.now(UTC) + shift
        assert f"{day:%Y-%m-%d}" in logs


def test_jobs_are_replaced_before_their_walltime_ends(night: Night) -> None:
    night.begin(walltime="1min", rate=1.5)
    first = night.manned(2)
    night.frames(1)
    night.said(f"Slurm job ({'|'.join(first)}) is given back")
    assert all(line["attempts"] == 1 for line in night.end())


def test_a_profile_is_tried_with_one_worker_and_one_frame(shell: Shell, slurm: PrivateSlurm, tmp_path: Path) -> None:
    profile = tmp_path / "slurm-like.yaml"
    profile.write_text(PROFILE.format(fallback="never", walltime="10min", logs=tmp_path / "logs", setup='""'))
    shell.folder.mkdir()
    ran = shell.run("profile", "test", profile, "--json")
    assert ran.code == 0, ran.stderr
    (line,) = ran.lines
    assert "frame analysed, 25 of 25 spots found" in line["seconds"]
    slurm.until(lambda: not slurm.jobs(), "jobs that end with who wanted them")
    assert list(shell.folder.iterdir()) == [], "what it wrote is gone"

    slurm.set_partition("live", "inactive")
    try:
        ran = shell.run("profile", "test", profile, "--timeout", 3)
    finally:
        slurm.set_partition("live", "up")
    assert ran.code == 4
    assert "sbatch failed" in ran.stderr
    assert "no worker came in 3 s" in ran.stderr
