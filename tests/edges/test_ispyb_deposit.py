"""ISPyB out: from a real journal through a process of its own into a real database with the least rights."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from filewatcher.core.messages import FrameFailed, FrameResult, Recorded, Statistics
from filewatcher.core.observations import MasterFile
from filewatcher.core.run import Run
from filewatcher.core.selection import Selection
from filewatcher.edges.ispyb import Brief, Ending, IspybOffice, ScanEnding
from filewatcher.edges.ispyb.rows import CentringRow, CrystalRow
from filewatcher.edges.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from filewatcher.edges.ispyb import FileType
    from tests.ispyb_database import IspybDatabase

CLERK = [sys.executable, "-c", "from filewatcher.cli.collecting.clerk import main; main()"]
STARTED, ENDED = "2026-11-21T18:00:00", "2026-11-21T18:01:30"
FLAT = CrystalRow(3.21, 4.5, None, 3, 4, None, 17, 1234.5, 2, 3, None, 5, 7, None)
SOLID = CrystalRow(3.21, 4.5, 1.125, 3, 4, 1, 17, 98765.5, 2, 3, 0, 5, 7, 2)
LEAST = (
    "grant select on ProcessingJob to 'filewatcher'@'%'; grant insert on ImageQualityIndicators to 'filewatcher'@'%'"
)


def done(frame: int, spots: int = 5, scan: int = 0, place: str = "a") -> Recorded:
    statistics = Statistics(spots, spots - 1, 3, 2.5, -1.0 if spots < 10 else 1.75, 1.5, 1.6, 0.1, 0.2, 99)
    return Recorded(FrameResult(scan, frame, statistics, "native"), f"{place}{frame}")


@dataclass
class Bench:
    """Runs that are written into a database; what is said of it, in order."""

    ispyb: IspybDatabase
    folder: Path
    credentials: Path
    patience: float = 20.0
    command: list[str] = field(default_factory=lambda: CLERK)
    said: list[str] = field(default_factory=list)
    heard: threading.Condition = field(default_factory=threading.Condition)

    def open(self, *masters: str) -> Journal:
        files = tuple(MasterFile(name, 1, number, 3, 4) for number, name in enumerate(masters))
        return Journal.open(self.folder / "state", Run(files, Selection(), {}, "native"))

    def office(self) -> IspybOffice:
        return IspybOffice(self.command, self.credentials, self.folder / "state", self._say, self.patience)

    def _say(self, sentence: str) -> None:
        with self.heard:
            self.said.append(sentence)
            self.heard.notify_all()

    def until_said(self, words: str) -> None:
        with self.heard:
            assert self.heard.wait_for(lambda: any(words in sentence for sentence in self.said), 60), self.said

    def until(self, true: Callable[[], bool]) -> None:
        """Wait for something that nobody tells."""
        end = time.monotonic() + 60
        while not true():
            assert time.monotonic() < end, self.said
            threading.Event().wait(0.05)

    def brief(self, journal: Journal, *dcids: int, cells: tuple[int | None, ...] = ()) -> Brief:
        output = self.folder / "results"
        output.mkdir(exist_ok=True)
        words = (journal.key, str(journal.folder), dcids, "filewatcher /data/grid.nxs", STARTED, str(output), cells)
        return Brief(*words)

    def deliver(self, journal: Journal, ending: Ending, *dcids: int, cells: tuple[int | None, ...] = ()) -> None:
        """Write a run that is on record whole."""
        office = self.office()
        office.begin(self.brief(journal, *dcids, cells=cells))
        office.end(journal.key, ending)
        asyncio.run(office.close())

    def images(self, dcid: int) -> list[list[str]]:
        columns = (
            "imageNumber, spotTotal, inResTotal, goodBraggCandidates, method1Res, method2Res, totalIntegratedSignal"
        )
        return self.ispyb.rows(
            f"select {columns} from ImageQualityIndicators where dataCollectionId = {dcid} order by imageNumber"
        )

    def programs(self, dcid: int) -> list[list[str]]:
        columns = "processingStatus, processingMessage, processingStartTime, processingEndTime, processingPrograms"
        join = "AutoProcProgram join ProcessingJob using (processingJobId)"
        return self.ispyb.rows(f"select {columns} from {join} where dataCollectionId = {dcid}")


@pytest.fixture
def bench(ispyb_database: IspybDatabase, tmp_path: Path) -> Bench:
    return Bench(ispyb_database, tmp_path, ispyb_database.credentials)


@pytest.fixture
def dcid(ispyb_database: IspybDatabase, tmp_path: Path) -> int:
    return ispyb_database.collection(ispyb_database.group(), tmp_path / "grid.nxs")


@pytest.fixture
def journal(bench: Bench) -> Iterator[Journal]:
    one = bench.open("/data/grid.nxs")
    yield one
    one.close()


def whole(count: int, *centrings: CentringRow, files: tuple[str, ...] = ()) -> Ending:
    named: tuple[tuple[FileType, str], ...] = tuple(("Result", name) for name in files)
    return Ending(
        (ScanEnding(True, f"{count} images: {count} analysed, 0 failed, 0 missing", ENDED, named),), centrings
    )


def test_a_run_is_written_and_written_again_doubles_nothing(bench: Bench, journal: Journal, dcid: int) -> None:
    asyncio.run(journal.add([done(4, 20), Recorded(FrameFailed(0, 2, "torn"), "b"), done(0), done(1, 12)]))
    ending = whole(5, CentringRow(0, "2d", (FLAT,)), files=("/results/heatmap.png", "/results/results.h5"))

    def counts() -> list[list[str]]:
        tables = ["ImageQualityIndicators", "ProcessingJob", "AutoProcProgram", "AutoProcProgramAttachment"]
        tables += ["XrayCentring", "XrayCentringResult"]
        return bench.ispyb.rows("; ".join(f"select count(*) from {table}" for table in tables))

    bench.deliver(journal, ending, dcid)
    assert bench.said == []
    assert bench.images(dcid) == [
        ["1", "5", "5", "4", "-1", "-1", "2.5"],
        ["2", "12", "12", "11", "1.75", "1.75", "2.5"],
        ["5", "20", "20", "19", "1.75", "1.75", "2.5"],
    ]
    message = "5 images: 5 analysed, 0 failed, 0 missing"
    times = ["2026-11-21 18:00:00", "2026-11-21 18:01:30"]
    assert bench.programs(dcid) == [["1", message, *times, "filewatcher"]]
    files = (
        "select fileType, filePath, fileName, importanceRank from AutoProcProgramAttachment "
        "join AutoProcProgram using (autoProcProgramId) join ProcessingJob using (processingJobId) "
        f"where dataCollectionId = {dcid} order by importanceRank"
    )
    assert bench.ispyb.rows(files) == [
        ["Result", "/results", "results.h5", "1"],
        ["Result", "/results", "heatmap.png", "2"],
    ]
    result = bench.ispyb.rows(
        "select c.status, xrayCentringType, r.centreOfMassX, r.centreOfMassZ, r.maxVoxelY, r.numberOfVoxels, "
        "r.totalCount, r.boundingBoxMaxY from XrayCentring c join XrayCentringResult r using (xrayCentringId) "
        f"join DataCollection d using (dataCollectionGroupId) where d.dataCollectionId = {dcid}"
    )
    assert result == [["success", "2d", "3.21", "NULL", "4", "17", "1234.5", "7"]]

    before = counts()
    bench.deliver(journal, ending, dcid)
    (journal.folder / "ispyb.sqlite3").unlink()  # as if we had died before we noted it
    bench.deliver(journal, ending, dcid)
    assert counts() == before
    asyncio.run(journal.add([done(1, 30, place="elsewhere"), done(2, 11)]))
    bench.deliver(journal, ending, dcid)
    assert [row[:2] for row in bench.images(dcid)] == [["1", "5"], ["2", "30"], ["3", "11"], ["5", "20"]]


def test_a_pair_has_two_programs_and_one_centring(bench: Bench, ispyb_database: IspybDatabase) -> None:
    group = ispyb_database.group("Mesh3D")
    dcids = [ispyb_database.collection(group, bench.folder / name) for name in ("a.nxs", "b.nxs")]
    journal = bench.open("/data/a.nxs", "/data/b.nxs")
    asyncio.run(journal.add([done(0), done(1, 7, scan=1), done(0, 6, scan=1)]))
    scan = whole(2).scans[0]
    second = replace(SOLID, totalCount=3.5)
    bench.deliver(journal, Ending((scan, scan), (CentringRow(0, "3d", (SOLID, second)),)), *dcids)
    journal.close()
    assert [[row[1] for row in bench.images(dcid)] for dcid in dcids] == [["5"], ["6", "7"]]
    assert [len(bench.programs(dcid)) for dcid in dcids] == [1, 1]
    centring = "select xrayCentringType, count(*) from XrayCentring join XrayCentringResult using (xrayCentringId)"
    assert ispyb_database.rows(f"{centring} where dataCollectionGroupId = {group}") == [["3d", "2"]]


def test_no_diffraction_is_a_centring_that_failed(bench: Bench, journal: Journal, dcid: int) -> None:
    bench.deliver(journal, whole(0, CentringRow(0, "2d", ())), dcid)
    query = f"select dataCollectionGroupId from DataCollection where dataCollectionId = {dcid}"
    (group,) = bench.ispyb.rows(query)[0]
    assert bench.ispyb.rows(f"select status from XrayCentring where dataCollectionGroupId = {group}") == [["failed"]]


def test_a_database_that_goes_away_costs_lag(bench: Bench, journal: Journal, dcid: int) -> None:
    office = bench.office()
    office.begin(bench.brief(journal, dcid))
    asyncio.run(journal.add([done(frame) for frame in range(30)]))
    bench.until(lambda: len(bench.images(dcid)) == 30)
    assert bench.programs(dcid)[0][:2] == ["NULL", "running"]
    bench.ispyb.server.stop()
    try:
        asyncio.run(journal.add([done(frame) for frame in range(30, 60)]))
        bench.until_said("does not answer")
    finally:
        bench.ispyb.server.start()
    asyncio.run(journal.add([done(frame) for frame in range(60, 90)]))
    office.end(journal.key, whole(90))
    asyncio.run(office.close())
    assert len(bench.images(dcid)) == 90
    assert [row[:2] for row in bench.programs(dcid)] == [["1", "90 images: 90 analysed, 0 failed, 0 missing"]]
    away, again = bench.said
    assert away.endswith("what is analysed waits in the journal")
    assert again.endswith("answers again")


def test_what_was_not_written_goes_with_the_next_run(bench: Bench, ispyb_database: IspybDatabase) -> None:
    dcids = [ispyb_database.collection(ispyb_database.group(), bench.folder / name) for name in ("a.nxs", "b.nxs")]
    first, second = bench.open("/data/a.nxs"), bench.open("/data/b.nxs")
    asyncio.run(first.add([done(frame) for frame in range(3)]))
    bench.patience = 1.0
    ispyb_database.server.stop()
    try:
        bench.deliver(first, whole(3), dcids[0])
    finally:
        ispyb_database.server.start()
    first.close()
    assert f"3 images and the end of run {first.key} are not in ISPyB yet" in bench.said[-1]
    assert bench.images(dcids[0]) == []
    bench.patience = 20.0
    bench.deliver(second, whole(0), dcids[1])
    second.close()
    assert len(bench.images(dcids[0])) == 3
    assert [bench.programs(dcid)[0][0] for dcid in dcids] == ["1", "1"]


def test_what_writes_is_killed_and_followed_by_another(bench: Bench, journal: Journal, dcid: int) -> None:
    office = bench.office()
    office.begin(bench.brief(journal, dcid))
    asyncio.run(journal.add([done(frame) for frame in range(30)]))
    bench.until(lambda: len(bench.images(dcid)) == 30)
    office._process.kill()
    bench.until_said("status -9; starting it again")
    asyncio.run(journal.add([done(frame) for frame in range(30, 60)]))
    office.end(journal.key, whole(60))
    bench.until(lambda: bench.programs(dcid)[0][0] == "1")
    assert len(bench.images(dcid)) == 60
    # one that is written to the end, and one that nobody has heard of yet
    bench.until(lambda: not office._runs)
    other, second = bench.open("/data/other.nxs"), bench.ispyb.collection(bench.ispyb.group(), bench.folder / "b.nxs")
    asyncio.run(other.add([done(0)]))
    office._process.send_signal(signal.SIGSTOP)
    office.begin(bench.brief(other, second))
    office.end(other.key, whole(1))
    office._process.kill()
    bench.until(lambda: len(bench.images(second)) == 1)
    asyncio.run(office.close())
    other.close()
    assert bench.programs(second)[0][0] == "1"
    assert len(bench.said) == 2


def test_a_full_disk_is_said(bench: Bench, journal: Journal, dcid: int) -> None:
    asyncio.run(journal.add([done(0)]))
    bench.command = ["bash", "-c", 'ulimit -f 64; exec "$@"', "clerk", *CLERK]
    bench.deliver(journal, whole(1, files=tuple(f"/results/{number}.png" for number in range(5000))), dcid)
    (said,) = bench.said
    assert re.search(r"ispyb.sqlite3 cannot be used \(.+\); is the disk full\?: its results do not go to ISPyB", said)


def test_a_journal_begun_anew_is_written_from_its_beginning(bench: Bench, dcid: int) -> None:
    journal = bench.open("/data/grid.nxs")
    asyncio.run(journal.add([done(0), done(1)]))
    bench.deliver(journal, whole(2), dcid)
    (journal.folder / "journal.sqlite3").rename(journal.folder / "journal.sqlite3.damaged")
    journal.close()
    other = bench.open("/data/grid.nxs")
    asyncio.run(other.add([done(0, 9), done(1, 8)]))
    bench.deliver(other, whole(2), dcid)
    other.close()
    assert [row[:2] for row in bench.images(dcid)] == [["1", "9"], ["2", "8"]]


def test_who_is_interrupted_does_not_wait_for_a_database(bench: Bench, journal: Journal, dcid: int) -> None:
    bench.patience = 1000.0
    office = bench.office()
    office.begin(bench.brief(journal, dcid))
    bench.until(lambda: len(bench.programs(dcid)) == 1)
    bench.ispyb.server.stop()
    try:
        asyncio.run(journal.add([done(0)]))
        bench.until_said("does not answer")
        begun = time.monotonic()
        office.hurry()
        asyncio.run(office.close())
        assert time.monotonic() - begun < 60
    finally:
        bench.ispyb.server.start()
    assert bench.said[-1].startswith("1 images of run")


def test_a_role_that_may_only_add_adds_and_says_so_once(bench: Bench, journal: Journal, dcid: int) -> None:
    bench.credentials = bench.ispyb.user(bench.folder, LEAST)
    asyncio.run(journal.add([done(frame) for frame in range(2500)]))
    bench.ispyb.do(
        f"insert into ImageQualityIndicators (dataCollectionId, imageNumber, spotTotal) values ({dcid}, 3, 77)"
    )
    bench.deliver(journal, whole(2500, CentringRow(0, "2d", (FLAT,))), dcid)
    assert len(bench.images(dcid)) == 2500
    assert bench.images(dcid)[2][1] == "77"
    said = "\n".join(bench.said)
    assert re.search("may not write ImageQualityIndicators: (SELECT|UPDATE) command denied", said)
    assert "image rows that are there already stay as they are" in said
    assert f"programs of data collections {dcid} are left out" in said
    assert f"centrings of data collections {dcid} are left out" in said
    assert len(bench.said) == 3


def test_a_very_large_grid_is_one_attachment(bench: Bench, journal: Journal, dcid: int) -> None:
    asyncio.run(journal.add([done(frame, 100 + frame) for frame in (0, 2, 1, 4)]))
    bench.deliver(journal, whole(6), dcid, cells=(6,))
    assert bench.said == []
    assert bench.images(dcid) == []
    query = f"select fileFullPath, fileType from DataCollectionFileAttachment where dataCollectionId = {dcid}"
    ((path, kind),) = bench.ispyb.rows(query)
    assert kind == "pia"
    assert json.loads((bench.folder / "results/pia_n_spots_total.json").read_text()) == [100, 101, 102, None, 104, None]
    assert path == str(bench.folder / "results/pia_n_spots_total.json")
    bench.deliver(journal, whole(6), dcid, cells=(6,))
    assert len(bench.ispyb.rows(query)) == 1


def test_wrong_credentials_are_said_and_waited_out(bench: Bench, journal: Journal, dcid: int) -> None:
    bench.credentials = bench.ispyb.user(bench.folder, LEAST)
    bench.credentials.write_text(bench.credentials.read_text().replace("password = ", "password = x"))
    bench.patience = 0.5
    asyncio.run(journal.add([done(0)]))
    bench.deliver(journal, whole(1), dcid)
    assert len(bench.said) == 2
    assert "refuses its user" in bench.said[0]
    assert "1 images and the end of run" in bench.said[1]
