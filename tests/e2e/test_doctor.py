"""The doctor on patients whose illness is known: one line each, which says what to do, and the right exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from filewatcher.testing.preloads import shifted_clock
from tests.edges.conftest import Mount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from filewatcher.testing.slurm import PrivateSlurm

PROFILE = """\
version: 1
extends: slurm
slurm: {{partition: {partition}, walltime: 10min, log_directory: {logs}}}
workers: {{jobs_min: 1, jobs_max: 1, per_job: 1, memory_each: 1GiB, local_directory: /tmp, interface: {interface}}}
environment: {{variables: {variables}}}
"""
NO_WORKER = ("--output", "/proc/nowhere")
"""With nowhere to put results no worker is tried, which is quick."""


@dataclass
class Seen:
    """What the doctor said."""

    code: int
    lines: list[tuple[str, str, str]]
    """Subject, state, words."""

    def words(self, subject: str, state: str) -> str:
        """The only line of this subject in this state."""
        (words,) = [words for *about, words in self.lines if about == [subject, state]]
        return words

    @property
    def states(self) -> set[str]:
        return {state for _, state, _ in self.lines}


@dataclass
class Doctor:
    """Sees machines with an environment of their own, from a folder of their own."""

    folder: Path

    def sees(self, *words: object, **environment: object) -> Seen:
        here = self.folder / "here"
        here.mkdir(exist_ok=True)
        given = {"FILEWATCHER_STATE_DIR": self.folder / "state", **environment}
        ran = subprocess.run(
            [sys.executable, "-m", "filewatcher", "doctor", "--json", *map(str, words)],
            cwd=here,
            env=os.environ | {name: str(value) for name, value in given.items()},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.stderr == ""
        assert list(here.iterdir()) == [], "it leaves nothing behind"
        assert not (self.folder / "state").exists()
        lines = [json.loads(line) for line in ran.stdout.splitlines()]
        return Seen(ran.returncode, [(line["subject"], line["state"], line["words"]) for line in lines])


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    return Doctor(tmp_path)


@pytest.fixture
def profile(tmp_path: Path) -> Callable[..., Path]:
    """Write a profile for the private Slurm."""

    def write(partition: str = "live", interface: str = "lo", **variables: object) -> Path:
        path = tmp_path / "ours.yaml"
        given = {name: str(value) for name, value in variables.items()}
        path.write_text(
            PROFILE.format(
                partition=partition, logs=tmp_path / "logs", interface=interface, variables=json.dumps(given)
            )
        )
        return path

    return write


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mount folders through FUSE."""
    mounts: list[Mount] = []

    def make(name: str, *options: str) -> Path:
        source, place = tmp_path / f"server-of-{name}", tmp_path / name
        source.mkdir()
        place.mkdir()
        mounts.append(Mount(source, place, *options))
        return place

    yield make
    for one in mounts:
        one.end()


