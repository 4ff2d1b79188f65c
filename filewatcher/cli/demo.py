"""``demo``: the main job on this machine; a simulated detector writes, filewatcher watches, a heat map is left."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from filewatcher.cli.interrupts import kept_from_children
from filewatcher.cli.watch import go
from filewatcher.cli.wishes import Wishes

Directory = Annotated[Path, typer.Option("--directory", help="Where raw data and results go.")]
Cells = Annotated[str, typer.Option("--grid", metavar="COLSxROWS", help="Shape of the grid scan.")]
Rate = Annotated[float, typer.Option(help="Frames per second of the simulated detector.")]
Model = Annotated[str, typer.Option("--detector", help="eiger2-16m, eiger2-4m or eiger2-1m.")]


def demo(
    directory: Directory = Path("demo"), grid: Cells = "20x12", rate: Rate = 10.0, detector: Model = "eiger2-1m"
) -> None:
    """Run a simulated grid scan and watch it live: raw data in demo/raw, the heat map in demo/results."""
    from filewatcher.core.grid import parse  # noqa: PLC0415  heavy: --help must not wait for it
    from filewatcher.testing.detector import Simulation, run, write_master  # noqa: PLC0415

    cells = parse(grid, snaked=True)
    shape = (cells.columns, cells.rows)
    raw = directory.absolute() / "raw"
    sim = Simulation(raw, detector=detector, grid=shape, rate=rate, frames_per_file=60, overwrite=True)
    typer.echo(f"a simulated {detector} scans a grid of {cells} at {rate:g} Hz into {raw}", err=True)
    # what an earlier demo left is removed now: it would be taken for the collection that is about to begin
    master = write_master(sim)
    stop = threading.Event()
    with kept_from_children(), ThreadPoolExecutor(1) as beamline:
        detecting = beamline.submit(run, sim, None, stop)
        try:
            code = go(Wishes(master, output=directory.absolute() / "results", force=True, timeout_first=60))
        finally:
            stop.set()
    written = detecting.result()
    typer.echo(f"the simulated detector wrote {written.frames} frames at {written.rate:.1f} Hz", err=True)
    typer.echo(f"look at {directory / 'results' / 'heatmap.png'}", err=True)
    raise typer.Exit(code)
