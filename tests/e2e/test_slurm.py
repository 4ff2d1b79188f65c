"""A growing collection, analysed in real Slurm jobs while something goes wrong with them: every frame ends once."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from filewatcher.testing.slurm import PrivateSlurm
    from tests.e2e.conftest import Ran, Shell

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
SIMULATION = ("--detector", "eiger2-1m", "--grid", "12x10", "--rate", 8, "--writers", 2, "--frames-per-file", 20)


class Night:
    """A beamline with a Slurm: a watcher with a profile, and a detector that writes."""

    def __init__(self, shell: Shell, slurm: PrivateSlurm, folder: Path) -> None:
        self.shell, self.slurm, self.folder = shell, slurm, folder
        (folder / "raw").mkdir()
        self.master = folder / "raw" / "grid.nxs"
        self.watching: subprocess.Popen[str] | None = None
        self.simulator: subprocess.Popen[str] | None = None

    def begin(self, *, fallback: str = "never", walltime: str = "10min", setup: str = "") -> None:
        profile = self.folder / "slurm-like.yaml"
        logs = self.folder / "logs"
        profile.write_text(PROFILE.format(fallback=fallback, walltime=walltime, logs=logs, setup=setup))
        self.watching = self.shell.start("watch", self.master, "--json", "--profile", profile)
        self.simulator = self.shell.start("simulate", self.master.parent, *SIMULATION)

    def frames(self, count: int) -> None:
        """Wait until so many more frames are on record."""
        assert self.watching is not None
        assert self.watching.stdout is not None
        for _ in range(count):
            line = self.watching.stdout.readline()
            assert line, "the watcher ended"
            self.lines.append(json.loads(line))

    def running(self, jobs: int = 1) -> list[str]:
        """Wait for so many jobs to run; their numbers."""
        self.slurm.until(lambda: len(self.slurm.jobs("RUNNING")) >= jobs, f"{jobs} running jobs")
        return self.slurm.jobs("RUNNING")

    def end(self) -> Ran:
        """Everything is done, each frame once, and Slurm is as it was."""
        assert self.watching is not None
        assert self.simulator is not None
        ran = self.shell.finish(self.watching)
        assert self.shell.finish(self.simulator).code == 0
        ran.lines[:0] = self.lines
        assert ran.code == 0, ran.stderr
        assert ran.counts() == (120, 120, 0, 0), ran.stderr
        assert [line["frame"] for line in ran.by_frame()] == list(range(120))
        assert self.slurm.jobs() == []
        return ran

    @property
    def lines(self) -> list[dict[str, object]]:
        return self.__dict__.setdefault("read", [])


@pytest.fixture
def night(shell: Shell, slurm: PrivateSlurm, tmp_path: Path) -> Night:
    return Night(shell, slurm, tmp_path)


def test_a_growing_collection_is_analysed_in_jobs(night: Night) -> None:
    night.begin()
    ran = night.end()
    assert all(line["attempts"] == 1 for line in ran.frames)


def test_a_cancelled_job_is_replaced(night: Night) -> None:
    night.begin()
    night.frames(10)
    night.slurm.call("scancel", night.running()[0])
    ran = night.end()
    assert re.search(r"Slurm job \d+ ended: cancelled", ran.stderr)
