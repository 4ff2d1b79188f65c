"""How late, how dear and how harmless the watcher is: `make bench`, or ``python benchmarks/watch.py --help``.

A writer like Odin's records in processes of its own; `SwmrObserver` and `ScanWatch` watch as in the product.
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import harm
import page
from cost import RUNS, Case, left_alone, measure, system_calls
from figures import machine, target
from many import together
from odin_writer import Recording

if TYPE_CHECKING:
    import argparse

HARMLESS = 1.05
"""Median flush with us by that of the writer alone, at most."""
MICROSECONDS = 50.0
"""CPU per frame in one file of 100,000, at most (DESIGN, section 7)."""


def cases(folder: Path, *, quick: bool) -> list[Case]:
    """What is recorded.

    `quick`: less of it, but long enough that the first 50 ms, when the watcher still looks rarely, are no hundredth of
    all.
    """
    small = (2_000, 4_000)
    long = 20_000 if quick else 100_000

    def one(frames: int, rate: float, **more: Any) -> Recording:
        return Recording(folder, frames, rate, **more)

    found = [
        Case("280 Hz, one writer", one(280 if quick else 5_600, 280.0, payload=(10_000, 20_000))),
        Case("1 kHz, 4 writers", one(5_000 if quick else 20_000, 1000.0, writers=4), p99_ms=10.0, share=0.05),
        Case("4 kHz, 2 writers", one(20_000 if quick else 200_000, 4000.0, writers=2), check_bytes=True),
        Case(
            "8 kHz, 4 writers",
            one(40_000 if quick else 100_000, 8000.0, writers=4, payload=small),
            p99_ms=25.0,
            growth=1.5,
        ),
        Case("5 kHz, one file", one(long, 5000.0, per_file=long, payload=small), p99_ms=25.0, growth=1.5),
        Case(
            "5 kHz, one unlimited file",
            one(long, 5000.0, per_file=long, payload=small, growing=True),
            p99_ms=50.0,
            growth=1.5,
        ),
    ]
    if not quick:
        million = one(1_000_000, 8000.0, writers=4, payload=(100, 300))
        found.append(Case("a million frames", million, growth=1.5, memory_mib=8.0))
    return found


def run(folder: Path, *, quick: bool, part: str = "") -> dict[str, Any]:
    """Measure everything, or only the parts whose names contain `part`; returns the figures as printed with --json."""
    result: dict[str, Any] = {"machine": machine(folder), "quick": quick, "watch": [], "targets": []}
    page.say(f"{result['machine']}")
    for case in cases(folder, quick=quick):
        if part in case.name:
            # counts, ratios and memory are not spoilt by others
            timed = case.p99_ms is not None or case.share is not None
            figures = left_alone(partial(measure, case), RUNS if timed and not quick else 1)
            result["watch"].append(figures)
            page.say(page.sentence(figures))
            result["targets"] += _promised(case, figures)
    if part in "ten at once":
        result["many"] = together(folder, 3.0 if quick else 20.0)
        page.say(f"ten at once: {result['many']}")
        result["targets"] += _bounded(result["many"])
    if part in "system calls":
        result["system-calls"] = system_calls(Recording(folder, 1_000 if quick else 5_000, 1000.0))
        page.say(f"system calls of the child at 1 kHz: {result['system-calls']}")
    if part in "harm":
        result |= _harm(folder, quick=quick)
        result["targets"] += _harmless(result)
        for line in page.harm_sentences(result):
            page.say(line)
    return result


def _harm(folder: Path, *, quick: bool) -> dict[str, Any]:
    # quick: one writer, for most of the time of a short round goes into starting processes
    scan = Recording(folder, 1_000 if quick else 5_000, 1000.0, writers=1 if quick else 4)
    files = Recording(folder, 150 if quick else 600, math.inf, per_file=1, payload=(200, 400))
    return {
        "flushes": harm.flushes(scan, 2 if quick else 7),
        "creations": harm.creations(files, 1 if quick else 5),
    }


def add(earlier: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Put parts together that were measured one by one; what was measured again counts as it is now."""
    again = {one["name"] for one in more["watch"]}
    cases_again = {target["case"] for target in more["targets"]}
    watched = [one for one in earlier["watch"] if one["name"] not in again] + more["watch"]
    targets = [t for t in earlier["targets"] if t["case"] not in cases_again] + more["targets"]
    return {**earlier, **more, "watch": watched, "targets": targets}


