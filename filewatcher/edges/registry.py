"""SQLite: the collections that a daemon was asked for. With the journals it is all that a restart needs.

``service.sqlite3`` in the state directory, one row per collection, locked against a second daemon.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import TYPE_CHECKING

from filewatcher.core.asks import ask_from, ask_json
from filewatcher.core.grid import Grid
from filewatcher.errors import Broken, Refused
from filewatcher.lock import Held, lock
from filewatcher.service.ports import Kept
from filewatcher.sqlite import open_database

if TYPE_CHECKING:
    from pathlib import Path

FILE = "service.sqlite3"
LOCK = "service.lock"
COLUMNS = ("id", "created", "state", "reason", "ended", "key", "folder", "age", "stopped")
"""Those that are words."""
JSONS = ("ask", "summary", "grids")
"""Those that are JSON."""
LATER = {"grids": "text not null default '[]'"}
"""Columns that lists of older versions do not have."""

SCHEMA = """
create table if not exists collection (
    number integer primary key, id text not null unique, created text not null, state text not null, reason text,
    ended text, key text, folder text, age text, stopped text, ask text not null, summary text not null);
"""
KEEP = f"""
insert into collection ({", ".join((*COLUMNS, *JSONS))}) values ({", ".join("?" * 12)})
on conflict (id) do update set {", ".join(f"{name} = excluded.{name}" for name in (*COLUMNS[2:], *JSONS))}
"""  # noqa: S608  names of our own
LOAD = f"""
select {", ".join((*COLUMNS, *JSONS))} from collection where ended is null or number in
(select number from collection where ended is not null order by number desc limit ?) order by number
"""  # noqa: S608  names of our own


class SqliteRegistry:
    """Writes on a thread of its own; what `keep` has returned from survives a power cut."""

    def __init__(self, state_dir: Path) -> None:
        """Open it. Raises `Refused` where the folder cannot be used, or another daemon uses it."""
        self._lock = _lock(state_dir)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="registry")
        try:
            self._db = self._thread.submit(_open, state_dir / FILE).result()
        except Broken:
            self._thread.shutdown()
            os.close(self._lock)
            raise

    def load(self, ended: int) -> list[Kept]:
        """Return those that have not ended and the last so many that have, in the order of asking."""
        rows = self._thread.submit(lambda: self._db.execute(LOAD, (ended,)).fetchall()).result()
        found = []
        for *words, ask, summary, grids in rows:
            known = dict(zip(COLUMNS, words, strict=True))
            by_hand = tuple(None if one is None else Grid(**one) for one in json.loads(grids))
            found.append(Kept(ask=ask_from(json.loads(ask)), summary=json.loads(summary), grids=by_hand, **known))
        return found

    async def keep(self, kept: Kept) -> None:
        """Remember one, in place of what was known of it; returns when it is on disk. Raises `Broken`."""
        words = [getattr(kept, name) for name in COLUMNS]
        grids = [None if one is None else asdict(one) for one in kept.grids]
        row = (*words, json.dumps(ask_json(kept.ask)), json.dumps(dict(kept.summary)), json.dumps(grids))
        await asyncio.get_running_loop().run_in_executor(self._thread, self._write, row)

    def close(self) -> None:
        """Close file, thread and lock."""
        self._thread.submit(self._db.close).result()
        self._thread.shutdown()
        os.close(self._lock)

    def _write(self, row: tuple[str | None, ...]) -> None:
        try:
            with self._db:
                self._db.execute(KEEP, row)
        except sqlite3.Error as error:
            raise Broken(f"the list of collections cannot be written ({error}); is the disk full?") from error


def _open(path: Path) -> sqlite3.Connection:
    try:
        db = open_database(path, SCHEMA, "full")
        there = {name for _, name, *_ in db.execute("pragma table_info(collection)")}
        for name in LATER.keys() - there:
            db.execute(f"alter table collection add column {name} {LATER[name]}")
    except sqlite3.Error as error:
        raise Broken(
            f"the list of collections {path} cannot be opened ({error}): if its disk is full, make room; if it is "
            "damaged, move it away: the results of each collection are kept elsewhere"
        ) from error
    return db


def _lock(folder: Path) -> int:
    try:
        return lock(folder / LOCK)
    except Held as held:
        raise Refused(
            f"process {held.owner} serves {folder} already: stop it first, or set FILEWATCHER_STATE_DIR to another "
            "folder"
        ) from None
