"""``simulate``: a detector that writes what a real one would write, for commissioning, tests and the demo."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from filewatcher.errors import Refused

if TYPE_CHECKING:
    from filewatcher.testing.detector import Simulation

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="Folder for master and data files.")]
Name = Annotated[str, typer.Option(help="First part of every file name.")]
Layout = Annotated[str, typer.Option(help="diamond, dectris, dectris-2024, jungfraujoch or single.")]
Model = Annotated[str, typer.Option("--detector", help="eiger2-16m, eiger2-4m or eiger2-1m.")]
Cells = Annotated[str, typer.Option("--grid", metavar="COLSxROWS", help="Grid scan, snaked, one frame per cell.")]
Second = Annotated[
    str | None,
    typer.Option(
        metavar="COLSxROWS", help="A second grid, 90 degrees on, in the same data files.", show_default="none"
    ),
]
Oscillation = Annotated[
    float,
    typer.Option(help="Degrees per frame: a rotation of as many frames as the grid has cells.", show_default="none"),
]
Rate = Annotated[float, typer.Option(help="Frames per second.")]
Writers = Annotated[int, typer.Option(help="Processes that write data files side by side.")]
PerFile = Annotated[int, typer.Option("--frames-per-file", help="Frames in one data file.")]
Seed = Annotated[int, typer.Option(help="Another seed, another crystal.")]
CrystalAt = Annotated[
    str, typer.Option("--crystal-at", metavar="X,Y", help="Where the crystal is, in parts of the grid.")
]
AbortAt = Annotated[int | None, typer.Option("--abort-at", metavar="N", help="Stop after N frames; files are closed.")]
Gap = Annotated[list[int] | None, typer.Option(metavar="N", help="Image N (from 1) is never written; may be repeated.")]
Corrupt = Annotated[list[int] | None, typer.Option(metavar="N", help="Image N is damaged; may be repeated.")]
Late = Annotated[list[str] | None, typer.Option(metavar="N:S", help="Image N is written S seconds late; repeatable.")]
NoFile = Annotated[list[int] | None, typer.Option("--no-file", metavar="K", help="Data file K never comes.")]
Shuffle = Annotated[int, typer.Option(metavar="W", help="Frames come out of order within windows of W.")]
Hold = Annotated[bool, typer.Option("--hold", help="Keep files open after the last frame, until interrupted.")]
Kill = Annotated[int | None, typer.Option(metavar="N", help="The writer of image N dies instead of writing it.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier simulation of this name.")]


def simulate(
    directory: Directory,
    name: Name = "grid",
    layout: Layout = "diamond",
    detector: Model = "eiger2-4m",
    grid: Cells = "20x15",
    second: Second = None,
    oscillation: Oscillation = 0.0,
    rate: Rate = 50.0,
    writers: Writers = 4,
    frames_per_file: PerFile = 1000,
    seed: Seed = 0,
    crystal_at: CrystalAt = "0.45,0.55",
    abort_at: AbortAt = None,
    gap: Gap = None,
    corrupt: Corrupt = None,
    late: Late = None,
    no_file: NoFile = None,
    shuffle: Shuffle = 0,
    hold: Hold = False,
    kill: Kill = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a simulated grid scan the way a detector does: growing files, several writers, at a given rate."""
    from filewatcher.core.grid import parse  # noqa: PLC0415  heavy: --help must not wait for it
    from filewatcher.testing.detector import Faults, Simulation  # noqa: PLC0415

    cells = parse(grid, snaked=True)
    after = None if second is None else parse(second, snaked=True)
    total = len(cells) + (0 if after is None else len(after))
    delays = dict(_late(word) for word in late or ())
    last = None if abort_at is None else [abort_at]
    killed = None if kill is None else [kill]
    for word, images in (("gap", gap), ("corrupt", corrupt), ("late", delays), ("abort-at", last), ("kill", killed)):
        for image in images or ():
            if not 1 <= image <= total:
                grids = str(cells) if after is None else f"{cells} and another one of {after}"
                raise Refused(f"--{word} {image}: a grid of {grids} has images 1 to {total}")
    faults = Faults(
        abort_at=abort_at,
        gap=tuple(n - 1 for n in gap or ()),
        corrupt=tuple(n - 1 for n in corrupt or ()),
        late={image - 1: seconds for image, seconds in delays.items()},
        no_file=tuple(no_file or ()),
        shuffle=shuffle,
        hold=hold,
        kill=None if kill is None else kill - 1,
    )
    write(
        Simulation(
            directory.absolute(),
            name,
            layout,
            detector,
            (cells.columns, cells.rows),
            None if after is None else (after.columns, after.rows),
            oscillation=oscillation,
            rate=rate,
            writers=writers,
            frames_per_file=frames_per_file,
            seed=seed,
            crystal_at=_place(crystal_at),
            faults=faults,
            overwrite=overwrite,
        )
    )


def write(simulation: Simulation) -> None:
    """Run a simulation and say what it did."""
    from filewatcher.testing.detector import master_paths, run  # noqa: PLC0415  heavy: --help must not wait for it

    masters = " and ".join(map(str, master_paths(simulation)))
    written = run(simulation, ready=lambda: typer.echo(f"writing {masters}", err=True))
    typer.echo(f"{written.frames} frames written at {written.rate:.1f} Hz", err=True)


def _place(word: str) -> tuple[float, float]:
    try:
        x, y = map(float, word.split(","))
    except ValueError:
        raise Refused(f"--crystal-at {word}: give two numbers, e.g. 0.45,0.55") from None
    return x, y


def _late(word: str) -> tuple[int, float]:
    match = re.fullmatch(r"([1-9][0-9]*):([0-9.]+)", word)
    if not match:
        raise Refused(f"--late {word!r}: write IMAGE:SECONDS, as in 40:5")
    return int(match[1]), float(match[2])
