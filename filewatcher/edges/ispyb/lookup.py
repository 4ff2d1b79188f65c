"""ISPyB in: what the database says of a data collection id.

* ``DataCollection``: ``imageDirectory`` / ``fileTemplate`` is the master; ``xtalSnapshotFullPath1``.
* ``GridInfo``: that of the data collection, else the one of its group that names no data collection (rows of old).
* ``BLSession`` of the group: ``beamLineName``; the visit is ``Proposal`` code, number, ``-``, ``visit_number``.
* A group of type ``Mesh3D`` with two data collections is a pair: the detector was armed once for both.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from filewatcher.core.gridinfo import GridInfo
from filewatcher.core.lookedup import LookedUp
from filewatcher.errors import NotReady, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from filewatcher.edges.ispyb.database import Database

HDF5 = (".nxs", ".h5", ".hdf5", ".nx5")
GRID_SCANS = frozenset({"Mesh", "Mesh3D"})
"""Experiment types that have a grid."""
PAIR = "Mesh3D"
GRID_COLUMNS = (
    "steps_x",
    "steps_y",
    "dx_mm",
    "dy_mm",
    "orientation",
    "snaked",
    "snapshot_offsetXPixel",
    "snapshot_offsetYPixel",
    "micronsPerPixelX",
    "micronsPerPixelY",
)


def look(database: Database, dcids: Sequence[int]) -> LookedUp:
    """Look up data collections. Raises `NotReady` for one that is not there yet, `Refused`, `Unreachable`, `Denied`."""
    with database.transaction("look up data collections") as connection:
        rows = [_collection(connection, dcid) for dcid in dcids]
        if len(rows) == 1 and rows[0].experimentType == PAIR:
            both = _group(connection, rows[0].dataCollectionGroupId)
            rows = [_collection(connection, dcid) for dcid in both] if len(both) == 2 else rows
        grids = [_grid(connection, row) for row in rows]
    infos, problems = [], []
    for row, grid in zip(rows, grids, strict=True):
        try:
            infos.append(None if grid is None else GridInfo.parse(grid, f"GridInfo of data collection {_id(row)}"))
        except Refused as problem:
            infos.append(None)
            problems.append(f"{problem}; this grid is not used")
    first = rows[0]
    return LookedUp(
        dcids=tuple(map(_id, rows)),
        masters=tuple(map(_master, rows)),
        frames=tuple(row.numberOfImages or None for row in rows),
        gridinfos=tuple(infos),
        visit=_visit(first),
        beamline=first.beamLineName or None,
        snapshot=first.xtalSnapshotFullPath1 or None,
        grid_to_come=any(row.experimentType in GRID_SCANS and not grid for row, grid in zip(rows, grids, strict=True)),
        problems=tuple(problems),
    )


def _collection(connection: Connection, dcid: int) -> Any:
    from ispyb import sqlalchemy as models  # noqa: PLC0415  heavy: two hundred tables
    from sqlalchemy import select  # noqa: PLC0415

    # the tables, not the classes: those take a second to be configured
    tables = [
        m.__table__ for m in (models.DataCollection, models.DataCollectionGroup, models.BLSession, models.Proposal)
    ]
    collection, group, session, proposal = (table.c for table in tables)
    query = (
        select(
            collection.dataCollectionId,
            collection.dataCollectionGroupId,
            collection.imageDirectory,
            collection.fileTemplate,
            collection.numberOfImages,
            collection.xtalSnapshotFullPath1,
            group.experimentType,
            session.beamLineName,
            session.visit_number,
            proposal.proposalCode,
            proposal.proposalNumber,
        )
        .select_from(tables[0])
        .outerjoin(tables[1], group.dataCollectionGroupId == collection.dataCollectionGroupId)
        .outerjoin(tables[2], session.sessionId == group.sessionId)
        .outerjoin(tables[3], proposal.proposalId == session.proposalId)
        .where(collection.dataCollectionId == dcid)
    )
    row = connection.execute(query).first()
    if row is None:
        raise NotReady(f"data collection {dcid} is not in ISPyB yet")
    if not row.imageDirectory or not row.fileTemplate:
        raise NotReady(f"ISPyB does not say yet where the files of data collection {dcid} are")
    return row


def _group(connection: Connection, group: int) -> list[int]:
    from ispyb import sqlalchemy as models  # noqa: PLC0415
    from sqlalchemy import select  # noqa: PLC0415

    columns = models.DataCollection.__table__.c
    column = columns.dataCollectionId
    query = select(column).where(columns.dataCollectionGroupId == group).order_by(column)
    return list(connection.execute(query).scalars())


def _grid(connection: Connection, row: Any) -> dict[str, object] | None:
    """Return the row of `GridInfo`, the newest where there are several."""
    from ispyb import sqlalchemy as models  # noqa: PLC0415
    from sqlalchemy import select, type_coerce, types  # noqa: PLC0415

    grid = models.GridInfo.__table__.c
    # as they come, numbers or words: `GridInfo.parse` reads both
    columns = (type_coerce(grid[name], types.NullType()).label(name) for name in GRID_COLUMNS)
    query = select(*columns).order_by(grid.gridInfoId.desc())
    its_own = query.where(grid.dataCollectionId == _id(row))
    of_group = query.where(grid.dataCollectionGroupId == row.dataCollectionGroupId, grid.dataCollectionId.is_(None))
    found = connection.execute(its_own).first() or connection.execute(of_group).first()
    return None if found is None else dict(found._asdict())


def _id(row: Any) -> int:
    return int(row.dataCollectionId)


def _master(row: Any) -> str:
    """Return the master of a data collection; raises `Refused` for images that are no HDF5."""
    path = posixpath.join(str(row.imageDirectory), str(row.fileTemplate))
    if not path.startswith("/") or not path.endswith(HDF5) or "#" in path:
        raise Refused(f"data collection {_id(row)}: its images are {path}, no HDF5 master: give the master file")
    return path


def _visit(row: Any) -> str | None:
    if not row.proposalCode or not row.proposalNumber:
        return None
    visit = f"{row.proposalCode}{row.proposalNumber}"
    return visit if row.visit_number is None else f"{visit}-{row.visit_number}"
