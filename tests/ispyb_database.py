"""An ISPyB of our own: a real MariaDB with the tables of the `ispyb` package, and rows as a beamline writes them."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import ispyb.sqlalchemy as models

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filewatcher.testing.mariadb import PrivateMariaDB

PAGE = Path(__file__).parents[1] / "docs/how-to/ispyb.rst"
TABLES = (
    models.Proposal,
    models.BLSession,
    models.DataCollectionGroup,
    models.DataCollection,
    models.GridInfo,
    models.ImageQualityIndicators,
    models.ProcessingJob,
    models.AutoProcProgram,
    models.AutoProcProgramAttachment,
    models.DataCollectionFileAttachment,
    models.XrayCentring,
    models.XrayCentringResult,
)
USER, PASSWORD = "filewatcher", "p@ss/w:rd"
GRID = {"steps_x": 9.0, "steps_y": 7.0, "snaked": 1, "orientation": "'horizontal'", "dx_mm": 0.02, "dy_mm": 0.02}
VIEW = {
    "snapshot_offsetXPixel": 100.5,
    "snapshot_offsetYPixel": 50.25,
    "micronsPerPixelX": 0.8,
    "micronsPerPixelY": 0.8,
}


def documented_grants() -> str:
    """The statements that the how-to page gives an administrator."""
    blocks = re.findall(r"\.\. code-block:: sql\n\n((?:    .*\n|\n)+)", PAGE.read_text())
    assert blocks
    return "\n".join(blocks)


@dataclass
class IspybDatabase:
    """Rows go in and out as the administrator's; filewatcher's own user has the rights of the page."""

    server: PrivateMariaDB
    credentials: Path
    users: Iterator[int] = field(default_factory=itertools.count)

    @classmethod
    def make(cls, server: PrivateMariaDB, folder: Path) -> IspybDatabase:
        server.create([model.__table__ for model in TABLES])
        server.add_user(USER, PASSWORD, documented_grants())
        database = cls(server, server.write_credentials(folder / "ispyb.cfg", USER, PASSWORD))
        database.do("insert into Proposal (personId, proposalCode, proposalNumber) values (0, 'mx', '23694')")
        database.do("insert into BLSession (proposalId, beamLineName, visit_number) values (1, 'i24', 7)")
        return database

    def do(self, statement: str) -> int:
        """Run a statement; returns the id of the row that it inserted."""
        checks = "set foreign_key_checks = 0; "  # people and samples are not there
        return int(self.server.execute(f"{checks}{statement}; select last_insert_id()", "ispyb").split()[-1])

    def rows(self, query: str) -> list[list[str]]:
        return [line.split("\t") for line in self.server.execute(query, "ispyb").splitlines()]

    def user(self, folder: Path, grants: str) -> Path:
        """Make another user; returns its credentials."""
        name = f"other{next(self.users)}"
        self.server.add_user(name, PASSWORD, grants)
        return self.server.write_credentials(folder / f"{name}.cfg", name, PASSWORD)

    def group(self, kind: str = "Mesh") -> int:
        return self.do(f"insert into DataCollectionGroup (sessionId, experimentType) values (1, '{kind}')")

    def collection(self, group: int, master: Path, images: int = 63) -> int:
        names = "dataCollectionGroupId, imageDirectory, fileTemplate, numberOfImages, xtalSnapshotFullPath1"
        words = f"{group}, '{master.parent}/', '{master.name}', {images}, '{master.parent}/camera.png'"
        return self.do(f"insert into DataCollection ({names}) values ({words})")

    def grid(self, *, collection: int | None = None, group: int | None = None, **columns: object) -> None:
        whose = {"dataCollectionId": collection, "dataCollectionGroupId": group}
        row = GRID | VIEW | {name: value for name, value in whose.items() if value is not None} | columns
        self.do(f"insert into GridInfo ({', '.join(row)}) values ({', '.join(map(str, row.values()))})")
