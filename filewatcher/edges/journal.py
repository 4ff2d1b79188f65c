"""SQLite: what must survive a restart. The journal plus the files are all the state there is.

One folder per run below the state directory, with ``journal.sqlite3`` (WAL) and a lock against a second process.
``done`` and ``failed`` are recorded; ``missing`` is what the disk said at the end of one watching, and is asked anew.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from filewatcher.core.messages import METRICS, Disagreement, FrameFailed, FrameResult, Recorded, Statistics, numbers_of
from filewatcher.errors import Broken, Refused
from filewatcher.lock import Held, lock
from filewatcher.mounts import file_system
from filewatcher.sqlite import open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from filewatcher.core.run import Run

    T = TypeVar("T")

FILE = "journal.sqlite3"
RUNS = "runs"
"""Folder of the state directory with a folder per run, named by its key."""

RETIRED = "superseded"
"""In place of the age of its masters: no master is ever of this age, so the next run gets a journal of its own."""

Row: TypeAlias = tuple[int, int, str, str, str]

INSERT = """
insert into ended (scan, frame, state, body, place) values (?, ?, ?, ?, ?)
on conflict (scan, frame) do update
set sequence = (select max(sequence) + 1 from ended),
    state = excluded.state, body = excluded.body, place = excluded.place
where place != excluded.place
"""
"""Other bytes in the place of those on record replace what is known of the frame: news, for whoever reads on."""

SCHEMA = """
create table if not exists ended (
    sequence integer primary key autoincrement, scan integer not null, frame integer not null, state text not null,
    body text not null, place text not null, unique (scan, frame));
create table if not exists about (key text primary key, value text not null) without rowid;
"""


class Journal:
    """The outcomes of one run. Writes on a thread of its own; returns when they are in the file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = _lock(folder)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        try:
            self._db = self._thread.submit(_open, folder / FILE).result()
        except Broken:
            self._thread.shutdown()
            os.close(self._lock)
            raise

    @classmethod
    def open(cls, state_dir: Path, run: Run, *, force: bool = False) -> Self:
        """Open the journal of a run; `force` = with nothing in it.

        A master that was written again after its run was complete makes another run: ``KEY-2``, and so on.
        Raises `Refused` if the state directory is no local folder or another process works on this run.
        """
        refuse_shared(state_dir)
        generation = 1
        while True:
            name = run.key if generation == 1 else f"{run.key}-{generation}"
            folder = state_dir / RUNS / name
            try:
                journal = cls(folder)
            except Broken:
                if not force:
                    raise
                (folder / FILE).rename(folder / f"{FILE}.damaged")
                journal = cls(folder)
            complete = journal._about("complete")
            if complete in (None, _age(run)):
                break
            journal._close()
            generation += 1
        if force:
            journal._run(_forget)
        body = {"masters": [m.path for m in run.masters], "parameters": dict(run.parameters), "engine": run.engine}
        journal._set("run", json.dumps(body))
        return journal

    @property
    def key(self) -> str:
        """Name of the run, unique in its state directory."""
        return self.folder.name

    def recorded(self) -> list[Recorded]:
        """Return all that is on record, by scan and frame."""
        query = "select scan, frame, state, body, place from ended order by scan, frame"
        rows = self._run(lambda db: db.execute(query).fetchall())
        return [_recorded(*row) for row in rows]

    async def add(self, ended: Sequence[Recorded]) -> None:
        """Record frames that have ended, all or none; the same bytes keep their first outcome."""
        rows = [_row(one.outcome, one.place) for one in ended]
        if rows:
            await asyncio.get_running_loop().run_in_executor(self._thread, _insert, self._db, rows)

    def complete(self, run: Run) -> None:
        """Note that every frame has ended, and how old the masters are now: a live one has grown since it was read."""
        self._set("complete", _age(run))

    def retire(self) -> None:
        """Never resume: the files are another collection's now, though the master may look the same."""
        self._set("complete", RETIRED)

    def output(self) -> str | None:
        """Return the output folder of this run, if it has one."""
        return self._about("output")

    def set_output(self, folder: Path) -> None:
        """Note the output folder of this run."""
        self._set("output", str(folder))

    def close(self) -> None:
        """Close file, thread and lock."""
        self._close()

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return self._thread.submit(_translated, work, self._db, self.folder).result()

    def _about(self, key: str) -> str | None:
        row = self._run(lambda db: db.execute("select value from about where key = ?", (key,)).fetchone())
        return None if row is None else str(row[0])

    def _set(self, key: str, value: str) -> None:
        def write(db: sqlite3.Connection) -> None:
            with db:
                db.execute("insert or replace into about values (?, ?)", (key, value))

        self._run(write)

    def _close(self) -> None:
        self._thread.submit(self._db.close).result()
        self._thread.shutdown()
        os.close(self._lock)


