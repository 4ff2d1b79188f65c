"""The job that Slurm gets for a profile: as kept in `tests/golden/profiles`, whatever Dask's own files say."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from filewatcher.edges.cluster import job_script
from filewatcher.profiles import SHIPPED, Environment, Limits, Override, Profile, SearchPath, Slurm, Workers, load
from filewatcher.profiles.jobs import job_memory, job_section, retirement

GOLDEN = Path(__file__).parents[1] / "golden" / "profiles"
HOME, PYTHON = Path("/home/me"), "/sw/filewatcher/bin/python"
NAMES = ["slurm", "gpfs-beamline", "small-nfs"]


def shipped(name: str) -> Profile:
    partition = [Override("slurm.partition", "live", "--set")] if name == "slurm" else []
    return load(name, SearchPath((SHIPPED,)), partition).profile


def a_job(slurm: Slurm | None = None, workers: Workers | None = None, limits: Limits | None = None) -> Profile:
    return Profile(
        scheduler="slurm",
        slurm=slurm or Slurm(partition="live"),
        workers=workers or Workers(per_job=4, memory_each=2 << 30),
        limits=limits or Limits(),
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_script_is_the_one_that_was_read_and_found_good(name: str) -> None:
    assert job_script(shipped(name), home=HOME, python=PYTHON) == (GOLDEN / f"{name}.sh").read_text()


def test_nothing_else_is_kept() -> None:
    assert sorted(path.stem for path in GOLDEN.iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_shell_can_read_the_script(name: str) -> None:
    subprocess.run(["bash", "-n", GOLDEN / f"{name}.sh"], check=True)


def test_dasks_own_configuration_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "jobqueue.yaml").write_text(
        "jobqueue:\n"
        "  slurm: {account: other, walltime: '00:05:00', interface: lo, job-extra-directives: ['--hold'], name: x,\n"
        "          worker-extra-args: ['--resources'], job-script-prologue: ['exit 1'], log-directory: /nowhere}\n"
        "  filewatcher: {queue: other, job-mem: 1G, worker-extra-args: ['--resources']}\n"
    )
    script = (
        "from pathlib import Path; from filewatcher.edges.cluster import job_script; "
        "from filewatcher.profiles import SHIPPED, SearchPath, load; "
        "profile = load('small-nfs', SearchPath((SHIPPED,))).profile; "
        f"print(job_script(profile, home=Path({str(HOME)!r}), python={PYTHON!r}), end='')"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={**os.environ, "DASK_CONFIG": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == (GOLDEN / "small-nfs.sh").read_text()


def test_no_key_of_dask_jobqueue_is_left_to_its_default() -> None:
    from dask.config import get  # noqa: PLC0415
    from dask_jobqueue import slurm  # noqa: F401, PLC0415  fills in its defaults

    assert set(job_section(a_job(), home=HOME, python=PYTHON)) >= set(get("jobqueue.slurm"))


@pytest.mark.parametrize("walltime", [60, 90, 600, 3600, 8 * 3600, 7 * 86400])
@pytest.mark.parametrize("frame_timeout", [1, 60, 3600])
def test_workers_retire_before_slurm_ends_their_job(walltime: int, frame_timeout: int) -> None:
    profile = a_job(Slurm(partition="live", walltime=walltime), limits=Limits(frame_timeout=frame_timeout))
    lifetime, stagger = retirement(profile)
    assert 0 < stagger < lifetime
    assert lifetime + stagger < walltime
    if walltime >= 3 * frame_timeout + 600:
        assert lifetime + stagger + frame_timeout + 60 <= walltime, "the longest frame can be finished"


def test_slurm_gives_more_memory_than_workers_may_use() -> None:
    workers = Workers(per_job=20, memory_each=3 << 30)
    asked = job_memory(a_job(workers=workers))
    assert asked is not None
    assert asked >= 20 * ((3 << 30) * 1.1 + (128 << 20))
    assert asked % (1 << 20) == 0
    assert job_memory(a_job(Slurm(partition="live", job_memory=100 << 30), workers)) == 100 << 30
    silent = a_job(Slurm(partition="live", job_memory="omit"), workers)
    assert job_memory(silent) is None
    assert "--mem=" not in job_script(silent, home=HOME, python=PYTHON)


@pytest.fixture
def witness(tmp_path: Path) -> str:
    """Stands where Python would: prints its arguments and its environment, one per line."""
    path = tmp_path / "witness"
    path.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n/usr/bin/env\n")
    path.chmod(0o755)
    return str(path)


def run_script(profile: Profile, witness: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the script of a job as a node does, but for the worker itself."""
    script = job_script(profile, home=HOME, python=witness)
    return subprocess.run(["bash"], input=script, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("written", "environment", "folder"),
    [
        ("$TMPDIR", {"TMPDIR": "/scratch/a b"}, "/scratch/a b"),
        ("$TMPDIR", {}, "/tmp"),
        ("/scratch/$USER", {"USER": "me"}, "/scratch/me"),
        ("~/scratch dir", {"HOME": "/home/me"}, "/home/me/scratch dir"),
    ],
)
def test_a_folder_on_the_node_is_one_word_of_the_command(
    witness: str, written: str, environment: dict[str, str], folder: str
) -> None:
    ran = run_script(
        a_job(workers=Workers(per_job=1, memory_each=1 << 30, local_directory=written)), witness, environment
    )
    words = ran.stdout.splitlines()
    assert words[words.index("--local-directory") + 1] == folder


def test_a_folder_of_a_variable_that_is_not_there_ends_the_job_with_a_reason(witness: str) -> None:
    workers = Workers(per_job=1, memory_each=1 << 30, local_directory="/scratch/${PROJECT}/x")
    ran = run_script(a_job(workers=workers), witness, {})
    assert ran.returncode != 0
    assert "PROJECT: is not set on this node" in ran.stderr
    assert ran.stdout == ""


def test_values_of_variables_reach_the_worker_as_they_were_written(witness: str) -> None:
    values = {"ONE": "a 'quoted' $HOME \"thing\"", "HDF5_USE_FILE_LOCKING": "BEST_EFFORT"}
    environment = Environment(setup=("export ONE=1", "export TWO=2"), variables=values)
    ran = run_script(a_job().model_copy(update={"environment": environment}), witness, {})
    assert {f"{name}={value}" for name, value in values.items()} | {"TWO=2", "OMP_NUM_THREADS=1"} <= set(
        ran.stdout.splitlines()
    )


def test_a_script_is_made_without_taking_ctrl_c_from_the_program() -> None:
    before = signal.getsignal(signal.SIGINT)
    job_script(shipped("slurm"), home=HOME, python=PYTHON)
    assert signal.getsignal(signal.SIGINT) is before
