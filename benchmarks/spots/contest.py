"""DIALS and we on the same frames, by turns, on one core; then two of ours on two cores."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import hdf5plugin
import numpy as np
from contestant import Contestant
from figures import ratio

if TYPE_CHECKING:
    from collections.abc import Callable

    from frames import Frames

MALLOC = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "8589934592"}
"""glibc keeps large memory: what makes DIALS fastest."""
STEPS = ("read", "decompress", "threshold", "both", "label", "statistics")
STATISTICS = (
    "n_spots_total", "n_spots_no_ice", "n_spots_4A", "total_intensity", "estimated_d_min", "d_min_distl_method_1",
    "d_min_distl_method_2", "noisiness_method_1", "noisiness_method_2",
)  # fmt: skip


class Contest:
    """The contestants, warm: ``native``, ``dials``, and ``dials-malloc`` with glibc's variables."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        cores = sorted(os.sched_getaffinity(0))
        plugins = {"HDF5_PLUGIN_PATH": str(hdf5plugin.PLUGIN_PATH)}
        judge = "contestant_dials.py"
        start = self._stack.enter_context
        self._one_core = {
            "native": start(Contestant("contestant_native.py", cores[-1])),
            "dials": start(Contestant(judge, cores[-1], plugins)),
            "dials-malloc": start(Contestant(judge, cores[-1], plugins | MALLOC)),
        }
        self._other_core = start(Contestant("contestant_native.py", cores[0]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]  # the three that a context manager is given

    def measure(self, frames: Frames, rounds: int, say: Callable[[str], None]) -> list[dict[str, Any]]:
        """Analyse every frame `rounds` times by everybody, after one time to warm up."""
        for contestant in self._one_core.values():
            contestant.call("prepare", frames.as_json())
        found = []
        for frame, kind in enumerate(frames.kinds):
            answers = {name: [one.call("analyse", frame)] for name, one in self._one_core.items()}
            for _ in range(rounds):
                for name, one in self._one_core.items():
                    answers[name].append(one.call("analyse", frame))
            ms = {name: [each["ms"] for each in given[1:]] for name, given in answers.items()}
            records = {name: given[0]["record"] for name, given in answers.items()}
            figures = {
                "detector": frames.detector.name,
                "shape": list(frames.layout.shape),
                "dtype": frames.layout.dtype,
                "kind": kind,
                "stored-mb": round(frames.chunks[frame].size / 1e6, 2),
                "n_spots_total": records["native"]["n_spots_total"],
                "unequal": unequal(records["native"], records["dials"]),
                "ms": {name: round(float(np.median(times)), 3) for name, times in ms.items()},
                "ratio": ratio(ms["dials"], ms["native"]),
                "ratio-malloc": ratio(ms["dials-malloc"], ms["native"]),
                "steps": self._one_core["native"].call("steps", frame),
            }
            found.append(figures)
            say(sentence(figures))
        return found

    def two_processes(self, frames: Frames, seconds: float, rounds: int) -> dict[str, Any]:
        """Frames per second of one process and of two on two cores, in turns, and how much more that is.

        One process is the mean of the two cores, each alone: they need not be alike. ``gain``: per second of the clock;
        ``gain-cpu``: per second of CPU time; ``control``: the gain of the same work where each core has all that it
        needs in its own cache. What that lacks to 2 is the machine's.
        """
        both = [self._one_core["native"], self._other_core]
        for contestant in both:
            contestant.call("prepare", frames.as_json())
        rates: dict[str, list[tuple[float, float]]] = {"gain": [], "gain-cpu": [], "control": []}
        for turn in range(rounds + 1):
            for what, given in (("many", {"gain": "per-second", "gain-cpu": "per-cpu-second"}),
                                ("small", {"control": "per-second"})):  # fmt: skip
                alone = [_together([one], what, seconds)[0] for one in both]
                together = _together(both, what, seconds)
                for name, unit in given.items() if turn else ():  # the first one warms up
                    rates[name].append((sum(one[unit] for one in alone) / 2, sum(one[unit] for one in together)))
        one, two = (float(np.median([pair[i] for pair in rates["gain"]])) for i in (0, 1))
        gains = {name: ratio([p[1] for p in pairs], [p[0] for p in pairs]) for name, pairs in rates.items()}
        return {"one": one, "two": two, "rounds": rounds} | gains


def _together(contestants: list[Contestant], what: str, argument: object) -> list[dict[str, float]]:
    """Ask all at once; what they answer."""
    for contestant in contestants:
        contestant.ask(what, argument)
    return [contestant.answer() for contestant in contestants]


def unequal(ours: dict[str, Any], judge: dict[str, Any]) -> list[str]:
    """Names of the statistics in which we differ from DIALS."""
    return [name for name in STATISTICS if not np.isclose(ours[name], judge[name], rtol=1e-6, atol=0)]


def sentence(figures: dict[str, Any]) -> str:
    """One frame in one line."""
    ms, steps = figures["ms"], figures["steps"]
    each = ", ".join(f"{name} {steps[name]:.1f}" for name in STEPS)
    return (
        f"{figures['detector']} {figures['dtype']} {figures['kind']} ({figures['stored-mb']:.1f} MB, "
        f"{figures['n_spots_total']} spots): {ms['native']:.1f} ms ({each}; LZ4 {steps['lz4']:.1f}, memcpy "
        f"{steps['memcpy']:.1f}), DIALS {ms['dials']:.0f} ms x{figures['ratio']['median']:.1f}, with malloc variables "
        f"{ms['dials-malloc']:.0f} ms x{figures['ratio-malloc']['median']:.1f}"
        + (f"; UNEQUAL: {', '.join(figures['unequal'])}" if figures["unequal"] else "")
    )
