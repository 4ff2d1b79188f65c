"""Builds the real edges around the loop, runs one collection, writes what it found."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from filewatcher.cli import folders
from filewatcher.cli.capacity import CapacityKeeper
from filewatcher.cli.gridding import checked_words, choose_grid
from filewatcher.cli.listeners import JsonLines, Listeners, Stopwatch, Words
from filewatcher.cli.profiles import chosen
from filewatcher.config import on_this_machine, read_settings
from filewatcher.core.batching import Limits
from filewatcher.core.lines import summary_line
from filewatcher.core.messages import State
from filewatcher.core.report import ScanReport
from filewatcher.core.run import Order
from filewatcher.core.scanwatch import ScanWatch, TimeOuts
from filewatcher.core.selection import Selection
from filewatcher.daemon import CollectionLoop
from filewatcher.edges.cluster import open_cluster
from filewatcher.edges.dask_pool import DaskPool
from filewatcher.edges.journal import Journal
from filewatcher.edges.output import write_all
from filewatcher.edges.swmr import SwmrObserver
from filewatcher.errors import Refused
from spotfinding.analysis import engine_version, resolve_engine
from spotfinding.parameters import ParameterError, Parameters, resolve_parameters

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from filewatcher.cli.wishes import Wishes
    from filewatcher.core.grid import Grid
    from filewatcher.core.observations import Described
    from filewatcher.core.run import Finished, Run
    from filewatcher.ports import Cluster
    from filewatcher.profiles import Profile

INCOMPLETE = 3
"""Exit code of a collection with failed or missing frames."""

PACKAGES = ("filewatcher", "numpy", "h5py", "hdf5plugin", "dectris-compression", "distributed")
"""Those whose versions go into the results, beside the engine's."""


async def collect(wishes: Wishes) -> int:
    """Watch or reprocess one collection; returns the exit code."""
    order = order_of(wishes)
    profile = chosen(wishes).profile
    limits = limits_of(profile)
    words, stopwatch = Words(quiet=wishes.quiet), Stopwatch()
    cluster = cluster_of(profile, words.say)
    pool = DaskPool(cluster, limits, profile.limits.frame_timeout, say=words.say)
    started = time.monotonic()
    watch = ScanWatch(
        selection=order.selection,
        timeouts=TimeOuts(wishes.timeout_first, wishes.timeout),
        wait=wishes.wait,
        frames=wishes.frames,
        now=started,
    )
    observer = SwmrObserver(
        wishes.master, wait=wishes.wait, channel=wishes.channel, frames=wishes.frames, seen=watch.rows_seen
    )
    keeper = CapacityKeeper(cluster, pool, words.say, time.monotonic)
    told = Listeners(stopwatch, words, keeper, *([JsonLines(order.engine)] if wishes.as_json else []))
    desk = Desk(wishes, words)
    loop = CollectionLoop(order, watch, observer, pool, desk.open, told, time.monotonic, limits)
    there = wishes.master.exists()
    words.start(f"reading {wishes.master}" if there else f"waiting for {wishes.master}")
    async with AsyncExitStack() as house:
        house.push_async_callback(pool.close)
        house.push_async_callback(observer.close)
        house.callback(words.stop)
        finished = await loop.run()
    return desk.file(finished, stopwatch.times)


def order_of(wishes: Wishes) -> Order:
    """Check all that can be checked before anything is started."""
    selection = Selection.parse(wishes.select, wishes.images)
    checked_words(wishes)
    try:
        engine = resolve_engine(wishes.engine)
        parameters = resolve_parameters(Parameters.parse(wishes.words), engine).as_json()
    except ParameterError as error:
        raise Refused(str(error)) from error
    return Order(str(wishes.master), selection, parameters, engine, wishes.channel)


def limits_of(profile: Profile) -> Limits:
    """Return what the loop has to know of a profile."""
    given = profile.limits
    return Limits(given.frames_per_task_max, given.in_flight_per_worker, given.retries)


def cluster_of(profile: Profile, say: Callable[[str], None]) -> Cluster:
    """Make the cluster of a profile; nothing is started yet. Raises `Refused`."""
    directory = profile.workers.local_directory if profile.kind == "local" else None
    return open_cluster(profile, say, None if directory is None else on_this_machine(directory))


