"""Profiles as an administrator meets them: the commands, the environment, a collection."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Shell


@dataclass
class Told:
    code: int
    stdout: str
    stderr: str


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the site's profiles; nobody else's can be seen."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setenv("FILEWATCHER_SITE_PROFILES", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("FILEWATCHER_PROFILE", raising=False)
    (folder / "i04.yaml").write_text(
        "version: 1\nextends: slurm\ndescription: the beamline\nslurm: {partition: live, qos: beam}\n"
        "workers: {jobs_min: 1, jobs_max: 3}\n"
    )
    return folder


def tell(shell: Shell, *words: object) -> Told:
    process = shell.start(*words)
    stdout, stderr = process.communicate()
    shell.running.remove(process)
    assert "Traceback" not in stderr
    return Told(process.returncode, stdout, stderr)


def test_the_list_has_what_ships_and_what_the_site_has_also_what_is_broken(shell: Shell, site: Path) -> None:
    (site / "broken.yaml").write_text("version: 1\nslurm: {partition\n")
    told = tell(shell, "profile", "list", "--json")
    rows = {row["name"]: row for row in json.loads(told.stdout)}
    assert set(rows) == {"broken", "gpfs-beamline", "i04", "local", "slurm", "small-nfs"}
    assert rows["i04"]["description"] == "the beamline"
    assert rows["broken"]["problem"].startswith(f"{site / 'broken.yaml'}:")
    words = tell(shell, "profile", "list")
    assert str(site) in words.stderr
    assert [line.split()[0] for line in words.stdout.splitlines()] == sorted(rows)


def test_what_is_shown_says_who_said_it(shell: Shell, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILEWATCHER_PROFILE", "i04")
    monkeypatch.setenv("FILEWATCHER_PROFILE__WORKERS__JOBS_MAX", "5")
    monkeypatch.setenv("FILEWATCHER_PROFILE__ENVIRONMENT__VARIABLES__MixedCase", "no")
    told = tell(shell, "profile", "show", "--set", "slurm.walltime=2h", "--json")
    shown = json.loads(told.stdout)
    assert shown["profile"]["environment"]["variables"] == {"MixedCase": "no"}
    assert shown["profile"]["workers"]["jobs_max"] == 5
    assert {key: shown["origins"][key] for key in ("slurm.partition", "workers.jobs_max", "slurm.walltime")} == {
        "slurm.partition": f"{site / 'i04.yaml'}:4",
        "workers.jobs_max": "environment variable FILEWATCHER_PROFILE__WORKERS__JOBS_MAX",
        "slurm.walltime": "--set slurm.walltime=2h",
    }
    words = tell(shell, "profile", "show").stdout
    assert [line.split()[-1] for line in words.splitlines() if "partition: live" in line] == [f"{site / 'i04.yaml'}:4"]


@pytest.mark.usefixtures("site")
def test_a_good_profile_is_checked_without_slurm(shell: Shell) -> None:
    told = tell(shell, "profile", "check", "i04")
    assert told.code == 0
    assert told.stdout.startswith("#!/bin/bash -l\n")
    assert "#SBATCH -p live\n" in told.stdout
    assert "#SBATCH --qos=beam\n" in told.stdout
    assert "1 kept warm, 3 at most, in partition live" in told.stderr
    local = tell(shell, "profile", "check")
    assert (local.code, local.stdout) == (0, "")
    assert "on this machine, one thread and a fair share of the memory each" in local.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["profile", "check", "i05"], "there is no profile 'i05' in "),
        (
            ["profile", "check", "i04", "--set", "workers.jobs_min=9"],
            "jobs_min=9: workers.jobs_min: 9 is more",
        ),
        (["profile", "check", "i04", "--set", "workers"], "--set workers: write KEY=VALUE"),
        (["profile", "check", "slurm"], "slurm.partition: Slurm needs a partition"),
        (["watch", "x.nxs", "--profile", "i40"], "there is no profile 'i40' in "),
        (
            ["watch", "x.nxs", "--profile", "i04", "--workers", "3"],
            "profile i04 has its workers elsewhere",
        ),
        (["watch", "x.nxs", "--set", "workers.memory_each=3GB"], "write 3GiB"),
    ],
)
@pytest.mark.usefixtures("site")
def test_what_cannot_be_is_refused(shell: Shell, words: list[str], sentence: str) -> None:
    told = tell(shell, *words)
    assert told.code == 2
    assert told.stderr.startswith("filewatcher: ")
    assert sentence in told.stderr


@pytest.mark.usefixtures("site")
def test_a_dry_run_says_all_and_does_nothing(shell: Shell) -> None:
    words = ("watch", "raw/scan.nxs", "d_max=20", "--engine", "dials", "--profile", "i04", "--dry-run")
    told = tell(shell, *words, "--json")
    plan = json.loads(told.stdout)
    assert (plan["type"], plan["there"], plan["engine"], plan["profile"]) == ("plan", False, "dials", "i04")
    assert plan["parameters"]["d_max"] == 20
    assert plan["output"] == str(shell.folder / "scan-filewatcher")
    assert plan["script"] == tell(shell, "profile", "check", "i04").stdout
    spoken = tell(shell, *words)
    assert spoken.stdout.endswith(plan["script"])
    assert "not there yet" in spoken.stdout
    assert list(shell.folder.iterdir()) == []
    raw = tell(shell, *words, "--output", "raw/results")
    assert (raw.code, "which holds raw data" in raw.stderr) == (2, True)


def test_a_collection_is_analysed_where_the_profile_says(
    shell: Shell, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site / "small.yaml").write_text(
        "version: 1\nworkers: {per_job: 1, memory_each: 2GiB}\nlimits: {retries: 0, frame_timeout: 50s}\n"
    )
    simulation = ("--detector", "eiger2-1m", "--grid", "3x2", "--rate", "inf")
    assert shell.run("simulate", tmp_path / "raw", *simulation).code == 0
    monkeypatch.setenv("FILEWATCHER_PROFILE", "small")
    ran = shell.run("reprocess", tmp_path / "raw" / "grid.nxs", "--json")
    assert ran.code == 0, ran.stderr
    assert ran.counts() == (6, 6, 0, 0)


def test_the_schema_is_printed(shell: Shell) -> None:
    told = tell(shell, "profile", "schema")
    assert json.loads(told.stdout)["properties"]["version"]["const"] == 1
