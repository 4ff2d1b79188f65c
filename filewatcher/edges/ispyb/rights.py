"""What a user of the database may do: tried by statements that touch no row, so that roles and proxies count too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from filewatcher.edges.ispyb.database import Denied
from filewatcher.errors import Broken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filewatcher.edges.ispyb.database import Database

READ = {
    "DataCollection": (
        "dataCollectionId, dataCollectionGroupId, imageDirectory, fileTemplate, numberOfImages, xtalSnapshotFullPath1"
    ),
    "DataCollectionGroup": "dataCollectionGroupId, sessionId, experimentType",
    "BLSession": "sessionId, proposalId, beamLineName, visit_number",
    "Proposal": "proposalId, proposalCode, proposalNumber",
    "GridInfo": "gridInfoId, dataCollectionId, dataCollectionGroupId, steps_x, steps_y, snaked, orientation",
}
"""Tables and columns that a lookup reads."""
ADD = {
    "ImageQualityIndicators": "dataCollectionId, imageNumber",
    "ProcessingJob": "dataCollectionId",
    "AutoProcProgram": "processingJobId",
    "AutoProcProgramAttachment": "autoProcProgramId",
    "DataCollectionFileAttachment": "dataCollectionId, fileFullPath",
    "XrayCentring": "dataCollectionGroupId",
    "XrayCentringResult": "xrayCentringId",
}
"""Tables that results are written to, each with the columns that have no default."""
CHANGE = {"ImageQualityIndicators": "spotTotal", "AutoProcProgram": "processingStatus"}
"""Tables whose rows are changed later."""


@dataclass(frozen=True, slots=True)
class Lacking:
    """A right that is not there."""

    right: str
    """As in GRANT."""
    table: str
    needed_for: str
    why: str
    """What the database says."""


def lacking(database: Database) -> Iterator[Lacking]:
    """Yield what the user may not do. Raises `Unreachable`, and `Refused` for a login; changes nothing."""
    # names of ours in every statement
    for table, columns in READ.items():
        nothing = f"select {columns} from {table} limit 0"  # noqa: S608
        yield from _tried(database, "SELECT", table, "looking up collections", nothing)
    for table, columns in ADD.items():
        values = ", ".join("1" for _ in columns.split(","))
        nothing = f"insert into {table} ({columns}) select {values} from dual where false"  # noqa: S608
        yield from _tried(database, "INSERT", table, "writing results", nothing)
        if table != "ImageQualityIndicators":  # that is written without a look
            nothing = f"select {columns} from {table} limit 0"  # noqa: S608
            yield from _tried(database, "SELECT", table, "writing results once only", nothing)
    for table, column in CHANGE.items():
        nothing = f"update {table} set {column} = {column} where false"  # noqa: S608
        yield from _tried(database, "UPDATE", table, "writing again what has changed", nothing)


def _tried(database: Database, right: str, table: str, purpose: str, statement: str) -> Iterator[Lacking]:
    try:
        with database.transaction(f"{right} {table}") as connection:
            connection.exec_driver_sql(statement)
    except (Denied, Broken) as problem:
        yield Lacking(right, table, purpose, str(problem))
