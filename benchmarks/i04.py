"""Cores that keep up with the grid scan of Diamond's i04 in 2021: 6,278 images of 16M in 22.3 s, then on 800 cores."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from dispatching import dispatch
from odin_writer import Recording

from filewatcher.core.batching import Limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RATE = 281.0
"""Frames/s: 6,278 in 22.3 s."""
THEN = 800
"""Cores that kept up in 2021."""
FEW, MANY = 24, 96
"""Images of two runs: what they differ in is the cost of images, not of starting."""
ENGINES = ("native", "dials")
SIMULATION = ("--detector", "eiger2-16m", "--grid", "12x8", "--rate", "1000")


def cores(folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Figures by engine: CPU seconds of all processes per frame, and the cores that this makes."""
    raw = folder / "i04"
    raw.mkdir()
    _filewatcher(folder, "simulate", raw, *SIMULATION)
    way = dispatch(Recording(folder, 1_400, 280.0), Limits())["cpu-ms"]["all"]
    found: dict[str, Any] = {"way-ms": way}
    for engine in ENGINES:
        few, many = (_seconds(folder, raw / "grid.nxs", engine, images) for images in (FEW, MANY))
        each = (many - few) / (MANY - FEW)
        found[engine] = {"ms": round(each * 1e3, 1), "cores": round((each + way * 1e-3) * RATE, 2)}
        say(
            f"i04, {engine}: {each * 1e3:.1f} ms CPU per image of 16M, with its whole way {each * 1e3 + way:.1f} ms: "
            f"{found[engine]['cores']:.1f} cores keep up with {RATE:g} Hz ({THEN} did in 2021)"
        )
    return found


def _seconds(folder: Path, master: Path, engine: str, images: int) -> float:
    """CPU seconds of all processes of one reprocessing, started and ended by it."""
    before = _children()
    output = folder / f"{engine}-{images}"
    said = _filewatcher(
        folder, "reprocess", master, "--engine", engine, "--images", f"1-{images}", "--json", "--output", output
    )
    summary = json.loads(said.splitlines()[-1])
    if summary["done"] != images:
        raise RuntimeError(f"{summary['done']} of {images} images were analysed by the engine {engine}")
    return _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _filewatcher(folder: Path, *words: object) -> str:
    environment = {**os.environ, "FILEWATCHER_STATE_DIR": str(folder / "state")}
    command = [sys.executable, "-m", "filewatcher", *map(str, words)]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
