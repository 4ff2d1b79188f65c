"""Databases of ours: SQLite with its write-ahead log, which is read while it is written (sqlite.org/wal.html)."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path


def open_database(path: Path, schema: str, synchronous: Literal["normal", "full"]) -> sqlite3.Connection:
    """Open or make one; it belongs to the calling thread. Raises `sqlite3.Error`, and leaves nothing open then.

    What is committed survives a crash of the process; with ``full`` a power cut as well (sqlite.org/pragma.html).
    """
    db = sqlite3.connect(path)
    try:
        db.execute("pragma journal_mode = wal")
        db.execute(f"pragma synchronous = {synchronous}")
        db.executescript(schema)
    except sqlite3.Error:
        db.close()
        raise
    return db
