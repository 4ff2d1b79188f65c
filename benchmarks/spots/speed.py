"""How fast spots are found, and how much faster than by DIALS: `make bench`, or ``benchmarks/spotfinding.py --help``.

The same simulated frames are analysed by real DIALS (``find_spots_server.work``, also with glibc told to keep its
memory) and by the native engine, in turns, on one core.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import speed_page
from contest import Contest
from contestant import Ended
from figures import machine
from frames import KINDS, write_frames
from page import conclude, options, say

from spotfinding.installed import installed_dials
from spotfinding.parameters import ParameterError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

USUAL = ("blank", "weak", "strong")
"""Frames of about 4 MB; the others have more background."""


@dataclass(frozen=True, slots=True)
class Part:
    """Frames of one detector, and what is done with them; on two cores of its own it takes two minutes at most."""

    detector: str
    bits: int
    kinds: tuple[str, ...]
    two: bool = False
    """Not every contestant one after the other, but one process of ours against two."""


QUICK = {
    "16m-16": Part("eiger2-16m", 16, ("strong",)),
    "two": Part("eiger2-16m", 16, ("strong",), two=True),
    "4m-16": Part("eiger2-4m", 16, ("strong",)),
}
FULL = {
    "16m-16": Part("eiger2-16m", 16, USUAL),
    "16m-16-background": Part("eiger2-16m", 16, ("background 1", "background 10", "background 100")),
    "two": Part("eiger2-16m", 16, USUAL, two=True),
    "4m-16": Part("eiger2-4m", 16, tuple(kind.name for kind in KINDS)),
    "16m-32": Part("eiger2-16m", 32, ("weak", "strong", "background 10", "background 100")),
    "4m-32": Part("eiger2-4m", 32, ("weak", "strong", "background 10", "background 100")),
}
ROUNDS = 3
"""Of each frame by each contestant, after one to warm up; a figure is their median."""
TARGETS = {
    "ms_16m_uint16": 20.0,
    "ms_16m_uint16_background": 25.0,
    "ratio_16m_uint16": 60.0,
    "ratio_16m_uint16_malloc": 45.0,
    "ratio_4m_uint16": 40.0,
    "two_process_gain": 1.8,
    "unequal": 0,
}
"""Milliseconds and disagreements at most, ratios at least."""


def run(folder: Path, *, quick: bool, only: str | None = None) -> dict[str, Any]:
    """Measure everything, or `only` one part; returns the figures as printed with --json."""
    result: dict[str, Any] = {
        "machine": machine(folder),
        "dials": installed_dials().version,
        "quick": quick,
        "frames": [],
    }
    say(f"{result['machine']}")
    with Contest() as contest:
        for name, part in (QUICK if quick else FULL).items():
            if only not in (None, name):
                continue
            frames = write_frames(folder, part.detector, part.bits, tuple(k for k in KINDS if k.name in part.kinds))
            if part.two:
                result["two-processes"] = contest.two_processes(frames, seconds=0.3, rounds=5 if quick else 25)
                say(speed_page.two_sentence(result["two-processes"]))
            else:
                for figures in contest.measure(frames, ROUNDS, say):
                    result["frames"].append(figures | {"model": part.detector, "bits": part.bits})
            Path(frames.master).unlink()
    return result


def judged(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of one run, or of several that were parts of it, with what is promised of them."""
    result = results[0]
    for other in results[1:]:
        result = result | {k: v for k, v in other.items() if k == "two-processes"}
        result["frames"] = result["frames"] + other["frames"]
        loads = [one["machine"]["load-before"] for one in (result, other)]
        result["machine"] = result["machine"] | {"load-before": max(loads)}
    result |= summary(result)
    return result | {"targets": [_target(name, result[name]) for name in TARGETS if name in result]}


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """Return the figures that are promised, by their names: medians over the frames that they are about."""
    large, small = (
        [f for f in result["frames"] if (f["model"], f["bits"]) == (m, 16)] for m in ("eiger2-16m", "eiger2-4m")
    )
    usual = [f for f in large if f["kind"] in USUAL]
    found: dict[str, float] = {"unequal": sum(len(f["unequal"]) for f in result["frames"])}
    if usual:
        found |= {
            "ms_16m_uint16": _median(f["ms"]["native"] for f in usual),
            "ratio_16m_uint16": _median(f["ratio"]["median"] for f in usual),
            "ratio_16m_uint16_malloc": _median(f["ratio-malloc"]["median"] for f in usual),
            # the compressed bytes are read, and LZ4 makes an image of them
            "bound_ms": _median(f["steps"]["read"] + f["steps"]["lz4"] for f in usual),
        }
    if usual := [f["ratio"]["median"] for f in small if f["kind"] in USUAL]:
        found["ratio_4m_uint16"] = _median(usual)
    if "two-processes" in result:
        found["two_process_gain"] = round(result["two-processes"]["gain"]["median"], 3)
    if brighter := [f["ms"]["native"] for f in large if f["kind"] not in USUAL]:
        found["ms_16m_uint16_background"] = max(brighter)
    return found


def _median(values: Iterable[float]) -> float:
    return round(float(np.median(list(values))), 3)


def _target(name: str, value: float) -> dict[str, Any]:
    limit = TARGETS[name]
    met = value >= limit if name.startswith(("ratio", "two")) else value <= limit
    return {"case": "spot finding", "what": name, "value": value, "limit": limit, "met": met}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = options(__doc__, quick="one frame of each detector; ends within a minute")
    parser.add_argument("--page", type=Path, help="write the figures as a page of documentation (reStructuredText)")
    parser.add_argument(
        "--only", choices=FULL, help="one part of it: frames of one detector and type, or the second process"
    )
    parser.add_argument(
        "--from", dest="source", type=Path, nargs="+", help="measure nothing: take these files of --json"
    )
    parser.add_argument("--folder", type=Path, help="where frames are written (default: the temporary folder)")
    wanted = parser.parse_args()
    if wanted.only and wanted.page:
        parser.error("a page needs all frames: --from the files of --json of each --only")
    return wanted


def main() -> int:
    """Measure, print, write; returns the exit code: 1 for a missed target (--check), 2 if it cannot be measured."""
    wanted = arguments()
    if wanted.source is not None:
        results = [json.loads(source.read_text().splitlines()[-1]) for source in wanted.source]
    else:
        try:
            with tempfile.TemporaryDirectory(prefix="filewatcher-bench-", dir=wanted.folder) as folder:
                results = [judged([run(Path(folder), quick=wanted.quick, only=wanted.only)])]
        except (Ended, ParameterError) as error:
            say(f"the bench cannot go on: {error}")
            return 2
    result = results[0] if len(results) == 1 else judged(results)
    if wanted.page is not None:
        wanted.page.write_text(speed_page.page(result))
    return conclude(result, wanted)
