"""How soon a result is a drawn cell, and how smoothly: `make bench`, or ``python benchmarks/browser.py --help``.

Headless Chromium with software drawing shows the page of the daemon's application, in which a scan ends faster than
workers here could analyse it (`fed.py`). From the moment at which a result is known to the daemon to the end of the
call that draws its cell; pictures per second as the browser shows them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fed import Fed
from figures import machine, target
from page import conclude, options, say
from playwright.sync_api import Browser, sync_playwright

from filewatcher.testing.viewer import ARGUMENTS, CHROMIUM, Viewer

WATCH = """() => {
    window.drawn = [];
    window.pictures = [];
    __grid.ondrawn = (scan, { version, time }) => drawn.push([version, time]);
    const next = (now) => { pictures.push(now); requestAnimationFrame(next); };
    requestAnimationFrame(next);
}"""
SEEN = "() => [window.drawn, window.pictures]"


@dataclass(frozen=True, slots=True)
class Case:
    """A grid that fills."""

    columns: int
    rows: int
    rate: int
    """Cells per second."""
    before: float
    """Share of the cells that are known when it begins."""
    p95_ms: float
    pictures: float = 0.0
    """Per second, at least."""

    @property
    def name(self) -> str:
        """As it is printed."""
        return f"{self.columns}x{self.rows}, {self.rate:,} cells/s"


CASES = (Case(86, 73, 1_000, 0.0, 100.0), Case(1000, 1000, 20_000, 0.5, 100.0, pictures=50.0))


def measure(browser: Browser, case: Case, seconds: float) -> dict[str, Any]:
    """Let a grid fill before somebody who looks; returns latency and pictures per second."""
    with Fed(case.columns, case.rows, case.before) as server:
        viewer = Viewer(browser, server.url, (1400, 1100)).open(server.collection).drawn(server.known)
        viewer.ask(WATCH)
        times = server.fill(case.rate, seconds)
        last = server.known + len(times)
        viewer.drawn(last)
        drawn, pictures = (np.array(seen) for seen in viewer.ask(SEEN))
        viewer.close()
    late = 1000 * (drawn_at(drawn, server.known, last) / 1000 - times)
    gaps = np.diff(pictures)
    return {
        "name": case.name,
        "cells": len(times),
        "late-ms": {f"p{share}": round(float(np.percentile(late, share)), 1) for share in (50, 95, 99)},
        "pictures-per-second": round(1000 / float(gaps.mean()), 1),
        "longest-gap-ms": round(float(gaps.max()), 1),
    }


def drawn_at(drawn: np.ndarray[Any, Any], first: int, last: int) -> np.ndarray[Any, Any]:
    """When each place of the log was drawn: milliseconds since the epoch, by place."""
    return np.array(drawn[np.searchsorted(drawn[:, 0], np.arange(first, last), side="right"), 1])


def run(*, quick: bool) -> dict[str, Any]:
    """Measure everything."""
    result: dict[str, Any] = {"machine": machine(Path.cwd()), "quick": quick, "cases": [], "targets": []}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        result["machine"]["browser"] = browser.version
        for case in CASES:
            figures = measure(browser, case, 3.0 if quick else 6.0)
            result["cases"].append(figures)
            late = figures["late-ms"]
            say(
                f"{case.name}: result -> drawn p50 {late['p50']} p95 {late['p95']} p99 {late['p99']} ms, "
                f"{figures['pictures-per-second']} pictures/s, longest gap {figures['longest-gap-ms']} ms"
            )
            result["targets"].append(target(case.name, "result -> drawn p95, ms", late["p95"], case.p95_ms))
            if case.pictures:
                shown = figures["pictures-per-second"]
                result["targets"].append(target(case.name, "pictures per second", shown, case.pictures, at_least=True))
        browser.close()
    return result


def main() -> int:
    """Measure and print; returns the exit code."""
    wanted = options(__doc__, quick="end within half a minute").parse_args()
    result = run(quick=wanted.quick)
    return conclude(result, wanted)


if __name__ == "__main__":
    sys.exit(main())
