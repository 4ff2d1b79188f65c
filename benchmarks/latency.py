"""How long a frame takes from the disk to a viewer, stage by stage, through a real ``filewatcher serve``.

A simulated detector writes a grid scan that was asked for over HTTP before its master existed; a viewer notes when each
cell arrives. By turns a hundred more look on. Detector, daemon, workers and viewers share the cores of this machine.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from figures import cpu_seconds, machine, ratio, target
from page import conclude, options
from traced import BACK, SEEN, SUBMITTED, WORKER, notes
from viewers import Crowd, Witness

from filewatcher.testing.daemon import Daemon
from filewatcher.testing.detector import Simulation, run, write_master

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Times = NDArray[np.float64]

TRACED = Path(__file__).with_name("traced.py")
VIEWERS = 100
RATE = 50.0
"""Frames/s of the detector: half of what two cores take with everything else that runs here, so that nothing waits."""
TURN = 3.0
"""Seconds with a crowd, then as many without."""
SETTLED = 0.5
"""Of these, before they count."""
FIRST = 100.0
"""Milliseconds from the first frame on disk to its cell, beyond the time of its worker."""
TAKEN = 0.05
"""Of the core on which the collector runs, by a crowd: so much slower is the collector at its limit."""
POST = 100.0
"""Milliseconds for the answer to a POST."""
AGAIN = 50
"""Times that the same is asked for again."""
LATEST = 60.0
"""Seconds after the last frame was written."""


@dataclass(frozen=True, slots=True)
class Stages:
    """When what happened to each frame (CLOCK_MONOTONIC, seconds), and how long its worker took; shape (frames,)."""

    at: dict[str, Times]
    worker: Times

    @classmethod
    def of(cls, written: Times, traced: Times, shown: Times) -> Stages:
        """Put together what writer, daemon and viewer noted."""
        seen, submitted, done = traced[:, SEEN], traced[:, SUBMITTED], traced[:, BACK]
        return cls(
            {"written": written, "seen": seen, "submitted": submitted, "done": done, "shown": shown}, traced[:, WORKER]
        )


class Turns:
    """Has a crowd come and go until it is told to stop, and notes who looked when; the first turn is to warm up."""

    def __init__(self, crowd: Crowd, daemon: int) -> None:
        self.spans: list[tuple[float, float, bool]] = []
        """From, to (CLOCK_MONOTONIC, seconds), with the crowd or without."""
        self.cpu: list[float] = []
        """Seconds of CPU that the daemon took in each."""
        self.messages = 0
        self._crowd, self._daemon = crowd, daemon
        self._over = threading.Event()

    def take(self) -> None:
        """Alternate, without the crowd first."""
        while not self._over.is_set():
            looking = len(self.spans) % 2 == 1
            if looking:
                self._crowd.come()
            self._over.wait(SETTLED)
            begun, cpu = time.monotonic(), cpu_seconds(self._daemon)
            if not self._over.wait(TURN - SETTLED):  # else it was cut short, and does not count
                self.spans.append((begun, time.monotonic(), looking))
                self.cpu.append(cpu_seconds(self._daemon) - cpu)
            if looking:
                self.messages += self._crowd.go()

    def during(self, times: Times, *, looking: bool) -> NDArray[np.bool_]:
        """Which of these times are in turns with the crowd, or without."""
        inside = np.zeros(len(times), bool)
        for begun, ended, with_crowd in self.spans:
            if with_crowd is looking:
                inside |= (times >= begun) & (times < ended)
        return inside

    def end(self) -> None:
        """Let the last turn be the last."""
        self._over.set()


def measure(folder: Path, columns: int, rows: int) -> dict[str, Any]:
    """One scan; returns all figures."""
    frames, raw = columns * rows, folder / "raw"
    raw.mkdir()
    traced, flushed = notes(folder / "traced.npy", frames), np.memmap(folder / "written", np.float64, "w+", 0, frames)
    sim = Simulation(raw, detector="eiger2-1m", grid=(columns, rows), rate=RATE, writers=2, notes=folder / "written")
    daemon = Daemon(folder / "daemon", program=(str(TRACED), str(folder / "traced.npy"), "serve")).start()
    assert daemon.process is not None
    try:
        collection, at_once = ask(daemon, raw / "grid.nxs", 1)
        witness = Witness(daemon, collection, frames)
        live = f"{daemon.url.replace('http', 'ws', 1)}/api/collections/{collection}/live"
        write_master(sim)
        until_armed(daemon)
        _, again = ask(daemon, raw / "grid.nxs", AGAIN)
        with Crowd(live, VIEWERS) as crowd:
            turns = Turns(crowd, daemon.process.pid)
            detector = threading.Thread(target=run, args=(sim,))
            taking = threading.Thread(target=turns.take)
            detector.start()
            taking.start()
            detector.join()
            turns.end()
            taking.join()
        witness.wait(LATEST)
        daemon.ended(collection)
    finally:
        daemon.kill()
    times = Stages.of(np.array(flushed), np.array(traced), witness.arrived)
    written = times.at["written"]
    return {
        "frames": frames,
        "shown": int(np.count_nonzero(witness.arrived)),
        "hz": round((frames - 1) / float(np.ptp(written)), 1),
        "post-ms": {"at-once": at_once["p50"], "again": again},
        "stages-ms": stages(times, turns.during(written, looking=False)),
        "stages-with-crowd-ms": stages(times, turns.during(written, looking=True)),
        "first-ms": first(times),
        "crowd": compared(turns, times),
    }


def ask(daemon: Daemon, master: Path, times: int) -> tuple[str, dict[str, float]]:
    """Ask for a collection so many times; returns it, and milliseconds that the answers took."""
    took = []
    with daemon.http as http:
        http.get("/health")  # the connection is there
        for _ in range(times):
            begun = time.perf_counter()
            answer = http.post("/api/collections", json={"master": str(master)})
            took.append(1000 * (time.perf_counter() - begun))
            answer.raise_for_status()
    return str(answer.json()["id"]), percentiles(np.array(took))


def until_armed(daemon: Daemon) -> None:
    """Wait until all that arm have armed."""
    last, since = -1, time.monotonic()
    while last < 1 or time.monotonic() - since < 1.0:
        now = int(daemon.listed()["server"]["workers"])
        if now != last:
            last, since = now, time.monotonic()
        if time.monotonic() - since > LATEST:
            raise SystemExit(f"no worker was ready within {LATEST:g} s")
        time.sleep(0.02)


def stages(times: Stages, which: NDArray[np.bool_]) -> dict[str, dict[str, float]]:
    """Milliseconds of each stage: of the first frame of all, and over those that are asked for."""
    found = {}
    for one, other in [*pairwise(times.at), ("written", "shown")]:
        # a frame may be seen before the writer's flush has returned: that is no negative time, but none
        spent = 1e3 * np.maximum(times.at[other] - times.at[one], 0.0)
        found[f"{one} -> {other}"] = {"first": round(float(spent[0]), 2)} | percentiles(spent[which])
    spent = 1e3 * times.worker
    found["of these, the worker"] = {"first": round(float(spent[0]), 2)} | percentiles(spent[which])
    return found


def percentiles(values: Times) -> dict[str, float]:
    """What so many in a hundred are below; NaN of nothing."""
    return {
        f"p{share}": round(float(np.percentile(values, share)), 2) if len(values) else float("nan")
        for share in (50, 95, 99)
    }


def first(times: Stages) -> dict[str, float]:
    """Milliseconds from the first frame on disk to the first result and to the first cell, without its worker's."""
    found = {}
    for what in ("done", "shown"):
        one = int(np.argmin(times.at[what]))
        found[what] = round(1e3 * float(times.at[what][one] - times.at["written"].min() - times.worker[one]), 1)
    return found