class Desk:
    """Opens the journal and the output folder of a run, and files the report at its end."""

    def __init__(self, wishes: Wishes, words: Words) -> None:
        self._wishes, self._words = wishes, words
        self._started = datetime.now(UTC)
        self._grid: Grid | None = None
        self._warnings: tuple[str, ...] = ()
        self._folder: Path | None = None
        self._journal_key = ""

    def open(self, run: Run, described: Described) -> Journal:
        """Decide grid, state and output before the first frame is analysed. Raises `Refused`."""
        frames = len(described.frame_map)
        if not described.frame_map.open_ended and not len(run.selection.frames(frames)):
            asked = self._wishes.images or self._wishes.select
            raise Refused(f"images {asked}: {described.master.path} has images 1 to {frames}")
        self._grid, self._warnings = choose_grid(self._wishes, described)
        for warning in self._warnings:
            self._words.say(f"warning: {warning}")
        state = read_settings().state_dir
        raw = [run.masters[0].path, *(file.path for file in described.frame_map.files)]
        folders.refuse_raw(state, raw, "state directory", "set FILEWATCHER_STATE_DIR to another place")
        output = self._wishes.output
        folders.refuse_raw(
            output or folders.default_folder(self._wishes.master),
            raw,
            "output",
            "give a folder elsewhere with --output",
        )
        journal = Journal.open(state, run, force=self._wishes.force)
        try:
            self._claim(journal, run)
        except BaseException:
            journal.close()
            raise
        return journal

    def _claim(self, journal: Journal, run: Run) -> None:
        self._folder = folders.choose(
            journal.key,
            self._wishes.output,
            folders.default_folder(self._wishes.master),
            earlier=journal.output(),
            force=self._wishes.force,
        )
        about = {"master": run.masters[0].path, "engine": run.engine, "parameters": dict(run.parameters)}
        folders.claim(self._folder, journal.key, about)
        journal.set_output(self._folder.absolute())
        self._journal_key = journal.key

    def file(self, finished: Finished, times: dict[str, float]) -> int:
        """Write results, picture and summary; returns the exit code."""
        assert self._folder is not None
        report = self._report(finished, times)
        write_all(self._folder, report)
        if self._wishes.as_json:
            JsonLines.write(summary_line(report))
        self._say(report, finished)
        return 0 if report.count(State.DONE) == report.expected else INCOMPLETE

    def _report(self, finished: Finished, times: dict[str, float]) -> ScanReport:
        results, chosen = finished.results, finished.selected
        place = {int(frame): i for i, frame in enumerate(chosen)}
        return ScanReport(
            collection=self._journal_key,
            scan=0,
            master=finished.run.masters[0],
            expected=finished.ended.expected,
            frames=chosen,
            states=results.states[chosen],
            values={name: values[chosen] for name, values in results.values.items()},
            errors={place[frame]: error for frame, error in results.errors.items() if frame in place},
            attempts=results.attempts[chosen],
            engine=finished.run.engine,
            grid=self._grid,
            parameters=finished.run.parameters,
            versions={name: version(name) for name in PACKAGES} | {"engine": engine_version(finished.run.engine)},
            times={"started": self._started.isoformat(), "ended": datetime.now(UTC).isoformat(), **times},
            warnings=self._warnings + finished.warnings,
        )

    def _say(self, report: ScanReport, finished: Finished) -> None:
        assert self._folder is not None
        for warning in finished.warnings:
            self._words.say(f"warning: {warning}")
        counts = ", ".join(
            f"{report.count(state)} {word}"
            for state, word in ((State.DONE, "analysed"), (State.FAILED, "failed"), (State.MISSING, "missing"))
        )
        why = "" if finished.ended.reason == "complete" else f" ({finished.ended.reason})"
        self._words.say(f"{report.expected} frames: {counts}{why}")
        for reason, frames in _reasons(report).items():
            self._words.say(f"  {_images(frames)}: {reason}")
        if (best := report.best("n_spots_total")) is not None and report.values["n_spots_total"][best] > 0:
            frame, spots = int(report.frames[best]), int(report.values["n_spots_total"][best])
            where = ""
            if self._grid is not None:
                row, column = self._grid.cell(frame)
                where = f", row {row + 1} of {self._grid.rows}, column {column + 1} of {self._grid.columns}"
            self._words.say(f"most spots: {spots} on image {frame + 1}{where}")
        self._words.say(f"results in {self._folder.absolute()}")


def _reasons(report: ScanReport) -> dict[str, list[int]]:
    reasons: dict[str, list[int]] = {}
    for place, reason in report.errors.items():
        reasons.setdefault(reason, []).append(int(report.frames[place]) + 1)
    return reasons


def _images(images: list[int]) -> str:
    """Name images, counted from 1: the first few are enough for a person.

    >>> _images([7]), _images([3, 4, 5, 6]), _images([1, 3, 5, 7, 9, 11])
    ('image 7', 'images 3-6', 'images 1, 3, 5, 7 and 2 more')
    """
    if len(images) == 1:
        return f"image {images[0]}"
    if images[-1] - images[0] == len(images) - 1:
        return f"images {images[0]}-{images[-1]}"
    more = f" and {len(images) - 4} more" if len(images) > 4 else ""
    return f"images {', '.join(map(str, images[:4]))}{more}"
