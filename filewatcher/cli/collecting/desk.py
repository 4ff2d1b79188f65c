"""Opens the journal and the output folder of a run, and files its results."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from filewatcher.cli.collecting import folders
from filewatcher.cli.collecting.ending import ending
from filewatcher.cli.collecting.gridding import choose_gridinfo
from filewatcher.config import read_settings
from filewatcher.core.centring import Centring, Centring3D
from filewatcher.core.lines import summary_line
from filewatcher.core.messages import State
from filewatcher.core.report import ScanReport
from filewatcher.core.verification import verification
from filewatcher.edges.journal import Journal
from filewatcher.edges.output import write_all
from filewatcher.errors import Refused
from filewatcher.ports import Opened
from spotfinding.engines import engine_version

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from filewatcher.cli.collecting.depositing import Depositor
    from filewatcher.cli.collecting.wishes import Wishes
    from filewatcher.core.gridinfo import GridInfo
    from filewatcher.core.lines import Json
    from filewatcher.core.observations import Described
    from filewatcher.core.run import Finished, FinishedScan, Run

PACKAGES = ("filewatcher", "numpy", "h5py", "hdf5plugin", "dectris-compression", "distributed")
"""Those whose versions go into the results, beside the engine's."""


@dataclass(frozen=True, slots=True)
class Filed:
    """What is to be said of a run that has ended."""

    folder: Path
    """Where its results are."""
    summaries: tuple[dict[str, Json], ...]
    """The last line of each scan."""
    sentences: tuple[str, ...]
    """The same for people."""
    complete: bool
    """Every frame was analysed, and DIALS does not disagree."""


class Desk:
    """Opens the journal and the output folder of a run, and files the report at its end."""

    def __init__(
        self, wishes: Wishes, say: Callable[[str], None], engine_reason: str, depositor: Depositor | None = None
    ) -> None:
        self._wishes, self._say, self._depositor = wishes, say, depositor
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
            self._say(f"warning: {warning}")
        state = read_settings().state_dir
        raw = [master.path for master in run.masters]
        raw += [file.path for scan in described for file in scan.frame_map.files]
        folders.refuse_raw(state, raw, "state directory", "set FILEWATCHER_STATE_DIR to another place")
        output = self._wishes.output
        folders.refuse_raw(
            output or folders.default_folder(self._wishes.master, self._wishes.results),
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
        opened = Opened(journal, self._grids)
        if self._depositor is not None and self._folder is not None:
            self._depositor.begin(opened, described, journal.folder, self._folder.absolute())
        return opened

    def _claim(self, journal: Journal, run: Run) -> None:
        self._folder = folders.choose(
            journal.key,
            self._wishes.output,
            folders.default_folder(self._wishes.master, self._wishes.results),
            earlier=journal.output(),
            force=self._wishes.force,
        )
        masters = [master.path for master in run.masters]
        about = {"masters": masters, "engine": run.engine, "parameters": dict(run.parameters)}
        folders.claim(self._folder, journal.key, about)
        journal.set_output(self._folder.absolute())
        self._journal_key = journal.key

    def file(self, finished: Finished, times: dict[str, float]) -> Filed:
        """Write results, picture and summary."""
        assert self._folder is not None
        reports = [self._report(finished, scan, times) for scan in finished.scans]
        pairs = [a.centring for a in finished.answers if isinstance(a.centring, Centring3D)]
        pair = pairs[-1] if pairs else None
        write_all(self._folder, *reports, pair=pair)
        if self._depositor is not None:
            self._depositor.end(reports, pair, self._folder.absolute())
        sentences = [f"warning: {warning}" for warning in finished.warnings]
        for report, scan in zip(reports, finished.scans, strict=True):
            sentences += ending(report, scan.ended.reason, alone=len(reports) == 1)
        sentences.append(f"results in {self._folder.absolute()}")
        whole = all(report.count(State.DONE) == report.expected for report in reports)
        agreed = not any(report.verification is not None and report.verification.disagreeing for report in reports)
        summaries = tuple(summary_line(report) for report in reports)
        return Filed(self._folder.absolute(), summaries, tuple(sentences), whole and agreed)

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


def _angles(scan: FinishedScan) -> NDArray[np.float64] | None:
    """Degrees of the frames selected; None also where frames came that the master says no angle of."""
    angles = scan.described.angles
    if angles is None or (len(scan.selected) and scan.selected[-1] >= len(angles)):
        return None
    return angles[scan.selected]
