"""How much a hundred viewers slow the collector: `make bench`, or ``python benchmarks/crowd.py --help``.

The daemon's application (`fed.py`) has one core, the viewers another. A scan ends at 1,000 frames/s before them, and
beside it the results of another collection are told as fast as the loop takes them: a collector at its limit, which by
turns has the crowd beside it and has not. What share of its time the loop has for results says how much longer one
takes; the time of a result itself, which varies more on a shared machine than what is looked for, cancels out.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from fed import Fed
from figures import machine, ratio, target
from page import conclude, options, say
from viewers import Crowd

VIEWERS = 100
RATE = 1_000
"""Frames/s of the scan that is looked at: the fastest that one detector is promised."""
TURN = 1.5
"""Seconds with the crowd, then as many without."""
WARM = 2
"""Turns that do not count."""
SLOWER = 1.05
"""So much longer may a result take beside a crowd."""
GRID = 400, 400


def measure(turns: int) -> dict[str, Any]:
    """Have a crowd come and go; returns results per second with it and without."""
    alone, beside, messages = [], [], []
    with Fed(*GRID, before=0.0) as server:
        live = f"{server.url.replace('http', 'ws', 1)}api/collections/{server.collection}/live"
        with Crowd(live, VIEWERS) as crowd:
            apart(server.pid, crowd.pid)
            for _ in range(WARM):
                server.collect(RATE, TURN)
            for _ in range(turns):
                alone.append(server.collect(RATE, TURN))
                crowd.come()
                server.collect(RATE, TURN / 3)  # all have what was before them
                beside.append(server.collect(RATE, TURN))
                messages.append(crowd.go())
    rates, shares = np.array([alone, beside]).T
    return {
        "viewers": VIEWERS,
        "results-per-second": {"alone": rates[:, 0].tolist(), "beside": rates[:, 1].tolist()},
        "shares": {"alone": shares[:, 0].tolist(), "beside": shares[:, 1].tolist()},
        "messages": messages,
        "longer": ratio(shares[:, 0], shares[:, 1]),
        "middle-half": [round(float(one), 4) for one in np.percentile(shares[:, 0] / shares[:, 1], (25, 75))],
    }


def apart(server: int, crowd: int) -> None:
    """Let viewers take no core from the server: theirs are elsewhere."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("viewers and server want a core each: this machine has one")
    for process, core in ((server, cores[0]), (crowd, cores[1])):
        for task in Path(f"/proc/{process}/task").iterdir():
            os.sched_setaffinity(int(task.name), {core})


def main() -> int:
    """Measure and print; returns the exit code."""
    wanted = options(__doc__, quick="end within half a minute").parse_args()
    result: dict[str, Any] = {"machine": machine(Path.cwd()), "quick": wanted.quick}
    result["crowd"] = figures = measure(5 if wanted.quick else 15)
    longer, half = figures["longer"], figures["middle-half"]
    say(
        f"collector at its limit: {np.median(figures['shares']['alone']):.1%} of the loop's time alone, "
        f"{np.median(figures['shares']['beside']):.1%} beside {VIEWERS} viewers: x{longer['median']:.3f} as long for "
        f"a result (half of the turns {half[0]:.3f} to {half[1]:.3f}, all {longer['min']:.3f} to {longer['max']:.3f})"
    )
    result["targets"] = [
        target(f"{VIEWERS} viewers", "as long for a result of the collector", longer["median"], SLOWER)
    ]
    return conclude(result, wanted)


if __name__ == "__main__":
    sys.exit(main())
