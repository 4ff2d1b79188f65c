"""How many frames pass through watcher, Dask and collector, how late and at what cost, with an empty analysis.

And how many cores a real one needs for the grid scan that took Diamond's i04 800 of them in 2021: 86 x 73 images of 16
megapixels at 281 Hz (``--i04``).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import i04
from dispatching import dispatch
from figures import machine, target
from odin_writer import Recording
from page import conclude, options, say

from filewatcher.core.batching import Limits

if TYPE_CHECKING:
    import argparse

SMALL = (200, 400)
"""Bytes per chunk: nobody reads them."""
LATE_FREE, LATE_FAST = 30.0, 100.0
"""Milliseconds from announced to recorded, p99, at 280 and at 5,000 frames/s."""
COST_FREE, COST_FAST = 5.0, 0.3
"""CPU of all processes outside the analysis, ms per frame, at 280 and at 5,000 frames/s."""
GROWTH = 64.0
"""MiB that any process may grow from the second tenth of 300,000 frames to the end."""
FAST = 5000.0
MOST = Limits().frames_per_task_max
NO_LOSS = 0.97
"""Of the rate of the writer at which results must come out."""


def cases(*, quick: bool) -> list[tuple[int, float, int]]:
    """What is recorded: (frames, frames/s, frames per task at most); infinity = all is there before the start."""
    if quick:
        return [(1_400, 280.0, MOST), (20_000, FAST, MOST), (20_000, float("inf"), MOST)]
    slow = [(int(rate * 10), rate, most) for rate in (280.0, 560.0, 1000.0) for most in (1, 8, MOST)]
    return [*slow, (300_000, FAST, MOST), (100_000, float("inf"), 8), (100_000, float("inf"), MOST)]


def measure(folder: Path, *, quick: bool, part: str = "") -> list[dict[str, Any]]:
    """Run all cases, or those whose names contain `part`, and say each as soon as it is known."""
    found = []
    for frames, rate, most in cases(quick=quick):
        flat_out = rate == float("inf")
        if part not in ("flat out" if flat_out else f"{rate:g} Hz") + f", {most} per task":
            continue
        recording = Recording(folder, frames, rate, payload=SMALL)
        found.append(dispatch(recording, Limits(frames_per_task_max=most), flat_out=flat_out))
        say(sentence(found[-1]))
    return found


def sentence(figures: dict[str, Any]) -> str:
    """One case in one line."""
    rate = "flat out" if figures["asked-hz"] is None else f"at {figures['asked-hz']:g} Hz"
    late = figures.get("announced-recorded-ms")
    latency = (
        "" if late is None else ", announced -> recorded p50 {p50:.1f} p95 {p95:.1f} p99 {p99:.1f} ms".format(**late)
    )
    cpu = ", ".join(f"{who} {ms:.3f}" for who, ms in figures["cpu-ms"].items())
    return (
        f"{figures['recorded']} of {figures['frames']} frames {rate}, up to {figures['frames-per-task-max']} per task: "
        f"{figures['frames-per-s']:g} frames/s{latency}, CPU per frame in ms: {cpu}"
    )


def promised(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """The targets of one case, each with its value and whether it is met."""
    name = sentence(figures).partition(":")[0]
    found = [target(name, "frames not recorded", figures["frames"] - figures["recorded"], 0)]
    if figures["frames-per-task-max"] == MOST and figures["asked-hz"] in (280.0, FAST):
        fast = figures["asked-hz"] == FAST
        p99, cpu = figures["announced-recorded-ms"]["p99"], figures["cpu-ms"]["all"]
        found.append(target(name, "announced -> recorded p99, ms", p99, LATE_FAST if fast else LATE_FREE))
        found.append(target(name, "CPU per frame, ms", cpu, COST_FAST if fast else COST_FREE))
        if fast:
            slower = figures["asked-hz"] * NO_LOSS / figures["frames-per-s"]
            found.append(target(name, "rate asked for / reached", slower, 1.0))
            for who, mib in figures["mib"].items():
                found.append(target(name, f"growth of {who}, MiB", mib[-1] - mib[2], GROWTH))
    return found


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = options(__doc__, quick="end within a minute; without i04")
    parser.add_argument(
        "--part", default="", help="only cases whose names contain this: '280 Hz, 8 per task', flat ..."
    )
    parser.add_argument("--i04", action="store_true", help="only count the cores for the scan of i04")
    return parser.parse_args()


def main() -> int:
    """Measure, print; returns the exit code."""
    wanted = arguments()
    with tempfile.TemporaryDirectory(prefix="filewatcher-bench-") as name:
        folder = Path(name)
        result: dict[str, Any] = {"machine": machine(folder), "quick": wanted.quick, "dispatch": [], "i04": {}}
        if not wanted.i04:
            result["dispatch"] = measure(folder, quick=wanted.quick, part=wanted.part)
        if not wanted.quick and not wanted.part:
            result["i04"] = i04.cores(folder, say)
    result["targets"] = [one for figures in result["dispatch"] for one in promised(figures)]
    if "native" in result["i04"]:
        result["targets"].append(target("i04", "cores with the native engine", result["i04"]["native"]["cores"], 8.0))
    return conclude(result, wanted)


if __name__ == "__main__":
    sys.exit(main())