def _promised(case: Case, figures: dict[str, Any]) -> list[dict[str, Any]]:
    """The targets of one case, each with its value and whether it is met; a figure that is not there is not met."""
    found = [target(case.name, "frames seen", figures["announced"], figures["frames"], at_least=True)]
    found.append(target(case.name, "frames announced twice", figures["announced-twice"], 0))
    if case.p99_ms is not None:
        found.append(target(case.name, "latency p99, ms", figures["latency-ms"]["p99"], case.p99_ms))
    if case.share is not None:
        found.append(target(case.name, "share of a core", figures.get("share-of-core", math.nan), case.share))
    if case.growth is not None:
        found.append(target(case.name, "CPU per frame, end / start", figures.get("growth", math.nan), case.growth))
    if case.recording.blocks == 1 and case.growth is not None:
        dear = max(figures.get("us-by-tenth", [math.nan]))
        found.append(target(case.name, "CPU per frame at its worst, us", dear, MICROSECONDS))
    if case.memory_mib is not None:
        for who in ("child-mib", "parent-mib"):
            by_tenth = figures[who]
            found.append(target(case.name, f"growth of {who}", by_tenth[-1] - by_tenth[2], case.memory_mib))
    if case.check_bytes:
        found.append(target(case.name, "frames compared", figures["frames-compared"], figures["frames"], at_least=True))
        found.append(target(case.name, "frames with wrong bytes", len(figures["wrong-bytes"]), 0))
    return found


def _harmless(result: dict[str, Any]) -> list[dict[str, Any]]:
    ours, files = result["flushes"]["filewatcher"], result["creations"]["filewatcher"]
    return [
        target("writer with us", "median flush / alone", ours["median-by-alone"]["median"], HARMLESS),
        target("writer with us", "failed creations", files["failed"] + ours["failed-creations"], 0),
    ]


def _bounded(many: dict[str, Any]) -> list[dict[str, Any]]:
    name = "ten at once"
    return [
        target(name, "frames seen", many["announced"], many["frames"], at_least=True),
        target(name, "frames announced twice", many["announced-twice"], 0),
        target(name, "share of a core", many["share-of-core"], many["share-limit"]),
    ]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = page.options(__doc__, quick="end within a minute")
    parser.add_argument("--part", default="", help="only parts whose names contain this: 1 kHz, ten, calls, harm ...")
    parser.add_argument("--into", type=Path, help="add the figures to those of other parts in this JSON file")
    parser.add_argument("--page", type=Path, help="write the figures as a page of documentation (reStructuredText)")
    parser.add_argument("--note", default="", help="what else is to be known of the machine, for the page")
    parser.add_argument("--from", dest="source", type=Path, help="measure nothing: take the figures of this JSON file")
    parser.add_argument("--folder", type=Path, help="where files are recorded (default: the temporary folder)")
    return parser.parse_args()


def main() -> int:
    """Measure, print, write; returns the exit code."""
    wanted = arguments()
    os.environ.pop("HDF5_USE_FILE_LOCKING", None)
    if wanted.source is not None:
        result = json.loads(wanted.source.read_text().splitlines()[-1])
    else:
        with tempfile.TemporaryDirectory(prefix="filewatcher-bench-", dir=wanted.folder) as folder:
            result = run(Path(folder), quick=wanted.quick, part=wanted.part)
    if wanted.into is not None:
        if wanted.into.exists():
            result = add(json.loads(wanted.into.read_text()), result)
        wanted.into.write_text(json.dumps(result))
    if wanted.note:
        result["note"] = wanted.note
    if wanted.page is not None:
        wanted.page.write_text(page.page(result))
    return page.conclude(result, wanted)


if __name__ == "__main__":
    sys.exit(main())
