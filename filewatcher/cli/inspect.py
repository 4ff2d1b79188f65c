"""``inspect``: what was understood of a master, without analysing anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from filewatcher.cli.collecting.placing import refuse_no_file
from filewatcher.cli.watch import Channel

if TYPE_CHECKING:
    from filewatcher.core.grid import Grid
    from filewatcher.edges.swmr import Inspection

Master = Annotated[Path, typer.Argument(metavar="MASTER", readable=False, help="NeXus or DECTRIS master file.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


def inspect(master: Master, as_json: AsJson = False, channel: Channel = None) -> None:
    """Print what was understood of a master: frames, files, detector, grid, and what is there now."""
    from filewatcher.core.lines import grid_words, to_json  # noqa: PLC0415  heavy: --help must not wait for it
    from filewatcher.core.positions import from_positions  # noqa: PLC0415
    from filewatcher.edges.swmr import inspect_master  # noqa: PLC0415

    refuse_no_file(master)
    found = inspect_master(master, channel)
    grid = from_positions(found.positions.x, found.positions.y) if found.positions is not None else None
    if as_json:
        typer.echo(json.dumps(to_json(found.as_dict() | {"grid": None if grid is None else grid_words(grid)})))
    else:
        typer.echo("\n".join(f"{name:<11} {value}" for name, value in _told(found, grid)))


def _told(found: Inspection, grid: Grid | None) -> Iterator[tuple[str, str]]:
    yield "master", found.master
    more = " so far, more may come" if found.open_ended else ""
    yield "frames", f"{found.frames}{more}, {found.frames_now} there now"
    shape = "unknown" if found.shape is None else f"{found.shape[0]} x {found.shape[1]} (slow x fast)"
    yield "images", f"{shape}, {found.dtype or f'{found.master_dtype} in the master'}"
    if found.channel is not None:
        yield "channel", found.channel
    if found.filters is not None:
        filters = " + ".join(f"{name} ({number})" for number, name in found.filters) or "not compressed"
        chunk = "" if found.chunk is None else f", in chunks of {' x '.join(map(str, found.chunk))}"
        yield "stored", filters + chunk
    if found.detector is not None:
        yield "detector", f"{found.detector.name or 'unnamed'}, {found.distance:.2f} mm away"
        yield "wavelength", f"{found.detector.wavelength:.5f} angstrom"
    yield "exposure", "unknown" if found.exposure_time is None else f"{found.exposure_time:g} s per frame"
    coherent = "coherent" if found.coherent else "not coherent: files are opened anew at each poll, every 20 ms"
    yield "on", f"{found.file_system}, {coherent}"
    yield "grid", "none" if grid is None else _grid(grid)
    for file in found.files:
        problem = f": {file.problem}" if file.problem else ""
        first = "" if file.first_frame is None else f" from image {file.first_frame + 1}"
        yield "file", f"{file.path}  {file.state}, {file.frames_now} of {file.frames} frames{first}{problem}"
    for warning in found.warnings:
        yield "warning", warning


def _grid(grid: Grid) -> str:
    order = f"{grid.orientation}, {'snaked' if grid.snaked else 'not snaked'}, first image {grid.start}"
    step = "" if grid.step is None else f", {1000 * abs(grid.step[0]):g} x {1000 * abs(grid.step[1]):g} um"
    return f"{grid} cells{step}, {order}"
