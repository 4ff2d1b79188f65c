"""The daemon killed -9 at 20 random moments of one scan, and the same results as of a run that nobody disturbs.

Each kill takes all its processes at once, as a power cut does, also while they start. Prints the seed; ends with exit
code 1 if a frame is lost, comes twice or differs. ``--seed S`` plays a run again, ``--kills N`` kills N times.
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from acceptance import command, lines_of

from filewatcher.errors import Broken
from filewatcher.testing.daemon import Daemon

LONGEST = 8.0
"""Seconds that a daemon lives at most; half of it on average. It takes some to start and to have workers ready."""
RATE = 10
"""Frames/s of the scan."""
COLUMNS = 40


def main() -> int:
    """Read the command line and run it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32))
    parser.add_argument("--kills", type=int, default=20)
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    rng = random.Random(given.seed)  # noqa: S311  no secret
    lives = [rng.uniform(0, LONGEST) for _ in range(given.kills)]
    # the last kill comes before the last frame
    rows = 1 + round((sum(lives) + LONGEST) * RATE / COLUMNS)
    with tempfile.TemporaryDirectory(prefix="filewatcher-kills-") as folder:
        try:
            problems = run(Path(folder), lives, rows)
        except Broken as error:
            problems = [str(error)]
    for problem in problems:
        print(f"VIOLATED: {problem}")
    print(f"{COLUMNS * rows} frames: {'the same as undisturbed' if not problems else 'DIFFERENT'}")
    return 1 if problems else 0


def run(root: Path, lives: list[float], rows: int) -> list[str]:
    """Play it; returns what is wrong."""
    raw, again = root / "raw", root / "again"
    for place in (raw, again):
        place.mkdir()
    master, daemon = raw / "grid.nxs", Daemon(root / "daemon").start()
    scan = ("--detector", "eiger2-1m", "--grid", f"{COLUMNS}x{rows}", "--rate", RATE, "--writers", 2)
    simulator = None
    try:
        collection = daemon.ask(master=str(master))
        simulator = command(root, "simulate", raw, *scan)
        served = 0
        for life in lives:
            time.sleep(life)
            served += bool(daemon.url)
            daemon.kill()
            daemon.launch()
        written = simulator.poll() is None
        print(f"killed {len(lives)} times in {sum(lives):.0f} s, {served} of these while it served", flush=True)
        daemon.serving()
        told = daemon.ended(collection)
        ended_well = simulator.wait() == 0
        lines = daemon.lines(collection)
        code = daemon.stop()
    finally:
        if daemon.process is not None:
            daemon.kill()
        if simulator is not None and simulator.poll() is None:
            simulator.terminate()
            simulator.wait()
    quiet, summary = lines_of(command(again, "reprocess", master, "--json"))
    problems = [] if written and ended_well else ["the scan was over before the last kill, or did not end well"]
    problems += [f"the daemon ended with {code}"] if code else []
    problems += [f"the daemon said: {line['message']}" for line in daemon.faults()]
    return problems + wrong(told, lines, quiet, summary, COLUMNS * rows)


def wrong(
    told: Any, lines: list[dict[str, Any]], quiet: list[dict[str, Any]], summary: dict[str, Any], frames: int
) -> list[str]:
    """Say what is wrong with what a disturbed daemon told, compared with the lines of an undisturbed run."""
    problems = [] if told["state"] == "done" else [f"the collection is {told['state']}: {told['reason']}"]
    if summary["done"] != frames:
        problems.append(f"undisturbed, {summary['done']} of {frames} are done")
    if [line["frame"] for line in lines] != list(range(frames)):
        problems.append(f"{len(lines)} lines are told of {frames} frames")
    problems += [f"image {line['file-number']} is {line['state']}: {line['error']}" for line in lines if line["error"]]
    if lines != quiet:
        problems.append("results differ from those of an undisturbed run")
    return problems


if __name__ == "__main__":
    sys.exit(main())
