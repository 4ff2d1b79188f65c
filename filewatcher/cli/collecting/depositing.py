"""``--notify ispyb:``: what is told of a run to the process that writes it into ISPyB."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from filewatcher.cli.collecting.placing import ISPYB, ispyb_credentials
from filewatcher.config import read_settings
from filewatcher.core.answers import METRIC
from filewatcher.core.centring import centre
from filewatcher.core.messages import State
from filewatcher.core.picture import picture_of
from filewatcher.edges.ispyb import Brief, Ending, IspybOffice, ScanEnding, flat_centring, solid_centring
from filewatcher.errors import FilewatcherError, Interrupted, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    from filewatcher.core.centring import Centring3D
    from filewatcher.core.observations import Described
    from filewatcher.core.report import ScanReport
    from filewatcher.edges.ispyb import FileType
    from filewatcher.ports import Opened

FILES: tuple[tuple[FileType, str], ...] = (
    ("Graph", "heatmap{}.png"),
    ("Graph", "spots{}.png"),
    ("Result", "results.h5"),
    ("Result", "Dials5AResults{}.json"),
    ("Log", "summary{}.json"),
)
"""What SynchWeb may show, the most important first; ``{}`` = ``_scan_1`` of a second scan."""


def open_office(notify: Sequence[str], say: Callable[[str], None]) -> IspybOffice | None:
    """Start what writes into ISPyB, if ``--notify`` asks for it. Raises `Refused`."""
    if ISPYB not in notify:
        return None
    ispyb_credentials()
    settings = read_settings()
    assert settings.ispyb_credentials is not None
    patience = settings.filewatcher_ispyb_patience
    command = [sys.executable, "-c", "from filewatcher.cli.collecting.clerk import main; main()"]
    return IspybOffice(command, settings.ispyb_credentials, settings.state_dir, say, patience)


class Depositor:
    """Tells the office of one run.

    As a context it tells of an end by an error; one that only interrupts the run is none.
    """

    def __init__(self, office: IspybOffice, dcids: tuple[int, ...]) -> None:
        self._office, self._dcids = office, dcids
        self._run = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._run and isinstance(error, FilewatcherError) and not isinstance(error, Interrupted | Unreachable):
            scan = ScanEnding(success=False, message=str(error), ended=_now())
            self._office.end(self._run, Ending((scan,) * len(self._dcids)))

    def begin(self, opened: Opened, described: Sequence[Described], journal: Path, output: Path) -> None:
        """Tell that it begins; `journal`: its folder, `output`: that of its results."""
        self._run = opened.journal.key
        most = read_settings().filewatcher_ispyb_rows
        cells = tuple(None if grid is None or len(grid.grid) <= most else len(grid.grid) for grid in opened.grids)
        masters = " ".join(one.master.path for one in described)
        self._office.begin(
            Brief(self._run, str(journal), self._dcids, f"filewatcher {masters}", _now(), str(output), cells)
        )

    def end(self, reports: Sequence[ScanReport], pair: Centring3D | None, output: Path) -> None:
        """Tell how it ended. As in production, a pair has one centring, in three dimensions."""
        centrings = [solid_centring(0, pair)] if pair is not None else []
        if pair is None:
            grids = [report for report in reports if report.grid is not None]
            centrings = [flat_centring(one.scan, centre(picture_of(one, METRIC), "dlstbx")) for one in grids]
        scans = tuple(_ending(report, output) for report in reports)
        self._office.end(self._run, Ending(scans, tuple(centrings)))
        self._run = ""


def _ending(report: ScanReport, output: Path) -> ScanEnding:
    suffix = f"_scan_{report.scan}" if report.scan else ""
    files = [(kind, output / name.format(suffix)) for kind, name in FILES]
    counts = ", ".join(
        f"{report.count(state)} {word}"
        for state, word in ((State.DONE, "analysed"), (State.FAILED, "failed"), (State.MISSING, "missing"))
    )
    there = tuple((kind, str(path)) for kind, path in files if path.exists())
    done = report.count(State.DONE) > 0
    return ScanEnding(done, f"{report.expected} images: {counts}", _now(), there)


def _now() -> str:
    """Local time without its zone: as the database keeps times."""
    return datetime.now(UTC).astimezone().replace(tzinfo=None, microsecond=0).isoformat()
