"""How fast image rows reach ISPyB from the journal, and what that costs whoever collects the frames.

A real MariaDB on this machine shares its cores with us, which no beamline's does. Not called ``ispyb``: the package is.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import ispyb.sqlalchemy as models
from figures import machine, spread, target
from page import conclude, options

from filewatcher.core.messages import FrameResult, Recorded, Statistics
from filewatcher.core.observations import MasterFile
from filewatcher.core.run import Run
from filewatcher.core.selection import Selection
from filewatcher.edges.ispyb import Brief, Ending, IspybOffice, ScanEnding
from filewatcher.edges.journal import Journal
from filewatcher.testing.mariadb import PrivateMariaDB

CLERK = [sys.executable, "-c", "from filewatcher.cli.collecting.clerk import main; main()"]
USER, PASSWORD = "filewatcher", "filewatcher"
TABLES = (
    models.DataCollection,
    models.ImageQualityIndicators,
    models.ProcessingJob,
    models.AutoProcProgram,
    models.AutoProcProgramAttachment,
)
A_COLLECTION = "set foreign_key_checks = 0; insert into DataCollection (dataCollectionGroupId) values (1)"
"""There are no groups here."""
RATE, TOGETHER = 5000.0, 50
"""Frames/s of the live case, and how many are recorded at once."""
LOOK = 0.01
"""Seconds between two looks at how far it has come."""
DEAREST = 1.1
"""CPU per frame of the collecting process, with the rows being written / without."""
LATEST = 2.0
"""Seconds from the last frame on record to the last row, live."""


def frames(first: int, count: int) -> list[Recorded]:
    """Make outcomes as the native engine has them."""
    numbers = Statistics(405, 380, 354, 22808.0, 1.8, 1.75, 1.7, 0.1, 0.2, 5548)
    return [
        Recorded(FrameResult(0, frame, numbers, "native"), f"/data/grid_{frame // 1000}.h5:{8_000_000 * frame}+7999999")
        for frame in range(first, first + count)
    ]


class Bench:
    """A server, a state directory, and one run after the other."""

    def __init__(self, folder: Path, server: PrivateMariaDB) -> None:
        self._folder, self._server, self._runs = folder, server, 0
        server.create([model.__table__ for model in TABLES])
        server.add_user(USER, PASSWORD, "grant all on ispyb.* to 'filewatcher'@'%'")
        self._credentials = server.write_credentials(folder / "ispyb.cfg", USER, PASSWORD)

    def journal(self) -> Journal:
        """Open that of a new run."""
        self._runs += 1
        self._server.execute(A_COLLECTION, "ispyb")
        master = MasterFile(f"/data/{self._runs}.nxs", 1, self._runs, 1, 1)
        return Journal.open(self._folder / "state", Run((master,), Selection(), {}, "native"))

    def begin(self, journal: Journal) -> IspybOffice:
        """Have a run written."""
        office = IspybOffice(CLERK, self._credentials, self._folder / "state", print, 120.0)
        now = "2026-01-01T00:00:00"
        office.begin(Brief(journal.key, str(journal.folder), (self._runs,), "bench", now, str(self._folder)))
        return office

    def end(self, journal: Journal, office: IspybOffice, rows: int) -> None:
        """Let it end; every row must be there."""
        office.end(journal.key, Ending((ScanEnding(success=True, message="bench", ended="2026-01-01T00:00:01"),)))
        asyncio.run(office.close())
        journal.close()
        query = f"select count(*) from ImageQualityIndicators where dataCollectionId = {self._runs}"  # noqa: S608
        there = int(self._server.execute(query, "ispyb"))
        if there != rows:
            raise SystemExit(f"{there} rows of {rows} are there")

    @staticmethod
    def until(journal: Journal, sequence: int) -> float:
        """Wait until a record has been delivered; returns the time."""
        path = journal.folder / "ispyb.sqlite3"
        while True:
            if path.exists():
                with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
                    try:
                        row = db.execute("select sequence from delivery").fetchone()
                    except sqlite3.OperationalError:  # the table is being made
                        row = None
                if row is not None and row[0] >= sequence:
                    return time.monotonic()
            time.sleep(LOOK)


def catch_up(bench: Bench, rows: int) -> dict[str, Any]:
    """Everything is on record, as after an hour without a database."""
    journal = bench.journal()
    asyncio.run(journal.add(frames(0, rows)))
    office = bench.begin(journal)
    first = bench.until(journal, 1)
    last = bench.until(journal, rows)
    bench.end(journal, office, rows)
    return {"rows": rows, "seconds": last - first, "rows-per-s": (rows - 1000) / (last - first)}


def live(bench: Bench, seconds: float, *, writing: bool) -> dict[str, Any]:
    """Frames are recorded at `RATE`, with rows being written or not."""
    journal = bench.journal()
    office = bench.begin(journal) if writing else None
    count = int(RATE * seconds / TOGETHER)
    batches = [frames(TOGETHER * number, TOGETHER) for number in range(count)]
    asyncio.run(journal.add(batches[0]))
    if office is not None:
        bench.until(journal, 1)
    took, cpu = asyncio.run(_record(journal, batches[1:]))
    recorded = time.monotonic()
    figures: dict[str, Any] = {"frames": TOGETHER * count, "cpu-us": 1e6 * cpu / (TOGETHER * count), **took}
    if office is not None:
        figures["lag-s"] = bench.until(journal, TOGETHER * count) - recorded
        bench.end(journal, office, TOGETHER * count)
    else:
        journal.close()
    return figures


async def _record(journal: Journal, batches: list[list[Recorded]]) -> tuple[dict[str, float], float]:
    took, begun, cpu = [], time.monotonic(), time.process_time()
    for number, batch in enumerate(batches):
        await asyncio.sleep(max(0.0, begun + number * TOGETHER / RATE - time.monotonic()))
        start = time.perf_counter()
        await journal.add(batch)
        took.append(time.perf_counter() - start)
    return {f"record-ms-{name}": value for name, value in spread(took, 1e3).items()}, time.process_time() - cpu


def main() -> int:
    """Measure, print; returns the exit code."""
    wanted = options(__doc__, quick="a tenth of everything").parse_args()
    rows, seconds = (10_000, 2.0) if wanted.quick else (100_000, 10.0)
    with tempfile.TemporaryDirectory(prefix="filewatcher-bench-") as name:
        folder = Path(name)
        with PrivateMariaDB(folder / "server") as server:
            bench = Bench(folder, server)
            behind = catch_up(bench, rows)
            alone, beside = (live(bench, seconds, writing=writing) for writing in (False, True))
        result: dict[str, Any] = {"machine": machine(folder), "quick": wanted.quick}
    result |= {"catch-up": behind, "live": {"alone": alone, "beside": beside}}
    result["targets"] = [
        target("catching up", "rows per s", behind["rows-per-s"], RATE, at_least=True),
        target(f"live at {RATE:g} Hz", "CPU of the collector, times", beside["cpu-us"] / alone["cpu-us"], DEAREST),
        target(f"live at {RATE:g} Hz", "last frame -> last row, s", beside["lag-s"], LATEST),
    ]
    for who, figures in (("alone", alone), ("beside", beside)):
        p50, p99 = figures["record-ms-p50"], figures["record-ms-p99"]
        print(f"collector {who}: {figures['cpu-us']:.1f} us CPU per frame, record p50 {p50:.2f} p99 {p99:.2f} ms")
    return conclude(result, wanted)


if __name__ == "__main__":
    sys.exit(main())
