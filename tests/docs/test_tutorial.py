"""The tutorial, followed to the letter but for its pace: what it says that one will see is seen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

PAGE = (Path(__file__).parents[2] / "docs/tutorials/first-grid-scan.rst").read_text()
SHELL = f'set -e\nfilewatcher() {{ {sys.executable} -m filewatcher "$@"; }}\n'
RATE = "--rate 5"
"""For people to watch; a test has seen it all at ten times that."""


def commands(first: str) -> str:
    """The literal block, within a numbered step, that begins with this line."""
    lines = PAGE[PAGE.index(f"       {first}") :].splitlines()
    end = next((n for n, line in enumerate(lines) if line and not line.startswith("       ")), len(lines))
    return dedent("\n".join(lines[:end])).strip().replace(RATE, "--rate 50") + "\n"


@pytest.mark.timeout(240)
def test_what_the_tutorial_says_is_seen(tmp_path: Path) -> None:
    environment = os.environ | {"HOME": str(tmp_path), "FILEWATCHER_STATE_DIR": str(tmp_path / "state")}
    place = tmp_path / "first-grid-scan"

    def follow(script: str) -> str:
        command = ["bash", "-c", SHELL + script]
        ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    watcher = subprocess.Popen(
        ["bash", "-c", SHELL + commands("mkdir -p ~/first-grid-scan")],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watcher.stderr is not None
    assert watcher.stderr.readline().startswith("waiting for ")
    assert PAGE.count(RATE) == 2
    follow(commands("cd ~/first-grid-scan"))
    assert "96 frames: 96 analysed, 0 failed, 0 missing" in watcher.communicate()[1]
    assert watcher.returncode == 0
    for name in ("heatmap.png", "results.h5", "summary.json"):
        assert (place / "grid-filewatcher" / name).exists()

    inside = "cd first-grid-scan\n"
    assert "96 of them are on record" in follow(inside + commands("filewatcher reprocess raw/grid.nxs"))
    follow(inside + commands("filewatcher reprocess raw/grid.nxs sigma_strong=5"))
    assert (place / "grid-filewatcher-2/results.h5").exists()

    wrong, ask = commands("filewatcher simulate raw --name bad").split("filewatcher reprocess")
    follow(inside + wrong)
    seen = follow(inside + "set +e\nfilewatcher reprocess" + ask)
    assert "exit code 3" in seen
    assert "96 frames: 58 analysed, 1 failed, 37 missing" in seen

    follow(inside + commands("filewatcher reprocess raw/grid.nxs --json"))
    first = json.loads((place / "frames.jsonl").read_text().splitlines()[0])
    assert (first["type"], first["state"]) == ("frame", "done")