def compared(turns: Turns, times: Stages) -> dict[str, Any]:
    """What a crowd does, by turns: to the daemon's share of a core, to written -> done, and to its CPU per frame."""
    late: list[float] = []
    cpu: list[float] = []
    share: list[float] = []
    written, done = times.at["written"], times.at["done"]
    for (begun, ended, _), spent in zip(turns.spans, turns.cpu, strict=True):
        mine = (written >= begun) & (written < ended)
        late.append(1e3 * float(np.median((done - written)[mine])) if mine.any() else float("nan"))
        share.append(spent / (ended - begun))
        cpu.append(1e3 * spent / max(1, np.count_nonzero((done >= begun) & (done < ended))))
    pairs = (len(late) - 1) // 2
    beside, alone = slice(1, 1 + 2 * pairs, 2), slice(2, 1 + 2 * pairs, 2)
    return {
        "viewers": VIEWERS,
        "messages": turns.messages,
        "taken": float(np.median(np.subtract(share[beside], share[alone]))) if pairs else float("nan"),
        "late-ms": _pairs(late[alone], late[beside]),
        "daemon-cpu-ms": _pairs(cpu[alone], cpu[beside]),
    }


def _pairs(alone: list[float], beside: list[float]) -> dict[str, Any]:
    nothing = dict.fromkeys(("median", "min", "max"), float("nan"))
    return {"alone": alone, "beside": beside, "ratio": ratio(beside, alone) if alone else nothing}


