"""What is too big for continuous integration: 300 frames of 16 megapixels, watched in a browser while they are written.

A real daemon is asked before the first file exists; headless Chromium shows the scan. Ends with exit code 1 unless
every cell has the number and the colour of its result in the end, for who was there and for who comes later. Pictures
of what was seen stay in ``screenshots``.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from playwright.sync_api import sync_playwright

from filewatcher.core.grid import Grid
from filewatcher.core.messages import METRICS, State
from filewatcher.testing.daemon import Daemon
from filewatcher.testing.seeing import differences
from filewatcher.testing.viewer import ARGUMENTS, CHROMIUM, Viewer

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from playwright.sync_api import Browser

PICTURES = Path(__file__).resolve().parent.parent / "screenshots"
KNOWN = "(n) => __grid.panes[0]?.store.version >= n"
LATEST = 120.0
"""Seconds for all to be drawn after the last frame was written."""


def watched(root: Path, browser: Browser, columns: int, rows: int, rate: float) -> list[str]:
    """Watch one scan; returns what was wrong in the browser."""
    frames, raw = columns * rows, root / "raw"
    raw.mkdir()
    daemon = Daemon(root / "daemon", ("--root", str(root))).start()
    try:
        collection = daemon.ask(master=str(raw / "grid.nxs"), visit="mx12345-1", beamline="i03")
        viewer = Viewer(browser, daemon.url + "/").open(collection)
        viewer.page.wait_for_selector(".chip:has-text('waiting for the first image')")
        begun = time.monotonic()
        scan = ["--detector", "eiger2-16m", "--grid", f"{columns}x{rows}", "--rate", f"{rate:g}"]
        detector = subprocess.Popen([*daemon.command("-m", "filewatcher", "simulate"), str(raw), *scan])
        viewer.until(KNOWN, frames // 2, seconds=LATEST)
        viewer.picture(PICTURES / "acceptance-16m-running.png")
        if detector.wait():
            return ["the simulated detector failed"]
        written, live = time.monotonic(), viewer.ask("() => __grid.panes[0].view.drawn.version")
        viewer.page.wait_for_selector(".chip[data-state=done]", timeout=1000 * LATEST)
        viewer.drawn(frames)
        print(
            f"{frames} frames of 16 megapixels written in {written - begun:.1f} s, {live} of them drawn by then, "
            f"all {time.monotonic() - written:.1f} s later"
        )
        later = Viewer(browser, daemon.url + "/", scheme="dark").open(collection, "?metric=estimated_d_min")
        later.drawn(frames)
        states, values = results(daemon.lines(collection))
        told = daemon.get(collection)["scans"][0]["grid"]
        grid = Grid(columns, rows, snaked=told["snaked"], orientation=told["orientation"], start=told["start"])
        wrong = differences(viewer, grid, states, values) + differences(later, grid, states, values, "estimated_d_min")
        viewer.picture(PICTURES / "acceptance-16m.png")
        later.picture(PICTURES / "acceptance-16m-dark.png")
        done = int(np.count_nonzero(states == State.DONE))
        print(f"{done} of {frames} analysed; {2 * frames} cells compared in number and colour, {len(wrong)} differ")
        missed = [] if done == frames else [f"{frames - done} frames were not analysed"]
        return missed + wrong + viewer.problems + later.problems + [str(fault) for fault in daemon.faults()]
    finally:
        daemon.kill()


def results(lines: list[dict[str, Any]]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return states, shape (frames,), and numbers, shape (frames, metrics), of the lines of all frames."""
    states = np.array([State[line["state"].upper()] for line in lines], np.int64)
    numbers = [[np.nan if line[name] is None else line[name] for name in METRICS] for line in lines]
    return states, np.array(numbers, np.float32).astype(np.float64)


def main() -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--rows", type=int, default=15)
    parser.add_argument("--rate", type=float, default=20.0, help="frames/s; the default is what two cores analyse")
    wanted = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="filewatcher-acceptance-"))
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
            wrong = watched(root, browser, wanted.columns, wanted.rows, wanted.rate)
            browser.close()
    finally:
        shutil.rmtree(root)
    for sentence in wrong[:20]:
        print(sentence, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
