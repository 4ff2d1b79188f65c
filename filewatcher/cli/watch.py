"""``watch`` and ``reprocess``: one collection through the daemon's loop, live or finished."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from filewatcher.cli import interrupts
from filewatcher.cli.wishes import Wishes
from filewatcher.errors import Interrupted, Refused

# not readable yet is waited for, and said, like everything else that is not yet
Master = Annotated[
    Path, typer.Argument(readable=False, help="NeXus or DECTRIS master file; it need not exist yet for watch.")
]
Words = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE|FILE.phil]...", help="Spot finding parameters: d_max=40 ...")
]
Engine = Annotated[str, typer.Option(help="What finds the spots: auto or dials.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Worker processes.", show_default="one per core")]
Output = Annotated[Path | None, typer.Option(help="Folder for results.", show_default="./<master stem>-filewatcher")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON line per frame on standard output, then a summary.")]
Force = Annotated[bool, typer.Option("--force", help="Start over: forget what is on record of this run.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Nothing on standard error but errors.")]
Select = Annotated[str, typer.Option(help="Frames to analyse: every, every-N or select-N.")]
Images = Annotated[
    str | None, typer.Option(metavar="A-B", help="Only these images, counted from 1: 1-500.", show_default="all")
]
Channel = Annotated[
    str | None, typer.Option(help="Threshold channel of a DECTRIS 2024 file.", show_default="the first")
]
GridWords = Annotated[
    str | None,
    typer.Option("--grid", metavar="COLSxROWS", help="Shape of a grid scan: 30x8.", show_default="from positions"),
]
Orientation = Annotated[
    str | None, typer.Option(help="Lines of the grid: horizontal or vertical.", show_default="horizontal")
]
Snaked = Annotated[
    bool | None,
    typer.Option("--snaked/--no-snaked", help="Does every second line run backwards?", show_default="from positions"),
]
Start = Annotated[
    str | None,
    typer.Option(help="First image's corner: top-left, top-right, bottom-left, bottom-right.", show_default="top-left"),
]
Frames = Annotated[
    int | None, typer.Option(min=1, help="How many frames will come.", show_default="as the master says")
]
TimeOutFirst = Annotated[float, typer.Option("--timeout-first", min=0, help="Seconds to wait for the first frame.")]
TimeOut = Annotated[
    float | None,
    typer.Option("--timeout", min=0, help="Seconds without a new frame.", show_default="10, or 20 exposures"),
]
FrameTimeOut = Annotated[
    float | None,
    typer.Option("--frame-timeout", min=1, help="Seconds that one frame may take.", show_default="as the profile"),
]
Profile = Annotated[
    str | None, typer.Option(metavar="NAME|PATH", help="Where workers run.", show_default="local: this machine")
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Another value in the profile; repeatable.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")]


def watch(
    master: Master,
    words: Words = None,
    engine: Engine = "auto",
    workers: Workers = None,
    output: Output = None,
    as_json: AsJson = False,
    force: Force = False,
    quiet: Quiet = False,
    select: Select = "every",
    images: Images = None,
    channel: Channel = None,
    grid: GridWords = None,
    orientation: Orientation = None,
    snaked: Snaked = None,
    start: Start = None,
    frame_timeout: FrameTimeOut = None,
    profile: Profile = None,
    settings: Settings = None,
    dry_run: DryRun = False,
    frames: Frames = None,
    timeout_first: TimeOutFirst = 3600.0,
    timeout: TimeOut = None,
) -> None:
    """Watch a collection that is being written, or will be: every frame is analysed as it appears."""
    code = go(
        Wishes(
            master.absolute(), tuple(words or ()), engine, workers, output, as_json, force, quiet, select, images,
            channel, grid, orientation, snaked, start, frame_timeout, frames, timeout_first, timeout,
            profile=profile, settings=tuple(settings or ()), dry_run=dry_run,
        )
    )  # fmt: skip
    raise typer.Exit(code)


def reprocess(
    master: Master,
    words: Words = None,
    engine: Engine = "auto",
    workers: Workers = None,
    output: Output = None,
    as_json: AsJson = False,
    force: Force = False,
    quiet: Quiet = False,
    select: Select = "every",
    images: Images = None,
    channel: Channel = None,
    grid: GridWords = None,
    orientation: Orientation = None,
    snaked: Snaked = None,
    start: Start = None,
    frame_timeout: FrameTimeOut = None,
    profile: Profile = None,
    settings: Settings = None,
    dry_run: DryRun = False,
) -> None:
    """Analyse a finished collection: as watch, but what is not there now is not waited for."""
    code = go(
        Wishes(
            master.absolute(), tuple(words or ()), engine, workers, output, as_json, force, quiet, select, images,
            channel, grid, orientation, snaked, start, frame_timeout, wait=False,
            profile=profile, settings=tuple(settings or ()), dry_run=dry_run,
        )
    )  # fmt: skip
    raise typer.Exit(code)


def go(wishes: Wishes) -> int:
    """Run one collection; returns the exit code. Raises `FilewatcherError`; `Interrupted` for SIGINT and SIGTERM."""
    refuse_folder(wishes.master)
    # before h5py is imported anywhere in this process or its children
    os.environ["HDF5_USE_FILE_LOCKING"] = "FALSE"
    from filewatcher.cli.collect import collect  # noqa: PLC0415  heavy: --help must not wait for it

    if wishes.dry_run:
        from filewatcher.cli.dryrun import dry_run  # noqa: PLC0415

        return dry_run(wishes)

    async def interruptible() -> int:
        task = asyncio.current_task()
        assert task is not None
        with interrupts.cancelling(task):
            return await collect(wishes)

    try:
        with interrupts.kept_from_children():
            return asyncio.run(interruptible())
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise Interrupted("interrupted; what was analysed is kept, and the same command resumes") from None


def refuse_folder(master: Path) -> None:
    """Raise `Refused` for a folder: nobody knows which of its files is meant."""
    if master.is_dir():
        raise Refused(f"{master} is a folder: give the master file in it")
