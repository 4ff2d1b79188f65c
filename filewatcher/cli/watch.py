"""``watch`` and ``reprocess``: one collection through the daemon's loop, live or finished."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from filewatcher.cli.collecting import interrupts
from filewatcher.cli.collecting.placing import place, refuse_no_file
from filewatcher.cli.collecting.wishes import Wishes
from filewatcher.errors import Interrupted, Refused

# not readable yet is waited for, and said, like everything else that is not yet
Master = Annotated[
    Path | None,
    typer.Argument(
        metavar="MASTER",
        readable=False,
        help="NeXus or DECTRIS master file; it need not exist yet for watch.",
        show_default="where ISPyB says that --dcid is",
    ),
]
Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MASTER|KEY=VALUE|FILE.phil",
        help="The second master of two grids over the same data files; spot finding parameters: d_max=40 ...",
    ),
]
Engine = Annotated[str, typer.Option(help="What finds the spots: auto, native or dials.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Worker processes.", show_default="one per core")]
Verify = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Let real DIALS analyse every Nth frame too, and compare.", show_default="no"
    ),
]
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
GridInfoFile = Annotated[
    Path | None,
    typer.Option(readable=False, metavar="FILE.json", help="The grid as ISPyB's GridInfo has it; a list for two."),
]
Frames = Annotated[
    int | None, typer.Option(min=1, help="How many frames will come.", show_default="as the master says")
]
TimeOutFirst = Annotated[float, typer.Option("--timeout-first", min=0, help="Seconds to wait for the first frame.")]
TimeOut = Annotated[
    float | None,
    typer.Option("--timeout", min=0, help="Seconds without a new frame.", show_default="10, or 20 exposures"),
]
WatchShare = Annotated[
    float | None,
    typer.Option(min=0.001, max=1, help="Of one core, what watching files may take.", show_default="0.2"),
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
Notify = Annotated[
    list[str] | None,
    typer.Option(
        metavar="URL", help="Who is told: udp://host:port (GDA), http://host:port/path or ispyb:; repeatable."
    ),
]
Dcid = Annotated[str | None, typer.Option(metavar="N[,N]", help="Data collection id of each scan, in ISPyB.")]


def watch(
    master: Master = None,
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
    verify: Verify = None,
    frames: Frames = None,
    timeout_first: TimeOutFirst = 3600.0,
    timeout: TimeOut = None,
    watch_share: WatchShare = None,
    notify: Notify = None,
    dcid: Dcid = None,
    gridinfo: GridInfoFile = None,
) -> None:
    """Watch a collection that is being written, or will be: every frame is analysed as it appears."""
    placed = place(master, words or (), dcid, timeout_first, _teller(quiet=quiet))
    code = go(
        Wishes(
            placed.master, placed.parameters, engine, workers, output, as_json, force, quiet, select, images, channel,
            grid, orientation, snaked, start, frame_timeout, frames, timeout_first, timeout, watch_share, verify=verify,
            others=placed.others, notify=tuple(notify or ()), dcid=placed.dcid, gridinfo=gridinfo,
            gridinfos=placed.gridinfos, profile=profile, settings=tuple(settings or ()), dry_run=dry_run,
        )
    )  # fmt: skip
    raise typer.Exit(code)


def reprocess(
    master: Master = None,
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
    verify: Verify = None,
    notify: Notify = None,
    dcid: Dcid = None,
    gridinfo: GridInfoFile = None,
) -> None:
    """Analyse a finished collection: as watch, but what is not there now is not waited for."""
    placed = place(master, words or (), dcid, 0.0, _teller(quiet=quiet))
    code = go(
        Wishes(
            placed.master, placed.parameters, engine, workers, output, as_json, force, quiet, select, images, channel,
            grid, orientation, snaked, start, frame_timeout, wait=False, verify=verify,
            others=placed.others, notify=tuple(notify or ()), dcid=placed.dcid, gridinfo=gridinfo,
            gridinfos=placed.gridinfos, profile=profile, settings=tuple(settings or ()), dry_run=dry_run,
        )
    )  # fmt: skip
    raise typer.Exit(code)


def _teller(*, quiet: bool) -> Callable[[str], None]:
    return lambda sentence: None if quiet else typer.echo(sentence, err=True)


def go(wishes: Wishes) -> int:
    """Run one collection; returns the exit code. Raises `FilewatcherError`; `Interrupted` for SIGINT and SIGTERM."""
    for master in wishes.masters:
        refuse_no_file(master)
    if len({master.resolve() for master in wishes.masters}) < len(wishes.masters):
        raise Refused(f"{wishes.master} is given twice: give the masters of different scans")
    if wishes.others and wishes.frames is not None:
        raise Refused(f"--frames {wishes.frames} is for one master: leave it out for {len(wishes.masters)} of them")
    # before h5py is imported anywhere in this process or its children
    os.environ["HDF5_USE_FILE_LOCKING"] = "FALSE"
    from filewatcher.cli.collecting.collect import collect  # noqa: PLC0415  heavy: --help must not wait for it

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
            return uvloop.run(interruptible())
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise Interrupted("interrupted; what was analysed is kept, and the same command resumes") from None
