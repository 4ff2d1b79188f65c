"""What is decided at once while a scan is watched: where its frames will lie, and where the crystal is.

CPU time of one thread, the best of several rounds. What a result more costs in a heat map is in ``browser.py``.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from figures import machine, target
from page import conclude, options, say

from filewatcher.core.centring import Method, centre
from filewatcher.core.grid import Grid
from filewatcher.core.mapping import Entry, Selection, Slab, place
from filewatcher.core.picture import Picture, from_frames

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 5
CENTRED = {317: 50.0, 1000: 1000.0}
"""Cells along each side of a grid, and milliseconds for its crystal."""
IMAGE = (4148, 4362)
FILES, PER_FILE = 1000, 100
MAPPED = 1000.0
"""Milliseconds for a map of so many data files, each named by a mapping of its own."""


def best(do: Callable[[], object]) -> float:
    """CPU milliseconds of the best round."""
    took = []
    for _ in range(ROUNDS):
        began = time.process_time()
        do()
        took.append(time.process_time() - began)
    return 1e3 * min(took)


def crystal_on(side: int) -> Picture:
    """Make a scan of a lens-shaped crystal on noise; 3 % of its images are unknown."""
    grid = Grid(side, side, snaked=True)
    rows, columns = grid.cells(np.arange(len(grid)))
    off = ((columns / side - 0.4) / 0.2) ** 2 + ((rows / side - 0.6) / 0.15) ** 2
    rng = np.random.default_rng(1)
    spots = rng.poisson(500 * np.clip(1 - off, 0, 1) ** 2 + 0.3).astype(float)
    known = np.flatnonzero(rng.random(len(grid)) >= 0.03)
    return from_frames(grid, "n_spots_total", known, spots[known])


def centred(scan: Picture, method: Method) -> float:
    """CPU milliseconds to say where the crystal is."""
    return best(lambda: centre(scan, method).as_json(region=False))


def virtual_dataset(files: int) -> list[Entry]:
    """List the mappings of a master over so many data files."""

    def images(first: int) -> Selection:
        return Selection(((Slab(first, 1, 1, PER_FILE), *(Slab(0, 1, 1, pixels) for pixels in IMAGE)),))

    return [Entry(images(PER_FILE * file), f"/data/{file}.h5", "data", images(0)) for file in range(files)]


def mapped(files: int) -> float:
    """CPU milliseconds to map the frames of a master over so many data files."""
    entries, shape = virtual_dataset(files), (files * PER_FILE, *IMAGE)
    return best(lambda: place(entries, shape, where="the master"))


def main() -> int:
    """Measure, print; returns the exit code."""
    wanted = options(__doc__, quick="a small grid and a tenth of the files only").parse_args()
    result: dict[str, Any] = {"machine": machine(Path(tempfile.gettempdir())), "quick": wanted.quick, "targets": []}

    def told(case: str, took: float, limit: float) -> None:
        say(f"{case}: {took:.1f} ms")
        result["targets"].append(target(case, "CPU, ms", took, limit))

    for side, limit in CENTRED.items():
        if side == min(CENTRED) or not wanted.quick:
            scan = crystal_on(side)
            for method in get_args(Method):
                told(f"{method} in {side} x {side}", centred(scan, method), limit)
    files = FILES // 10 if wanted.quick else FILES
    told(f"map of {files} files", mapped(files), MAPPED)
    return conclude(result, wanted)


if __name__ == "__main__":
    sys.exit(main())
