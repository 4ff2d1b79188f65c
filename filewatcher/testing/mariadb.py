"""A private, real MariaDB on this machine: its own data, a socket and a port on loopback, in one folder.

It needs Debian's packages `mariadb-server-core` and `mariadb-client-core`; no service, no configuration of the
machine. It is ended by its id.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from filewatcher.errors import Unreachable
from filewatcher.testing.servers import PrivateServer, end, free_ports, start, until_answers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy import Table

DAEMON, INSTALL, CLIENT = "mariadbd", "mariadb-install-db", "mariadb"
PATIENCE = 60.0
"""Seconds for the server to come or to go."""
DATABASE = "ispyb"


class PrivateMariaDB(PrivateServer):
    """A server with an empty database, ``ispyb``; ``root`` has no password. Raises `Unreachable` if it fails."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (self.port,) = free_ports(1)
        self._server: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Make its data, start it, make the database."""
        self._install()
        self.start()
        self.execute(f"create database {DATABASE} character set utf8mb4")

    def close(self) -> None:
        """End it."""
        self.stop()

    def _install(self) -> None:
        absent = [name for name in (DAEMON, INSTALL, CLIENT) if _which(name) is None]
        if absent:
            raise Unreachable(f"no {', '.join(absent)} here: apt-get install mariadb-server-core mariadb-client-core")
        self.folder.mkdir(parents=True, exist_ok=True)
        words = ["--auth-root-authentication-method=normal", "--skip-test-db", *_as_root()]
        with (self.folder / "install.log").open("wb") as log:
            subprocess.run(
                [INSTALL, "--no-defaults", f"--datadir={self._data}", *words], stdout=log, stderr=log, check=True
            )

    def start(self) -> None:
        """Start it on the same data and port as before; return when it answers."""
        words = [
            f"--datadir={self._data}",
            f"--socket={self.socket}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
        ]
        words += [f"--pid-file={self.folder / 'mariadb.pid'}", "--skip-name-resolve", "--performance-schema=off"]
        log = self.folder / "server.log"
        self._server = start([str(_which(DAEMON)), "--no-defaults", *words, *_as_root()], log)
        until_answers(self._server, self._answers, PATIENCE, f"MariaDB did not come: see {log}")

    def stop(self) -> None:
        """End it, if it runs; its data are kept."""
        end(self._server, PATIENCE)

    def execute(self, statements: str, database: str | None = None) -> str:
        """Run statements as root; returns what the client prints. Raises `Unreachable` with what the server says."""
        words = [CLIENT, "--no-defaults", f"--socket={self.socket}", "--user=root", "--batch", "--skip-column-names"]
        done = subprocess.run(
            [*words, *([database] if database else [])], input=statements, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Unreachable(f"MariaDB refuses: {done.stderr.strip()}")
        return done.stdout

    def create(self, tables: Sequence[Table]) -> None:
        """Make tables of a model; those that they refer to and that are not among them need not be there."""
        import sqlalchemy  # noqa: PLC0415  heavy, and not every test that imports this needs a database

        engine = sqlalchemy.create_engine(self.url("root", ""))
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql("set foreign_key_checks = 0")
                tables[0].metadata.create_all(connection, tables=tables, checkfirst=False)
        finally:
            engine.dispose()

    def add_user(self, name: str, password: str, grants: str) -> None:
        """Make a user with exactly these rights: statements in which the user is called ``filewatcher``."""
        self.execute(f"create user '{name}'@'127.0.0.1' identified by '{password}'")
        self.execute(grants.replace("'filewatcher'@'%'", f"'{name}'@'127.0.0.1'"), DATABASE)

    def url(self, user: str, password: str) -> str:
        """Return the address for SQLAlchemy."""
        where = f"127.0.0.1:{self.port}/{DATABASE}" if user != "root" else f"localhost/{DATABASE}"
        socket_word = f"?unix_socket={self.socket}" if user == "root" else ""
        return f"mysql+mysqlconnector://{user}:{password}@{where}{socket_word}"

    def write_credentials(self, path: Path, user: str, password: str) -> Path:
        """Write a file as `ISPYB_CREDENTIALS` names one."""
        words = {"username": user, "password": password, "host": "127.0.0.1", "port": self.port, "database": DATABASE}
        path.touch(mode=0o600)
        path.write_text("[ispyb_sqlalchemy]\n" + "".join(f"{key} = {value}\n" for key, value in words.items()))
        return path

    @property
    def socket(self) -> Path:
        """Where root connects."""
        return self.folder / "s"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _answers(self) -> bool:
        try:
            self.execute("select 1")
        except Unreachable:
            return False
        return True


def _which(name: str) -> str | None:
    # Debian keeps servers where users do not look
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


def _as_root() -> list[str]:
    return ["--user=root"] if os.geteuid() == 0 else []
