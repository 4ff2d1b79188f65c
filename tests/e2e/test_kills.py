"""Twenty processes of one run killed at random: the same results as of a run that nobody disturbs."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from filewatcher.testing.kills import Kind, Story, plan, play

if TYPE_CHECKING:
    from pathlib import Path

    from filewatcher.testing.slurm import PrivateSlurm
    from tests.e2e.conftest import Shell

SEED = 1
"""Fixed, so that a failure here can be played again; `make acceptance` draws another one each time."""
LOCAL = (*(Kind.WORKER,) * 12, *(Kind.SCHEDULER,) * 3, *(Kind.READER,) * 3, *(Kind.WATCHER,) * 2)
IN_JOBS = (Kind.WORKER, Kind.WORKER, Kind.NANNY, Kind.NANNY, Kind.SCHEDULER, Kind.WATCHER)
SIMULATION = ("--detector", "eiger2-1m", "--grid", "16x15", "--writers", 2, "--frames-per-file", 40)
FRAMES = 240


class Disturbed:
    """A scan at some rate, watched by a command that is killed, and reprocessed by one that is not."""

    def __init__(self, shell: Shell, other: Shell, folder: Path) -> None:
        self.shell, self.other, self.master = shell, other, folder / "raw" / "grid.nxs"
        self.said = folder / "said"
        self.words: tuple[object, ...] = ()
        self.master.parent.mkdir()

    def start(self) -> subprocess.Popen[str]:
        words = ["watch", self.master, "--json", "--timeout", 60, *self.words]
        self.shell.folder.mkdir(exist_ok=True)
        with self.said.open("a") as said:
            return subprocess.Popen(
                [sys.executable, "-m", "filewatcher", *map(str, words)],
                cwd=self.shell.folder,
                env=self.shell.environment,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                start_new_session=True,
            )

    def play(self, kinds: tuple[Kind, ...], rate: float, *words: object) -> Story:
        self.words = words
        simulator = self.shell.start("simulate", self.master.parent, "--rate", rate, *SIMULATION)
        try:
            story = play(self.start, plan(random.Random(SEED), kinds, 6))
        finally:
            sys.stdout.write(self.said.read_text())  # shown if the test fails
        assert self.shell.finish(simulator).code == 0
        return story

    def judge(self, story: Story) -> None:
        """Every frame is done, once, is what was told of it at first, and what nobody disturbed says."""
        assert story.code == 0, self.said.read_text()
        summary = story.last[-1]
        frames = [line for line in story.last if line["type"] == "frame"]
        assert [summary[key] for key in ("expected", "done", "failed", "missing")] == [FRAMES, FRAMES, 0, 0]
        assert sorted(line["frame"] for line in frames) == list(range(FRAMES))
        assert story.changed == []
        quiet = self.other.run("reprocess", self.master, "--json")
        assert quiet.code == 0, quiet.stderr
        kept = [{k: v for k, v in line.items() if k != "attempts"} for line in frames]
        assert sorted(kept, key=lambda line: line["frame"]) == quiet.by_frame()


@pytest.fixture
def disturbed(shell: Shell, other_shell: Shell, tmp_path: Path) -> Disturbed:
    return Disturbed(shell, other_shell, tmp_path)


@pytest.mark.timeout(280)
def test_twenty_random_kills(disturbed: Disturbed) -> None:
    story = disturbed.play(LOCAL, 8)
    assert sorted(story.killed) == sorted(LOCAL)
    disturbed.judge(story)


@pytest.mark.timeout(280)
def test_random_kills_in_jobs_of_slurm(disturbed: Disturbed, slurm: PrivateSlurm, tmp_path: Path) -> None:
    profile = tmp_path / "slurm-like.yaml"
    profile.write_text(
        "version: 1\nextends: slurm\nfallback_after: never\n"
        f"slurm: {{partition: live, walltime: 10min, log_directory: {tmp_path / 'logs'}}}\n"
        "workers: {jobs_min: 2, jobs_max: 2, per_job: 1, memory_each: 1GiB, local_directory: /tmp, interface: lo}\n"
    )
    story = disturbed.play(IN_JOBS, 5, "--profile", profile)
    assert sorted(story.killed) == sorted(IN_JOBS)
    disturbed.judge(story)
    slurm.until(lambda: not slurm.jobs(), "jobs that end with who wanted them")
