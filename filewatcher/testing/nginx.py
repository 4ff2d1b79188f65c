"""A private, real nginx on this machine, as an ordinary user, all its files in one folder.

It needs Debian's package `nginx-light`, no service of it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from filewatcher.errors import Unreachable
from filewatcher.testing.servers import PrivateServer

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = Path("/usr/sbin/nginx")
NOBODY = 65534
"""Who it runs as where we are root."""
AROUND = """\
daemon off;
pid {folder}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
{server}
}}
"""


class PrivateNginx(PrivateServer):
    """A running nginx; use it as a context manager. Raises `Unreachable` where it is not installed or does not start.

    `server`: its ``server`` block, in which ``{folder}`` stands for the folder that has copies of `files`.
    """

    def __init__(self, server: str, files: Sequence[Path]) -> None:
        self._server, self._files = server, files
        self._folder = Path(tempfile.mkdtemp(prefix="filewatcher-nginx-"))
        self._process: subprocess.Popen[str] | None = None

    def close(self) -> None:
        """End it, and remove its folder."""
        if self._process is not None:
            self._process.terminate()
            self._process.communicate()
        shutil.rmtree(self._folder)

    def begin(self) -> None:
        """Start it; returns when it serves."""
        for file in self._files:
            shutil.copy(file, self._folder)
        server = self._server.replace("{folder}", str(self._folder))
        configuration = self._folder / "nginx.conf"
        configuration.write_text(AROUND.format(folder=self._folder, server=server))
        as_nobody: list[str] = []
        if os.geteuid() == 0:
            as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            for path in (self._folder, *self._folder.iterdir()):
                os.chown(path, NOBODY, NOBODY)
        if not PROGRAM.exists():
            raise Unreachable(f"there is no {PROGRAM}: apt-get install nginx-light")
        command = [*as_nobody, str(PROGRAM), "-p", str(self._folder), "-c", str(configuration)]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
        assert self._process.stderr is not None
        said = ""
        for line in self._process.stderr:
            said += line
            if "start worker process " in line:
                return
        raise Unreachable(f"the private nginx did not start: {said}")