class JournalReader:
    """Reads the journal of a run on, from any thread or process, while it is written; for one thread at a time.

    Raises `Broken` for what is no journal.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._db = sqlite3.connect(
                f"{(folder / FILE).absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise Broken(f"the journal in {folder} cannot be read ({error})") from error

    @property
    def identity(self) -> int:
        """Differs for a journal begun anew in the place of a damaged one: its sequences begin anew as well."""
        return (self._folder / FILE).stat().st_ino

    def after(self, sequence: int, limit: int) -> list[tuple[int, Recorded]]:
        """Return what was recorded after that, oldest first, ``limit`` at most, each with its sequence.

        Sequences grow for ever: 0 is before all, and a frame that is recorded anew comes once more.
        """
        query = (
            "select sequence, scan, frame, state, body, place from ended where sequence > ? order by sequence limit ?"
        )
        rows = _translated(lambda db: db.execute(query, (sequence, limit)).fetchall(), self._db, self._folder)
        return [(number, _recorded(*row)) for number, *row in rows]

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


def _age(run: Run) -> str:
    """Size and time of last change of the masters' inodes: differs once a complete one has been written again.

    A copy over it may keep the time of its content (rsync -t, cp -p), never that of its inode.
    """
    ages = []
    for master in run.masters:
        try:
            status = Path(master.path).stat()
        except OSError:  # deleted since, or out of reach: as it was when it was read
            ages.append((master.size, master.ctime_ns))
        else:
            ages.append((status.st_size, status.st_ctime_ns))
    return json.dumps(ages)


def refuse_shared(folder: Path) -> None:
    """Raise `Refused` where SQLite's journal would not be safe: on a file system that machines share.

    Its write-ahead log needs memory shared between processes (sqlite.org/wal.html).
    """
    held_by = file_system(folder)
    if held_by.shared:
        raise Refused(
            f"{folder} is on {held_by.kind}, but the journal needs a local file system: set FILEWATCHER_STATE_DIR"
        )


def _lock(folder: Path) -> int:
    try:
        return lock(folder / "lock")
    except Held as held:
        raise Refused(
            f"this run is being worked on by process {held.owner} ({folder}): wait for it, or end it first"
        ) from None


def _open(path: Path) -> sqlite3.Connection:
    try:
        return open_database(path, SCHEMA, "normal")
    except sqlite3.Error as error:
        raise Broken(
            f"the journal {path} cannot be opened ({error}): if its disk is full, make room or set "
            "FILEWATCHER_STATE_DIR; if it is damaged, start over with --force"
        ) from error


def _translated(work: Callable[[sqlite3.Connection], T], db: sqlite3.Connection, folder: Path) -> T:
    try:
        return work(db)
    except sqlite3.Error as error:
        kept = "what was recorded before is kept: make room if its disk is full, then start the same command again"
        raise Broken(f"the journal in {folder} failed ({error}); {kept}") from error


def _insert(db: sqlite3.Connection, rows: list[Row]) -> None:
    def write(db: sqlite3.Connection) -> None:
        with db:
            db.executemany(INSERT, rows)

    folder = db.execute("pragma database_list").fetchone()[2]
    _translated(write, db, folder)


def _forget(db: sqlite3.Connection) -> None:
    with db:
        db.execute("delete from ended")
        db.execute("delete from about where key = 'complete'")


def _row(outcome: FrameResult | FrameFailed, place: str) -> Row:
    # what DIALS said comes last, and only if it was asked
    verdict = [] if outcome.verified is None else [[astuple(one) for one in outcome.verified]]
    if isinstance(outcome, FrameResult):
        body: list[object] = [outcome.engine, outcome.attempts, *numbers_of(outcome.statistics), *verdict]
        return outcome.scan, outcome.frame, "done", json.dumps(body), place
    return outcome.scan, outcome.frame, "failed", json.dumps([outcome.reason, outcome.attempts, *verdict]), place


def _recorded(scan: int, frame: int, state: str, body: str, place: str) -> Recorded:
    return Recorded(_outcome(scan, frame, state, json.loads(body)), place)


def _outcome(scan: int, frame: int, state: str, body: list[Any]) -> FrameResult | FrameFailed:
    if state == "done":
        engine, attempts, *rest = body
        statistics = Statistics(*rest[: len(METRICS)])
        return FrameResult(scan, frame, statistics, engine, attempts, _verified(rest[len(METRICS) :]))
    reason, attempts, *verdict = body
    return FrameFailed(scan, frame, reason, attempts, _verified(verdict))


def _verified(verdict: list[Any]) -> tuple[Disagreement, ...] | None:
    return tuple(Disagreement(*one) for one in verdict[0]) if verdict else None
