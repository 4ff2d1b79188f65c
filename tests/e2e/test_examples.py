"""The examples, run as they stand on a simulated collection."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.e2e.conftest import Shell

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_trigger_from_a_script_and_read_results(shell: Shell, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    simulated = shell.run("simulate", raw, "--detector", "eiger2-1m", "--grid", "6x5", "--rate", "inf", "--gap", 3)
    assert simulated.code == 0, simulated.stderr
    triggered = subprocess.run(
        [sys.executable, EXAMPLES / "trigger_from_a_script.py", raw / "grid.nxs", "--timeout", "1"],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert triggered.returncode == 3, triggered.stderr
    assert "image 3 is missing: not written in grid_000001.h5" in triggered.stdout
    assert "29 of 30 frames analysed" in triggered.stdout
    assert " diffracts: " in triggered.stdout

    results = shell.folder / "grid-filewatcher" / "results.h5"
    read = subprocess.run(
        [sys.executable, EXAMPLES / "read_results.py", results], capture_output=True, text=True, check=True
    )
    lines = read.stdout.splitlines()
    assert 1 <= len(lines) <= 10
    spots = [int(line.split()[2]) for line in lines]
    assert spots == sorted(spots, reverse=True)
