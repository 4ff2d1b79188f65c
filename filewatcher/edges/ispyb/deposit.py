"""ISPyB out: the statements. Each is all or nothing, and done twice it changes nothing.

A run is found again by its name: ``ProcessingJob`` rows of a data collection are few and indexed, and ``comments`` of
ours has the run. So no row is doubled by a restart, not even one between the database and our own note of it.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import PurePath
from typing import TYPE_CHECKING

from filewatcher.edges.ispyb.rows import CRYSTAL_COLUMNS, IMAGE_COLUMNS, LONGEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from filewatcher.edges.ispyb.database import Database
    from filewatcher.edges.ispyb.rows import CentringRow, FileType, ImageRow, ScanEnding

PROGRAM = "filewatcher"
ALIKE = 1e-5
"""Relative; the database keeps these numbers in single precision."""

_INSERT = f"({', '.join(IMAGE_COLUMNS)}) VALUES ({', '.join(['%s'] * len(IMAGE_COLUMNS))})"
_NEW = ", ".join(f"{name} = VALUES({name})" for name in IMAGE_COLUMNS[2:])
UPSERT = f"INSERT INTO ImageQualityIndicators {_INSERT} ON DUPLICATE KEY UPDATE {_NEW}"
INSERT = f"INSERT IGNORE INTO ImageQualityIndicators {_INSERT}"


def put_images(database: Database, rows: Sequence[ImageRow], *, update: bool) -> None:
    """Write image rows; those that are there are updated, or left as they are."""
    with database.transaction("write ImageQualityIndicators") as connection:
        connection.exec_driver_sql(UPSERT if update else INSERT, list(rows))


def put_program(database: Database, dcid: int, run: str, command: str, started: str) -> int:
    """Have the ``AutoProcProgram`` of a run over a data collection; returns its id. `started`: local time, ISO 8601."""
    from ispyb import sqlalchemy as models  # noqa: PLC0415
    from sqlalchemy import insert, select  # noqa: PLC0415

    job, program = models.ProcessingJob.__table__, models.AutoProcProgram.__table__
    words = {"displayName": PROGRAM, "comments": f"run {run}"}
    with database.transaction("write AutoProcProgram") as connection:
        there = (
            select(program.c.autoProcProgramId)
            .join_from(program, job, job.c.processingJobId == program.c.processingJobId)
            .where(job.c.dataCollectionId == dcid, *(job.c[name] == word for name, word in words.items()))
        )
        known = connection.execute(there).scalars().first()
        if known is not None:
            return int(known)
        made = connection.execute(insert(job).values(dataCollectionId=dcid, automatic=1, **words))
        row = {
            "processingJobId": made.lastrowid,
            "processingPrograms": PROGRAM,
            "processingCommandLine": command[:LONGEST],
            "processingMessage": "running",
            "processingStartTime": datetime.fromisoformat(started),
        }
        return connection.execute(insert(program).values(row)).lastrowid


def put_ending(database: Database, program: int, ending: ScanEnding) -> None:
    """Write end and status of a program, and its files."""
    from ispyb import sqlalchemy as models  # noqa: PLC0415
    from sqlalchemy import insert, select, update  # noqa: PLC0415

    table, files = models.AutoProcProgram.__table__, models.AutoProcProgramAttachment.__table__
    with database.transaction("write AutoProcProgramAttachment") as connection:
        there = select(files.c.filePath, files.c.fileName).where(files.c.autoProcProgramId == program)
        known = {(row.filePath, row.fileName) for row in connection.execute(there)}
        for rank, (kind, path) in enumerate(reversed(ending.files), 1):
            row = _attachment(program, kind, path, rank)
            if (row["filePath"], row["fileName"]) not in known:
                connection.execute(insert(files).values(row))
        connection.execute(
            update(table)
            .where(table.c.autoProcProgramId == program)
            .values(
                processingStatus=int(ending.success),
                processingMessage=ending.message[:LONGEST],
                processingEndTime=datetime.fromisoformat(ending.ended),
            )
        )


def put_pia(database: Database, dcid: int, path: str) -> None:
    """Name a file of spot counts as the ``pia`` attachment of a data collection: where SynchWeb looks without rows."""
    from ispyb import sqlalchemy as models  # noqa: PLC0415
    from sqlalchemy import insert, select  # noqa: PLC0415

    files = models.DataCollectionFileAttachment.__table__
    row = {"dataCollectionId": dcid, "fileFullPath": path, "fileType": "pia"}
    with database.transaction("write DataCollectionFileAttachment") as connection:
        key = files.c.dataCollectionFileAttachmentId
        there = select(key).where(*(files.c[name] == value for name, value in row.items()))
        if connection.execute(there).first() is None:
            connection.execute(insert(files).values(row))


def put_centring(database: Database, dcid: int, found: CentringRow) -> None:
    """Write a centring into the group of a data collection, unless the same one is there."""
    from ispyb import sqlalchemy as models  # noqa: PLC0415
    from sqlalchemy import insert, select  # noqa: PLC0415

    collection, table = models.DataCollection.__table__.c, models.XrayCentring.__table__
    results = models.XrayCentringResult.__table__
    with database.transaction("write XrayCentring") as connection:
        group = connection.execute(
            select(collection.dataCollectionGroupId).where(collection.dataCollectionId == dcid)
        ).scalar_one()
        row = {
            "dataCollectionGroupId": group,
            "status": found.status,
            "xrayCentringType": found.xrayCentringType,
        }
        there = select(table.c.xrayCentringId).where(*(table.c[name] == value for name, value in row.items()))
        if any(_same(connection, known, found) for known in connection.execute(there).scalars().all()):
            return
        made = connection.execute(insert(table).values(row)).lastrowid
        for crystal in found.crystals:
            values = {name: getattr(crystal, name) for name in CRYSTAL_COLUMNS}
            connection.execute(insert(results).values(xrayCentringId=made, **values))


def _same(connection: Connection, centring: int, found: CentringRow) -> bool:
    """Whether a centring of the database has these crystals, in any order."""
    from ispyb import sqlalchemy as models  # noqa: PLC0415
    from sqlalchemy import select  # noqa: PLC0415

    results = models.XrayCentringResult.__table__.c
    columns = [results[name] for name in CRYSTAL_COLUMNS]
    there = connection.execute(select(*columns).where(results.xrayCentringId == centring)).all()
    rest = [tuple(row) for row in there]
    for crystal in found.crystals:
        ours = tuple(getattr(crystal, name) for name in CRYSTAL_COLUMNS)
        match = next((row for row in rest if all(map(_alike, row, ours))), None)
        if match is None:
            return False
        rest.remove(match)
    return not rest


def _alike(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= ALIKE * max(abs(one), abs(other), 1e-30)


def _attachment(program: int, kind: FileType, path: str, rank: int) -> dict[str, object]:
    file = PurePath(path)
    return {
        "autoProcProgramId": program,
        "fileType": kind,
        "fileName": file.name,
        "filePath": str(file.parent),
        "importanceRank": rank,
    }