def test_a_healthy_machine(doctor: Doctor, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    seen = doctor.sees(raw, "--set", "workers.memory_each=2GiB")
    assert seen.code == 0, seen.lines
    assert [subject for subject, _, _ in seen.lines] == [
        *("state", "output", "data", "native", "DIALS", "filters", "clock", "profile", "worker", "clock")
    ]
    assert seen.states <= {"ok", "note"}
    assert "a disk of this machine" in seen.words("data", "ok")
    assert "DIALS 3." in seen.words("DIALS", "ok")
    assert "bitshuffle+LZ4, bitshuffle+Zstd, LZ4, gzip" in seen.words("filters", "ok")
    assert "25 of 25 spots found" in seen.words("worker", "ok")
    assert seen.lines[-1][2].endswith("and this machine agree")
    assert list(raw.iterdir()) == []


def test_folders_that_cannot_be_used(
    doctor: Doctor, tmp_path: Path, network: Callable[..., Path], small_disk: Path
) -> None:
    shared, archive = network("shared"), network("archive", "ro")
    seen = doctor.sees(
        shared, tmp_path / "absent", "--output", archive / "results", FILEWATCHER_STATE_DIR=shared / "state"
    )
    assert seen.code == 1
    assert seen.words("state", "wrong") == (
        f"{shared}/state is on fuse, but the journal needs a local file system: set FILEWATCHER_STATE_DIR"
    )
    assert seen.words("output", "wrong") == (
        f"{archive}/results: cannot be written to (Read-only file system): give another --output"
    )
    assert "on fuse, which may show old sizes for 1 s" in seen.words("data", "note")
    assert "absent: is not there: check the name" in seen.words("data", "wrong")
    assert "not tried" in seen.words("worker", "skipped")

    (small_disk / "file").touch()
    seen = doctor.sees("--output", small_disk / "file" / "results", FILEWATCHER_STATE_DIR=small_disk / "state")
    assert seen.code == 1
    assert "64 MiB left, 256 MiB are needed: make room, or set" in seen.words("state", "wrong")
    assert "file: is a file, where a folder is needed" in seen.words("output", "wrong")
    assert [path.name for path in small_disk.iterdir()] == ["file"]


def test_a_dials_that_is_broken_and_one_that_is_not_there(doctor: Doctor, tmp_path: Path) -> None:
    broken = doctor.sees(*NO_WORKER, LIBTBX_BUILD="/nowhere")
    assert "check LIBTBX_BUILD" in broken.words("DIALS", "wrong")
    # an interpreter that cannot find these packages
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['dials'] = sys.modules['dxtbx'] = None\n")
    absent = doctor.sees(*NO_WORKER, PYTHONPATH=f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    assert "--verify cannot be had" in absent.words("DIALS", "note")
    assert "install Debian's package python3-dials" in absent.words("DIALS", "note")


def test_a_filter_that_is_not_there(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['hdf5plugin'] = None\n")
    seen = doctor.sees(*NO_WORKER, PYTHONPATH=f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    assert "install h5py, hdf5plugin and dectris-compression anew" in seen.words("filters", "wrong")


def test_a_profile_that_is_wrong_and_one_for_a_slurm_that_is_not_here(
    doctor: Doctor, profile: Callable[..., Path]
) -> None:
    seen = doctor.sees("--profile", "none-such")
    assert seen.code == 1
    assert "there is no profile 'none-such'" in seen.words("profile", "wrong")
    assert "not tried" in seen.words("worker", "skipped")

    seen = doctor.sees("--profile", profile(interface="ib9"), PATH="/nowhere")
    assert seen.code == 1
    assert "this machine has no interface ib9: write one of lo" in seen.words("network", "wrong")
    assert "no sbatch, squeue, scancel, sinfo here" in seen.words("Slurm", "unreachable")
    seen = doctor.sees("--profile", profile(), PATH="/nowhere")
    assert seen.code == 4

    seen = doctor.sees("--set", "scheduler=tcp://127.0.0.1:1")
    assert seen.code == 4
    assert "no Dask scheduler at tcp://127.0.0.1:1" in seen.words("worker", "unreachable")


@pytest.mark.timeout(280)
def test_slurm_and_what_may_be_the_matter_with_it(
    doctor: Doctor, profile: Callable[..., Path], slurm: PrivateSlurm, tmp_path: Path
) -> None:
    early = shifted_clock(tmp_path, -200)
    seen = doctor.sees("--profile", profile(LD_PRELOAD=early))
    assert seen.code == 1
    assert "partition live (3 of 3 nodes), takes a job of this profile" in seen.words("Slurm", "ok")
    assert "25 of 25 spots found" in seen.words("worker", "ok")
    assert "is 200 s behind ours: Slurm's munge lets nobody in" in seen.words("clock", "wrong")

    def slurm_is_wrong(path: Path, *words: str) -> str:
        seen = doctor.sees("--profile", path, *words)
        assert seen.code == 1
        assert "not tried" in seen.words("worker", "skipped")
        return seen.words("Slurm", "wrong")

    assert "there is no partition lve: write one of live, short" in slurm_is_wrong(profile("lve"))
    assert "partition short gives 2min at most, not 10min: write slurm.walltime: 2min" in slurm_is_wrong(
        profile("short")
    )
    assert "would not take a job of this profile: " in slurm_is_wrong(profile(), "--set", "workers.per_job=300")
    slurm.set_partition("live", "inactive")
    try:
        assert "partition live is not up" in slurm_is_wrong(profile())
    finally:
        slurm.set_partition("live", "up")
    slurm.stop_controller()
    try:
        seen = doctor.sees("--profile", profile())
        assert seen.code == 4
        assert "slurmctld does not answer: " in seen.words("Slurm", "unreachable")
    finally:
        slurm.start_controller()
