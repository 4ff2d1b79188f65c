"""A hundred processes of one live run killed at random, and the same results as of a run that nobody disturbs.

Prints the seed, what was killed and how long it took; ends with exit code 1 if a frame is lost, comes twice or differs.
``--seed S`` plays a run again, ``--kills N`` kills N.
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from acceptance import command, lines_of

from filewatcher.errors import FilewatcherError
from filewatcher.testing.kills import Kind, Story, plan, play

SHARES = {Kind.WORKER: 12, Kind.SCHEDULER: 3, Kind.READER: 3, Kind.WATCHER: 2}
"""Of 20 kills."""
MOST_RESULTS = 10
"""Between two kills; half of it on average."""


def main() -> int:
    """Read the command line and run it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32))
    parser.add_argument("--kills", type=int, default=100)
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    rng = random.Random(given.seed)  # noqa: S311  no secret
    kinds = rng.choices(list(SHARES), weights=list(SHARES.values()), k=given.kills)
    # frames enough for the whole plan, and some for the end
    rows = 5 + given.kills * MOST_RESULTS // 40
    scan = ["--detector", "eiger2-1m", "--grid", f"40x{rows}", "--rate", "10", "--writers", "2"]
    with tempfile.TemporaryDirectory(prefix="filewatcher-kills-") as folder:
        root, begun = Path(folder), time.monotonic()
        live, again, raw = root / "live", root / "again", root / "raw"
        for place in (live, again, raw):
            place.mkdir()
        simulator = command(root, "simulate", raw, *scan)
        try:
            story = play(
                lambda: command(live, "watch", raw / "grid.nxs", "--json", "--quiet", "--timeout", 120),
                plan(rng, kinds, MOST_RESULTS),
            )
        except FilewatcherError as error:
            print(f"VIOLATED: {error}")
            return 1
        finally:
            simulator.communicate()
        killed = ", ".join(f"{count} x {kind}" for kind, count in Counter(story.killed).most_common())
        print(f"killed {killed} in {time.monotonic() - begun:.0f} s")
        quiet, summary = lines_of(command(again, "reprocess", raw / "grid.nxs", "--json"))
        problems = [] if summary["done"] == 40 * rows else [f"undisturbed, {summary['done']} of {40 * rows} are done"]
        problems += wrong(story, quiet)
    for problem in problems:
        print(f"VIOLATED: {problem}")
    print(f"{len(quiet)} frames: {'the same as undisturbed' if not problems else 'DIFFERENT'}")
    return 1 if problems else 0


def wrong(story: Story, quiet: list[dict[str, object]]) -> list[str]:
    """Say what is wrong with a story, compared with the lines of an undisturbed run, sorted by frame."""
    problems = [f"the last watcher ended with {story.code}"] if story.code else []
    frames = [line for line in story.last if line["type"] == "frame"]
    kept = sorted(({k: v for k, v in line.items() if k != "attempts"} for line in frames), key=lambda one: one["frame"])
    problems += [f"image {line['file-number']} is {line['state']}: {line['error']}" for line in frames if line["error"]]
    if kept != quiet:
        problems.append("results differ from those of an undisturbed run")
    if story.changed:
        problems.append(f"of frames {story.changed} different things were told")
    return problems


if __name__ == "__main__":
    sys.exit(main())
