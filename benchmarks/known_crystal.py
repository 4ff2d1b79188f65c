"""A crystal of known place, too big for continuous integration: 86 x 73 images, 2 % damaged, 1 % never written.

Prints how early and how well it was found, and ends with exit code 1 if that was more than half a cell beside it, only
after 60 % of the results, or said later than 100 ms after the last one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

GRID = (86, 73)
PLACE = (0.4, 0.3)
"""Of the crystal, in parts of the grid: its last row is written after 55 % of the images."""
RATE = 50
"""Frames/s that two cores analyse."""
NEAR, EARLY, PROMPT = 0.5, 0.6, 0.1
"""Cells, part of the results, seconds after the last result."""


def main() -> int:
    """Run it; returns the exit code."""
    root = Path(tempfile.mkdtemp(prefix="filewatcher-acceptance-"))
    try:
        (root / "raw").mkdir()
        answers, summary = watched(root)
    finally:
        shutil.rmtree(root)
    return judge(answers, summary)


def watched(root: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Watch the scan being written; returns the answers, in order, and the summary."""
    frames = GRID[0] * GRID[1]
    spoilt = (np.random.default_rng(1).permutation(frames) + 1).tolist()
    corrupt, gap = spoilt[: frames // 50], spoilt[frames // 50 : frames * 3 // 100]
    simulation = ["--detector", "eiger2-1m", "--grid", "x".join(map(str, GRID)), "--rate", str(RATE)]
    simulation += ["--crystal-at", ",".join(map(str, PLACE)), *(f"--corrupt={n}" for n in corrupt)]
    simulation += [f"--gap={n}" for n in gap]
    command = [sys.executable, "-m", "filewatcher"]
    environment = {**os.environ, "FILEWATCHER_STATE_DIR": str(root / "state")}
    watcher = subprocess.Popen(
        [*command, "watch", str(root / "raw" / "grid.nxs"), "--json"],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    subprocess.run([*command, "simulate", str(root / "raw"), *simulation], env=environment, check=True)
    out, _ = watcher.communicate()
    lines = [json.loads(line) for line in out.splitlines()]
    counts = len(corrupt), len(gap)
    if (lines[-1]["failed"], lines[-1]["missing"]) != counts:
        raise RuntimeError(f"{lines[-1]} does not have {counts} failed and missing frames")
    return [line for line in lines if line["type"] == "centring"], lines[-1]


def judge(answers: list[dict[str, Any]], summary: dict[str, Any]) -> int:
    """Say how good the answers were; returns the exit code."""
    place = [part * (cells - 1) + 0.5 for part, cells in zip(PLACE, GRID, strict=True)]
    beside = [_beside(answer["centring"]["centre_of_mass"], place) for answer in answers]
    # the first one from which on all are right
    settled = max((i + 1 for i, cells in enumerate(beside) if cells > NEAR), default=0)
    early = answers[settled]["version"] / summary["expected"] if settled < len(answers) else float("inf")
    prompt = summary["times"]["centring_s"] - summary["times"]["last_result_s"]
    print(", ".join(f"{summary[key]} {key}" for key in ("expected", "done", "failed", "missing")))
    print(f"{len(answers)} answers, right for good from {early:.1%} of the results on (at most {EARLY:.0%})")
    print(f"the last one is {beside[-1]:.2f} cells beside the crystal (at most {NEAR})")
    print(f"and was said {prompt * 1e3:.0f} ms after the last result (at most {PROMPT * 1e3:.0f})")
    return 0 if beside[-1] <= NEAR and early <= EARLY and prompt <= PROMPT else 1


def _beside(centre: list[float] | None, place: list[float]) -> float:
    """Cells between an answer and the crystal, along the worse axis."""
    return float("inf") if centre is None else float(np.abs(np.subtract(centre, place)).max())


if __name__ == "__main__":
    sys.exit(main())