def table(figures: dict[str, dict[str, float]]) -> str:
    """The stages, a line each, in milliseconds."""
    lines = [f"{'ms':24}" + "".join(f"{name:>9}" for name in ("first", "p50", "p95", "p99"))]
    lines += [f"{name:24}" + "".join(f"{value:9.2f}" for value in one.values()) for name, one in figures.items()]
    return "\n".join(lines)


def promised(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """The targets, each with its value and whether it is met."""
    return [
        target("live", "frames not shown", figures["frames"] - figures["shown"], 0),
        target("live", "first frame on disk -> done, less its worker's time, ms", figures["first-ms"]["done"], FIRST),
        target("live", "POST answered p95, ms", figures["post-ms"]["again"]["p95"], POST),
        target(f"{VIEWERS} viewers", "taken of the collector's core", figures["crowd"]["taken"], TAKEN),
    ]


def main() -> int:
    """Measure, print; returns the exit code."""
    wanted = options(__doc__, quick="a part of the scan").parse_args()
    with tempfile.TemporaryDirectory(prefix="filewatcher-bench-") as name:
        folder = Path(name)
        result: dict[str, Any] = {"machine": machine(folder), "quick": wanted.quick}
        result["latency"] = figures = measure(folder, *((40, 30) if wanted.quick else (60, 60)))
    result["targets"] = promised(figures)
    print(f"{figures['shown']} of {figures['frames']} frames shown, written at {figures['hz']:g} Hz")
    print(table(figures["stages-ms"]))
    print(f"with {VIEWERS} viewers:\n{table(figures['stages-with-crowd-ms'])}")
    asked = figures["post-ms"]
    print(f"POST at once after the start: {asked['at-once']:.1f} ms; again: p50 {asked['again']['p50']:.1f} ms")
    for what, one in (("collector late", "late-ms"), ("CPU of the daemon per frame", "daemon-cpu-ms")):
        figure = figures["crowd"][one]
        alone, beside, times = np.median(figure["alone"]), np.median(figure["beside"]), figure["ratio"]
        spread = f"x{times['median']:.3f}, {times['min']:.3f} to {times['max']:.3f} over the turns"
        print(f"{what}: alone {alone:.2f} ms, with {VIEWERS} viewers {beside:.2f} ms ({spread})")
    return conclude(result, wanted)


if __name__ == "__main__":
    sys.exit(main())
