"""Builds the real edges around the loop, runs one collection, writes what it found."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import PurePath
from typing import TYPE_CHECKING

from filewatcher.cli import folders
from filewatcher.cli.capacity import CapacityKeeper
from filewatcher.cli.effort import effort_sentence, effort_times
from filewatcher.cli.gridding import checked_words, choose_gridinfo
from filewatcher.cli.listeners import JsonLines, Listeners, Stopwatch, Words
from filewatcher.cli.notifying import Notifier
from filewatcher.cli.profiles import chosen
from filewatcher.cli.told import told_2d
from filewatcher.config import on_this_machine, read_settings
from filewatcher.core.batching import Limits
from filewatcher.core.centring import Centring, Centring3D
from filewatcher.core.collection import Collection
from filewatcher.core.lines import summary_line
from filewatcher.core.messages import State
from filewatcher.core.report import ScanReport
from filewatcher.core.run import Order
from filewatcher.core.scanwatch import ScanWatch, TimeOuts
from filewatcher.core.selection import Selection
from filewatcher.core.verification import verification
from filewatcher.daemon import CollectionLoop
from filewatcher.edges.cluster import open_cluster
from filewatcher.edges.dask_pool import DaskPool
from filewatcher.edges.journal import Journal
from filewatcher.edges.output import write_all
from filewatcher.edges.swmr import Budget, SwmrObserver
from filewatcher.errors import Refused
from filewatcher.ports import Opened
from spotfinding.engines import engine_version, resolve
from spotfinding.installed import installed_dials
from spotfinding.parameters import ParameterError, Parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from filewatcher.cli.wishes import Wishes
    from filewatcher.core.gridinfo import GridInfo
    from filewatcher.core.observations import Described
    from filewatcher.core.run import Finished, FinishedScan, Run
    from filewatcher.core.verification import Verification
    from filewatcher.ports import Cluster, Listener
    from filewatcher.profiles import Profile

INCOMPLETE = 3
"""Exit code of a collection with failed or missing frames, or one on which DIALS disagrees."""

PACKAGES = ("filewatcher", "numpy", "h5py", "hdf5plugin", "dectris-compression", "distributed")
"""Those whose versions go into the results, beside the engine's."""


async def collect(wishes: Wishes) -> int:
    """Watch or reprocess one collection; returns the exit code."""
    order, engine_reason = order_of(wishes)
    profile = chosen(wishes).profile
    limits = limits_of(profile)
    words, stopwatch = Words(quiet=wishes.quiet), Stopwatch()
    cluster = cluster_of(profile, words.say)
    pool = DaskPool(cluster, limits, profile.limits.frame_timeout, say=words.say)
    started = time.monotonic()
    scans = Collection(
        [
            ScanWatch(
                scan,
                selection=order.selection,
                timeouts=TimeOuts(wishes.timeout_first, wishes.timeout),
                wait=wishes.wait,
                frames=wishes.frames,
                now=started,
            )
            for scan in range(len(wishes.masters))
        ]
    )
    budget = Budget(wishes.watch_share or read_settings().filewatcher_watch_share)
    observer = SwmrObserver(
        *wishes.masters,
        wait=wishes.wait,
        channel=wishes.channel,
        frames=wishes.frames,
        seen=scans.rows_seen,
        budget=budget,
    )
    notifier = Notifier(wishes, order.engine)
    told: list[Listener] = [stopwatch, words, notifier, CapacityKeeper(cluster, pool, words.say, time.monotonic)]
    if wishes.as_json:
        told.append(JsonLines(order.engine))
    desk = Desk(wishes, words, notifier, engine_reason)
    loop = CollectionLoop(order, scans, observer, pool, desk.open, Listeners(*told), time.monotonic, limits)
    if wishes.engine == "auto" and order.engine == "dials":
        words.say(f"warning: the slower engine dials will be used ({engine_reason})")
    absent = [master for master in wishes.masters if not master.exists()]
    words.start(f"waiting for {absent[0]}" if absent else f"reading {' and '.join(map(str, wishes.masters))}")
    async with AsyncExitStack() as house:
        house.push_async_callback(pool.close)
        house.push_async_callback(observer.close)
        house.push_async_callback(notifier.close, words)
        house.callback(words.stop)
        finished = await loop.run()
        words.stop()
        took = effort_times(observer.effort, budget) if wishes.wait else {}
        code = desk.file(finished, stopwatch.times | took)
        if wishes.wait:
            words.say(effort_sentence(observer.effort, budget))
        return code


