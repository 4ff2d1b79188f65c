"""The how-to of clusters, followed to the letter: a private Slurm, a profile, the doctor, the first collection."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

PAGE = (Path(__file__).parents[2] / "docs/how-to/cluster.rst").read_text()
SHELL = f'set -e\nfilewatcher() {{ {sys.executable} -m filewatcher "$@"; }}\n'


def block(first: str) -> str:
    """The literal block that begins with this line."""
    lines = PAGE[PAGE.index(f"    {first}") :].splitlines()
    end = next(n for n, line in enumerate(lines) if line and not line.startswith("    "))
    return dedent("\n".join(lines[:end])).strip() + "\n"


@pytest.mark.timeout(280)
def test_a_new_user_sees_the_first_worker_analyse_a_frame(tmp_path: Path) -> None:
    def follow(commands: str) -> str:
        ran = subprocess.run(
            ["bash", "-c", f"{SHELL}{commands}wait\n"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    environment = os.environ | {"HOME": str(tmp_path), "FILEWATCHER_STATE_DIR": str(tmp_path / "state")}
    _, start = block("apt-get install").splitlines()
    slurm = subprocess.Popen(
        [sys.executable, *start.split()[1:]], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert slurm.stdout is not None
        word, _, setting = slurm.stdout.readline().strip().partition(" ")
        assert word == "export"
        name, _, value = setting.partition("=")
        environment[name] = value
        (tmp_path / "first.yaml").write_text(block("version: 1"))

        seen = follow(block("filewatcher doctor --profile ./first.yaml"))
        assert "partition live (3 of 3 nodes), takes a job of this profile" in seen
        assert "25 of 25 spots found" in seen
        seen = follow(block("filewatcher simulate"))
        assert "120 frames: 120 analysed, 0 failed, 0 missing" in seen
        seen = follow(block("filewatcher profile check"))
        assert "#SBATCH -p live" in seen
        assert "25 of 25 spots found" in seen
    finally:
        slurm.send_signal(signal.SIGINT)
        slurm.communicate()
    assert slurm.returncode == 0
