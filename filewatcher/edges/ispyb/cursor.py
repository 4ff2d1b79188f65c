"""How far a run has come in the database: SQLite, beside its journal, locked against a second deliverer."""

from __future__ import annotations

import json
import os
import sqlite3
from typing import TYPE_CHECKING, Any

from filewatcher.errors import Broken, Refused
from filewatcher.lock import Held, lock

if TYPE_CHECKING:
    from pathlib import Path

FILE = "ispyb.sqlite3"

SCHEMA = """
create table if not exists delivery (
    target text primary key, journal integer not null, brief text not null, sequence integer not null, ending text,
    done integer not null)
without rowid;
"""


class Cursor:
    """What of one run has been delivered to one target (database and data collections). Raises `Broken`, `Refused`."""

    def __init__(self, folder: Path, target: str) -> None:
        self._target, self._path = target, folder / FILE
        self._lock = _lock(folder)
        try:
            self._db = sqlite3.connect(self._path, isolation_level=None)
            self._db.executescript(SCHEMA)
        except sqlite3.Error as error:
            os.close(self._lock)
            raise self._broken(error) from error

    def begin(self, brief: dict[str, Any], journal: int) -> None:
        """Note that there is something to deliver, from the beginning if the `journal` is another one than before."""
        self._run(
            "insert into delivery values (?, ?, ?, 0, null, 0) on conflict do update set journal = excluded.journal, "
            "sequence = case when journal = excluded.journal then sequence else 0 end, "
            "brief = excluded.brief, ending = null, done = 0",
            self._target,
            journal,
            json.dumps(brief),
        )

    @property
    def sequence(self) -> int:
        """Of the last record delivered."""
        return int(self._about("sequence"))

    @property
    def ending(self) -> dict[str, Any] | None:
        """What is to be written at the end, once the run has ended."""
        kept = self._about("ending")
        return None if kept is None else dict(json.loads(kept))

    def advance(self, sequence: int) -> None:
        """Note that everything up to this record has been delivered."""
        self._set("sequence", sequence)

    def set_ending(self, ending: dict[str, Any]) -> None:
        """Note what is to be written at the end."""
        self._set("ending", json.dumps(ending))

    def set_done(self) -> None:
        """Note that all has been delivered."""
        self._set("done", 1)

    def close(self) -> None:
        """Let go."""
        self._db.close()
        os.close(self._lock)

    def _about(self, column: str) -> Any:
        rows = self._run(f"select {column} from delivery where target = ?", self._target)  # noqa: S608  names of ours
        return rows[0][0] if rows else None

    def _set(self, column: str, value: object) -> None:
        self._run(f"update delivery set {column} = ? where target = ?", value, self._target)  # noqa: S608

    def _run(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._broken(error) from error

    def _broken(self, error: sqlite3.Error) -> Broken:
        return Broken(f"{self._path} cannot be used ({error}); is the disk full?")


def left_over(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Return target and brief of what was not delivered to the end, of a run that nobody delivers now."""
    if not (folder / FILE).exists():
        return []
    try:
        db = sqlite3.connect(f"{(folder / FILE).absolute().as_uri()}?mode=ro", uri=True)
        rows = db.execute("select target, brief from delivery where done = 0").fetchall()
        db.close()
    except sqlite3.Error:  # damaged, or not made to the end: nothing of it is known
        return []
    return [(target, dict(json.loads(brief))) for target, brief in rows]


def _lock(folder: Path) -> int:
    try:
        return lock(folder / "ispyb.lock")
    except Held as held:
        raise Refused(f"the run in {folder} is being delivered to ISPyB by process {held.owner}") from None
