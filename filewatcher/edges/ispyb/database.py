"""The ISPyB database: who logs in where, and what its errors mean.

It is MariaDB or MySQL, reached through the `ispyb` package (SQLAlchemy). Its file of credentials is the field's own::

    [ispyb_sqlalchemy]
    username = filewatcher
    password = ...
    host = ispyb.example.org
    port = 3306
    database = ispyb
"""

from __future__ import annotations

import configparser
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from filewatcher.errors import Broken, FilewatcherError, Refused, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

SECTION = "ispyb_sqlalchemy"
KEYS = ("username", "password", "host", "port", "database")
CONNECT_LIMIT = 5
"""Seconds for a connection to come."""
ANSWER_LIMIT = 30
"""Seconds for an answer to a statement."""

LOGIN = frozenset({1044, 1045, 1049, 1698})
"""Errors of a wrong user, password or database (mariadb.com/kb/en/mariadb-error-code-reference)."""
RIGHTS = frozenset({1142, 1143, 1227, 1370})
"""Errors of a right that the user does not have."""
AWAY = frozenset({1040, 1053, 1129, 1205, 1213, 1290, 1836, 1927, 2002, 2003, 2005, 2006, 2013, 2014, 2055, 3024})
"""Errors that pass: no server, no place, no answer, a lock, a server that only reads for now."""


class Denied(FilewatcherError):
    """The user of the database may not do this; somebody can grant it at any time."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who logs in where."""

    host: str
    port: int
    database: str
    username: str
    password: str = field(repr=False)

    @property
    def place(self) -> str:
        """Which database this is, in a word."""
        return f"{self.host}:{self.port}/{self.database}"


def read_credentials(path: Path) -> Credentials:
    """Read a file of credentials. Raises `Refused`, naming file and key."""
    parser = configparser.RawConfigParser(allow_no_value=True)
    try:
        parser.read_string(path.read_text())
        words = dict(parser.items(SECTION))
    except OSError as error:
        raise Refused(
            f"ISPyB's credentials {path} cannot be read: {error.strerror}; check ISPYB_CREDENTIALS"
        ) from error
    except (configparser.Error, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise Refused(f"ISPyB's credentials {path}: {reason}; it has a section [{SECTION}]") from error
    if lacking := [key for key in KEYS if not words.get(key) and key != "password"]:
        raise Refused(f"ISPyB's credentials {path}: [{SECTION}] does not say {', '.join(lacking)}")
    if not words["port"].isdecimal():
        raise Refused(f"ISPyB's credentials {path}: port is {words['port']!r}: expected a whole number")
    return Credentials(
        words["host"], int(words["port"]), words["database"], words["username"], words.get("password") or ""
    )


class Database:
    """A connection to one database, for one thread after the other. Nothing is contacted before it is used."""

    def __init__(self, credentials: Credentials) -> None:
        # heavy, and not everybody has the extra: now, and not when the first frames come
        import sqlalchemy  # noqa: PLC0415

        self.credentials = credentials
        url = sqlalchemy.URL.create(
            "mysql+mysqlconnector",
            username=credentials.username,
            password=credentials.password,
            host=credentials.host,
            port=credentials.port,
            database=credentials.database,
        )
        words: dict[str, object] = {
            "connection_timeout": CONNECT_LIMIT,
            "read_timeout": ANSWER_LIMIT,
            "write_timeout": ANSWER_LIMIT,
            # MariaDB does not know the connector's default
            "charset": "utf8mb4",
            "collation": "utf8mb4_general_ci",
        }
        self._engine = sqlalchemy.create_engine(url, connect_args=words, pool_size=1, max_overflow=0)

    @contextmanager
    def transaction(self, what: str) -> Iterator[Connection]:
        """Do `what`, all of it or nothing. Raises `Unreachable`, `Denied`, `Refused` (login) or `Broken`."""
        import sqlalchemy.exc  # noqa: PLC0415

        try:
            with self._engine.begin() as connection:
                yield connection
        except sqlalchemy.exc.SQLAlchemyError as error:
            raise self._translated(error, what) from error

    def close(self) -> None:
        """Let go of the connection."""
        self._engine.dispose()

    def _translated(self, error: Exception, what: str) -> FilewatcherError:
        import sqlalchemy.exc  # noqa: PLC0415

        cause = getattr(error, "orig", None) or error
        number, said = getattr(cause, "errno", None), getattr(cause, "msg", None) or str(cause)
        place = self.credentials.place
        if number in LOGIN:
            return Refused(f"ISPyB at {place} refuses its user {self.credentials.username}: {said}")
        if number in RIGHTS:
            return Denied(f"ISPyB at {place}: user {self.credentials.username} may not {what}: {said}")
        lost = isinstance(error, sqlalchemy.exc.DBAPIError) and error.connection_invalidated
        if number in AWAY or lost or isinstance(error, sqlalchemy.exc.InterfaceError | sqlalchemy.exc.TimeoutError):
            return Unreachable(f"ISPyB at {place} does not answer: {said}")
        return Broken(f"ISPyB at {place} does not take what it was told to {what}: {said}")
