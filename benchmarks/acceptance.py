"""What is too big for continuous integration: 600 frames of 16 megapixels at 100 Hz, watched live and killed once.

Prints figures and ends with exit code 1 if a frame was lost or differs from its reprocessing.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SIMULATION = ["--detector", "eiger2-16m", "--grid", "30x20", "--rate", "100", "--frames-per-file", "100"]
FRAMES = 600
KILL_AFTER = 60
"""Results after which the watcher is killed."""


def command(folder: Path, *words: object) -> subprocess.Popen[str]:
    """Start a command of filewatcher with its state in `folder`."""
    environment = {**os.environ, "FILEWATCHER_STATE_DIR": str(folder / "state")}
    full = [sys.executable, "-m", "filewatcher", *map(str, words)]
    return subprocess.Popen(
        full, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def lines_of(process: subprocess.Popen[str]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Wait for the end; returns the lines of the frames, sorted, and the summary."""
    out, _ = process.communicate()
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    frames = [{k: v for k, v in line.items() if k != "attempts"} for line in lines if line["type"] == "frame"]
    return sorted(frames, key=lambda line: line["frame"]), lines[-1]


def main() -> int:
    """Run it; returns the exit code."""
    root = Path(tempfile.mkdtemp(prefix="filewatcher-acceptance-"))
    live, again, raw = root / "live", root / "again", root / "raw"
    for folder in (live, again, raw):
        folder.mkdir()
    try:
        start = time.monotonic()
        watcher = command(live, "watch", raw / "grid.nxs", "--json")
        simulator = command(raw.parent, "simulate", raw, *SIMULATION)
        assert watcher.stdout is not None
        for _ in range(KILL_AFTER):
            watcher.stdout.readline()
        os.killpg(watcher.pid, signal.SIGKILL)
        watcher.communicate()
        print(f"killed after {KILL_AFTER} results, {time.monotonic() - start:.1f} s")
        resumed, summary = lines_of(command(live, "watch", raw / "grid.nxs", "--json"))
        simulator.communicate()
        print(f"resumed: {summary['done']} of {summary['expected']} done, times {summary['times']}")
        start = time.monotonic()
        reprocessed, other = lines_of(command(again, "reprocess", raw / "grid.nxs", "--json"))
        seconds = time.monotonic() - start
        print(f"reprocessed: {other['done']} done in {seconds:.1f} s, {other['done'] / seconds:.2f} frames/s")
        equal = resumed == reprocessed and len(resumed) == FRAMES == summary["done"]
        print(f"live and reprocessed results are {'equal' if equal else 'DIFFERENT'}")
        return 0 if equal and simulator.returncode == 0 else 1
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    sys.exit(main())
