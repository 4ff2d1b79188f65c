"""``demo``: the main job on this machine; a simulated detector writes, filewatcher watches, a heat map is left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from filewatcher.cli.watch import Wishes, go

Directory = Annotated[Path, typer.Option("--directory", help="Where raw data and results go.")]
Cells = Annotated[str, typer.Option("--grid", metavar="COLSxROWS", help="Shape of the grid scan.")]
Rate = Annotated[float, typer.Option(help="Frames per second of the simulated detector.")]
Model = Annotated[str, typer.Option("--detector", help="eiger2-16m, eiger2-4m or eiger2-1m.")]


def demo(
    directory: Directory = Path("demo"), grid: Cells = "20x12", rate: Rate = 10.0, detector: Model = "eiger2-1m"
) -> None:
    """Run a simulated grid scan and watch it live: raw data in demo/raw, the heat map in demo/results."""
    raw = directory.absolute() / "raw"
    words = ["--grid", grid, "--rate", str(rate), "--detector", detector, "--frames-per-file", "60", "--overwrite"]
    typer.echo(f"A simulated {detector} scans a grid of {grid} at {rate:g} Hz; filewatcher watches {raw}", err=True)
    # what an earlier demo left would be taken for the collection that is about to begin
    (raw / "grid.nxs").unlink(missing_ok=True)
    simulator = subprocess.Popen([sys.executable, "-m", "filewatcher", "simulate", str(raw), *words])
    try:
        code = go(Wishes(raw / "grid.nxs", output=directory.absolute() / "results", force=True))
    finally:
        if simulator.poll() is None:
            simulator.terminate()
        simulator.wait()
    if simulator.returncode != 0:
        typer.echo(f"the simulated detector ended with exit code {simulator.returncode}", err=True)
    typer.echo(f"look at {directory / 'results' / 'heatmap.png'}", err=True)
    raise typer.Exit(code)
