"""``demo``: the main job on this machine; a simulated detector writes, the daemon watches, a page shows it live."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from filewatcher.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from filewatcher.edges.client import Daemon

Directory = Annotated[Path, typer.Option("--directory", help="Where raw data and results go.")]
Cells = Annotated[str, typer.Option("--grid", metavar="COLSxROWS", help="Shape of the grid scan.")]
Rate = Annotated[float, typer.Option(help="Frames per second of the simulated detector.")]
Model = Annotated[str, typer.Option("--detector", help="eiger2-16m, eiger2-4m or eiger2-1m.")]
Stay = Annotated[
    bool | None,
    typer.Option("--stay/--leave", help="Keep the page until Ctrl-C.", show_default="stay on a terminal"),
]

WORDS = {"done": "analysed", "failed": "failed", "missing": "missing"}
LOOK = 30.0
"""Seconds that one question to the daemon may wait."""


def demo(
    directory: Directory = Path("demo"),
    grid: Cells = "20x12",
    rate: Rate = 10.0,
    detector: Model = "eiger2-1m",
    stay: Stay = None,
) -> None:
    """Run a simulated grid scan and watch it live in a page: raw data in demo/raw, the heat map in demo/results."""
    from filewatcher.core.grid import parse  # noqa: PLC0415  heavy: --help must not wait for it
    from filewatcher.testing.detector import Simulation, run, write_master  # noqa: PLC0415

    cells = parse(grid, snaked=True)
    raw = directory.absolute() / "raw"
    shape = (cells.columns, cells.rows)
    sim = Simulation(raw, detector=detector, grid=shape, rate=rate, frames_per_file=60, overwrite=True)
    _say(f"a simulated {detector} scans a grid of {cells} at {rate:g} Hz into {raw}")
    # what an earlier demo left is removed now: it would be taken for the collection that is about to begin
    master = write_master(sim)
    stop = threading.Event()
    with _serving(directory.absolute()) as (url, daemon), ThreadPoolExecutor(1) as beamline:
        asked = daemon.ask({"masters": [str(master)]})
        _say(f"watch it live: {url}/#/c/{asked['id']}")
        detecting = beamline.submit(run, sim, None, stop)
        try:
            ended = _ended(daemon, asked["id"])
        finally:
            stop.set()
        written = detecting.result()
        _say(f"the simulated detector wrote {written.frames} frames at {written.rate:.1f} Hz")
        (scan,) = ended["scans"]
        counts = ", ".join(f"{scan[what]} {word}" for what, word in WORDS.items())
        _say(f"{scan['frames']} frames: {counts}; look at {Path(ended['results']) / 'heatmap.png'}")
        if sys.stdout.isatty() if stay is None else stay:
            _say("the page stays until Ctrl-C")
            with suppress(KeyboardInterrupt):
                signal.pause()
    raise typer.Exit(0 if scan["done"] == scan["frames"] else 3)


@contextmanager
def _serving(folder: Path) -> Iterator[tuple[str, Daemon]]:
    """Run ``filewatcher serve`` with its results in `folder`; yields its address, and the way to it."""
    from filewatcher.edges.client import Daemon  # noqa: PLC0415  heavy: as above

    command = [sys.executable, "-m", "filewatcher", "serve", "--port", "0"]
    command += ["--root", str(folder / "raw"), "--results", str(folder / "results")]
    # a group of its own: Ctrl-C is for us, who end it in good order
    with (
        TemporaryDirectory(prefix="filewatcher-demo-") as state,
        subprocess.Popen(
            command,
            env={**os.environ, "FILEWATCHER_STATE_DIR": state},
            stderr=subprocess.PIPE,
            process_group=0,
        ) as daemon,
    ):
        assert daemon.stderr is not None
        told = threading.Thread(target=_pass_on, args=(daemon.stderr,))
        try:
            url = _address(daemon.stderr)
            told.start()
            yield url, Daemon(url)
        finally:
            daemon.terminate()
            if told.ident is not None:
                told.join()


def _address(said: Iterable[bytes]) -> str:
    """Read what the daemon says until it serves."""
    for line in said:
        if url := _note(line).get("url"):
            return str(url)
    raise Unreachable("the daemon ended before it served")


def _pass_on(said: Iterable[bytes]) -> None:
    for line in said:
        _note(line)


def _note(line: bytes) -> dict[str, Any]:
    """Pass on what is more than a piece of news."""
    try:
        said: dict[str, Any] = json.loads(line)
    except ValueError:
        sys.stderr.buffer.write(line)
        return {}
    if said.get("level") not in {"info", "debug"}:
        _say(str(said.get("message", line.decode())))
    return said


def _ended(daemon: Daemon, collection: str) -> dict[str, Any]:
    """Wait for the end of a collection."""
    while not (found := daemon.get(collection, wait=LOOK))["ended"]:
        pass
    return found


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)