def order_of(wishes: Wishes) -> tuple[Order, str]:
    """Check all that can be checked before anything is started; returns also why this engine."""
    selection = Selection.parse(wishes.select, wishes.images)
    checked_words(wishes)
    try:
        resolved = resolve(wishes.engine, Parameters.parse(wishes.words))
        if wishes.verify is not None and resolved.engine == "dials":
            raise Refused(f"--verify compares with DIALS, and DIALS is the engine ({resolved.reason}): leave it out")
        if wishes.verify is not None:
            installed_dials()  # or say what is missing
    except ParameterError as error:
        raise Refused(str(error)) from error
    parameters = resolved.parameters.as_json()
    masters = tuple(map(str, wishes.masters))
    order = Order(masters, selection, parameters, resolved.engine, wishes.channel, wishes.verify or 0)
    return order, resolved.reason


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

    def __init__(self, wishes: Wishes, words: Words, notifier: Notifier, engine_reason: str) -> None:
        self._wishes, self._words, self._notifier = wishes, words, notifier
        self._engine_reason = engine_reason
        self._started = datetime.now(UTC)
        self._grids: tuple[GridInfo | None, ...] = ()
        self._warnings: tuple[str, ...] = ()
        self._folder: Path | None = None
        self._journal_key = ""

    def open(self, run: Run, described: Sequence[Described]) -> Opened:
        """Decide grids, state and output before the first frame is analysed. Raises `Refused`."""
        for scan in described:
            frames = len(scan.frame_map)
            if not scan.frame_map.open_ended and not len(run.selection.frames(frames)):
                asked = self._wishes.images or self._wishes.select
                raise Refused(f"images {asked}: {scan.master.path} has images 1 to {frames}")
        chosen = [choose_gridinfo(self._wishes, scan) for scan in described]
        self._grids = tuple(grid for grid, _ in chosen)
        self._warnings = tuple(warning for _, warnings in chosen for warning in warnings)
        for warning in self._warnings:
            self._words.say(f"warning: {warning}")
        state = read_settings().state_dir
        raw = [master.path for master in run.masters]
        raw += [file.path for scan in described for file in scan.frame_map.files]
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
        return Opened(journal, self._grids)

    def _claim(self, journal: Journal, run: Run) -> None:
        self._folder = folders.choose(
            journal.key,
            self._wishes.output,
            folders.default_folder(self._wishes.master),
            earlier=journal.output(),
            force=self._wishes.force,
        )
        masters = [master.path for master in run.masters]
        about = {"masters": masters, "engine": run.engine, "parameters": dict(run.parameters)}
        folders.claim(self._folder, journal.key, about)
        journal.set_output(self._folder.absolute())
        self._journal_key = journal.key

    def file(self, finished: Finished, times: dict[str, float]) -> int:
        """Write results, picture and summary; returns the exit code."""
        assert self._folder is not None
        reports = [self._report(finished, scan, times) for scan in finished.scans]
        pairs = [a.centring for a in finished.answers if isinstance(a.centring, Centring3D)]
        write_all(self._folder, *reports, pair=pairs[-1] if pairs else None)
        summaries = [summary_line(report) for report in reports]
        self._notifier.summaries(summaries)
        if self._wishes.as_json:
            JsonLines.write(*summaries)
        for warning in finished.warnings:
            self._words.say(f"warning: {warning}")
        for report, scan in zip(reports, finished.scans, strict=True):
            self._say(report, scan)
        self._words.say(f"results in {self._folder.absolute()}")
        whole = all(report.count(State.DONE) == report.expected for report in reports)
        agreed = not any(report.verification is not None and report.verification.disagreeing for report in reports)
        return 0 if whole and agreed else INCOMPLETE

    def _report(self, finished: Finished, scan: FinishedScan, times: dict[str, float]) -> ScanReport:
        results, chosen, number = scan.results, scan.selected, scan.described.scan
        info = self._grids[number]
        centres = [a.centring for a in finished.answers if a.scan == number and isinstance(a.centring, Centring)]
        place = {int(frame): i for i, frame in enumerate(chosen)}
        return ScanReport(
            collection=self._journal_key,
            scan=number,
            master=finished.run.masters[number],
            expected=scan.ended.expected,
            frames=chosen,
            states=results.states[chosen],
            values={name: values[chosen] for name, values in results.values.items()},
            errors={place[frame]: error for frame, error in results.errors.items() if frame in place},
            attempts=results.attempts[chosen],
            engine=finished.run.engine,
            grid=None if info is None else info.grid,
            snapshot=None if info is None else info.snapshot,
            angles=_angles(scan),
            parameters=finished.run.parameters,
            versions={name: version(name) for name in PACKAGES} | {"engine": engine_version(finished.run.engine)},
            times={"started": self._started.isoformat(), "ended": datetime.now(UTC).isoformat(), **times},
            warnings=self._warnings + finished.warnings,
            engine_reason=self._engine_reason,
            verification=verification(self._wishes.verify, results.verified),
            centring=centres[-1] if centres else None,
        )

    def _say(self, report: ScanReport, scan: FinishedScan) -> None:
        counts = ", ".join(
            f"{report.count(state)} {word}"
            for state, word in ((State.DONE, "analysed"), (State.FAILED, "failed"), (State.MISSING, "missing"))
        )
        why = "" if scan.ended.reason == "complete" else f" ({scan.ended.reason})"
        which = f"{PurePath(report.master.path).name}: " if len(self._grids) > 1 else ""
        self._words.say(f"{which}{report.expected} frames: {counts}{why}")
        for reason, frames in _reasons(report).items():
            self._words.say(f"  {_images(frames)}: {reason}")
        if report.verification is not None:
            self._words.say(_verdict(report.verification))
        if (best := report.best("n_spots_total")) is not None and report.values["n_spots_total"][best] > 0:
            frame, spots = int(report.frames[best]), int(report.values["n_spots_total"][best])
            where = ""
            if report.grid is not None:
                row, column = report.grid.cell(frame)
                where = f", row {row + 1} of {report.grid.rows}, column {column + 1} of {report.grid.columns}"
            self._words.say(f"most spots: {spots} on image {frame + 1}{where}")
        if report.centring is not None:
            self._words.say(" ".join(next(told_2d(report.centring)).split()))


def _angles(scan: FinishedScan) -> NDArray[np.float64] | None:
    """Degrees of the frames selected; None also where frames came that the master says no angle of."""
    angles = scan.described.angles
    if angles is None or (len(scan.selected) and scan.selected[-1] >= len(angles)):
        return None
    return angles[scan.selected]


def _verdict(found: Verification) -> str:
    """Say in a line how the engine compares with DIALS."""
    if not found.disagreeing:
        return f"verified: DIALS says the same of {found.frames} frame{'s' * (found.frames != 1)}"
    frame, first = found.listed[0]
    return (
        f"DIALS DISAGREES on {found.disagreeing} of {found.frames} frames that it analysed too, first on image "
        f"{frame + 1}: {first.number} is {first.ours}, by DIALS {first.dials}; all are in the summary"
    )


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
