"""SQLite: which steps of recipes are to be answered, and how far they have been.

``zocalo.sqlite3`` in the state directory. What is to be told is in the journals: here is only where the telling is.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from filewatcher.errors import Broken
from filewatcher.sqlite import open_database

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from filewatcher.core.requests import Request

FILE = "zocalo.sqlite3"
REMEMBERED = 10_000
"""Steps that are known again when their message comes once more."""
SCHEMA = """
create table if not exists task (
    number integer primary key autoincrement, name text not null unique, purpose text not null, message text not null,
    collection text, cursor integer not null default 0, over integer not null default 0);
create index if not exists open on task (purpose) where not over;
create table if not exists about (key text primary key, value text not null) without rowid;
"""


@dataclass(frozen=True, slots=True)
class Task:
    """A step of a recipe that is to be answered."""

    number: int
    message: Mapping[str, Any]
    """As it came."""
    collection: str | None
    """None = not asked for yet."""
    cursor: int
    """Of the journal: what was recorded up to there has been told."""


class Ledger:
    """For one thread. Raises `Broken` if it cannot be opened or written."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # the message is acknowledged when it is here, so it must survive a power cut
            self._db = open_database(self._path, SCHEMA, "full")
        except (OSError, sqlite3.Error) as error:
            raise Broken(f"{self._path}: what is owed to zocalo cannot be kept ({error}); is the disk full?") from error
        self._run(
            "delete from task where over and number <= (select max(number) from task) - ?", REMEMBERED
        )  # fmt: skip

    @property
    def name(self) -> str:
        """Of this ledger, for ever."""
        self._run("insert or ignore into about values ('name', ?)", secrets.token_hex(6))
        return str(self._one("select value from about where key = 'name'")[0])

    def open_tasks(self) -> list[Task]:
        """Return those that are not over, in the order of their messages."""
        rows = self._run("select number, message, collection, cursor from task where not over order by number")
        return [Task(number, json.loads(message), *rest) for number, message, *rest in rows]

    def take(self, request: Request, message: Mapping[str, Any]) -> int | None:
        """Note a step; returns its number, or None if it is known, or another one that wants the same is not over."""
        known = self._run("select number, collection, over from task where name = ?", request.name)
        if known:
            number, collection, over = known[0]
            # it was taken by a process that ended before it could ask
            return None if over or collection is not None else int(number)
        if self._run("select 1 from task where purpose = ? and not over", request.purpose):
            return None
        values = request.name, request.purpose, json.dumps(message)
        self._run("insert into task (name, purpose, message) values (?, ?, ?)", *values)
        return int(self._one("select number from task where name = ?", request.name)[0])

    def assign(self, number: int, collection: str) -> None:
        """Note which collection a step is about."""
        self._run("update task set collection = ? where number = ?", collection, number)

    def told(self, number: int, cursor: int, *, over: bool) -> None:
        """Note how far a step has been told; harmless if it is noted."""
        self._run(
            "update task set cursor = max(cursor, ?), over = max(over, ?) where number = ?", cursor, int(over), number
        )

    def forget(self, number: int) -> None:
        """A step that was refused: it may be asked for again."""
        self._run("delete from task where number = ?", number)

    def close(self) -> None:
        """Let go."""
        self._db.close()

    def _run(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            with self._db:
                return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise Broken(f"{self._path}: what is owed to zocalo cannot be kept ({error}); is the disk full?") from error

    def _one(self, sql: str, *values: object) -> tuple[Any, ...]:
        return self._run(sql, *values)[0]
