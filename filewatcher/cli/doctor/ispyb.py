"""The beamline's database: whether it answers, and what we may do there."""

from __future__ import annotations

import stat
import time
from typing import TYPE_CHECKING

from filewatcher.cli.doctor.findings import note, ok, unreachable, wrong
from filewatcher.config import read_settings
from filewatcher.edges.ispyb import Database, lacking, needs_extra, read_credentials
from filewatcher.errors import FilewatcherError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from filewatcher.cli.doctor.findings import Asked, Finding
    from filewatcher.edges.ispyb import Lacking

SUBJECT = "ispyb"
PAGE = "docs/how-to/ispyb.rst lists the grants"


def check_ispyb(_: Asked) -> Iterator[Finding]:
    """Whether the credentials are good, the database answers, and each right is there; nothing without credentials."""
    path = read_settings().ispyb_credentials
    if path is None:
        return
    try:
        needs_extra()
        credentials = read_credentials(path)
        yield from _private(path)
        begun = time.monotonic()
        database = Database(credentials)
        try:
            without = list(lacking(database))
        finally:
            database.close()
    except Unreachable as problem:
        yield unreachable(SUBJECT, str(problem))
        return
    except FilewatcherError as problem:
        yield wrong(SUBJECT, str(problem))
        return
    took = 1000 * (time.monotonic() - begun)
    yield ok(SUBJECT, f"{credentials.place} answers user {credentials.username}; all rights tried in {took:.0f} ms")
    yield from _rights(without)


def _private(path: Path) -> Iterator[Finding]:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        yield note(SUBJECT, f"{path} with a password can be read by others (mode {mode:04o}): chmod 600 it")


def _rights(without: list[Lacking]) -> Iterator[Finding]:
    """Without a right to read no collection can be looked up; without one to write, results are left out."""
    for purpose in dict.fromkeys(one.needed_for for one in without):
        names = ", ".join(f"{one.right} on {one.table}" for one in without if one.needed_for == purpose)
        make = wrong if purpose == "looking up collections" else note
        yield make(SUBJECT, f"no right for {purpose}: {names}; {PAGE}")
