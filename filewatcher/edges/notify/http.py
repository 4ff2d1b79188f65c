"""The JSON lines by HTTP POST: ``application/x-ndjson``, several lines in a request, each line once at least.

A request that fails is tried again until it is taken: after a server that refuses, hangs or answers 5xx, 408 or 429.
Whatever else is answered is final: these lines count as not delivered. The lines that wait are bounded; beyond that the
newest are dropped, and counted.
"""

from __future__ import annotations

import http.client
import json
import queue
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from filewatcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

    from filewatcher.core.lines import Json

WAITING = 100_000
"""Lines that wait, at most: about 50 MB."""
TOGETHER = 500
"""Lines of one request, at most."""
TIMEOUT = 5.0
"""Seconds that a server may be silent."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
"""Seconds between two attempts; doubled from one to the next."""
FAREWELL = 5.0
"""Seconds that `HttpLines.close` waits for what is still to be delivered."""
AGAIN = frozenset({408, 429})
"""Answers that ask to try again, beside 5xx."""


class HttpLines:
    """Posts lines from a thread of its own; `say` never waits. Raises `Refused` for what is no URL."""

    def __init__(self, url: str, waiting: int = WAITING) -> None:
        self._url = url
        self._target = self.check(url)
        self._lines: queue.Queue[Mapping[str, Json] | None] = queue.Queue(waiting)
        self._lost = 0
        self._why = ""
        self._ending = threading.Event()
        self._over = threading.Event()
        self._connection: http.client.HTTPConnection | None = None
        self._thread = threading.Thread(target=self._run, name=f"notify {url}", daemon=True)
        self._thread.start()

    @staticmethod
    def check(url: str) -> SplitResult:
        """Return the parts of a URL; raises `Refused`."""
        try:
            target = urlsplit(url)
            port = target.port
        except ValueError as error:
            raise Refused(f"--notify {url}: {error}; write http://host:port/path") from error
        if target.scheme not in ("http", "https") or not target.hostname or port == 0:
            raise Refused(f"--notify {url}: write http://host:port/path, udp://host:port or ispyb:")
        return target

    def say(self, line: Mapping[str, Json]) -> None:
        """Have a line delivered, some time."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._lost += 1
            self._why = self._why or "it takes them too slowly"

    def close(self, farewell: float = FAREWELL) -> str:
        """Wait `farewell` seconds at most for the rest; returns what was not delivered, in words."""
        self._ending.set()
        with suppress(queue.Full):
            self._lines.put_nowait(None)
        self._over.wait(farewell)
        self._over.set()
        while self._thread.is_alive():
            self._interrupt()
            self._thread.join(0.1)
        left = sum(line is not None for line in self._lines.queue)
        lost = self._lost + left
        return f"{lost} lines were not delivered to {self._url}: {self._why or 'no time was left'}" if lost else ""

    # ---- the thread

    def _run(self) -> None:
        while not self._over.is_set() and not (self._ending.is_set() and self._lines.empty()):
            if lines := self._some():
                self._deliver(lines)
        self._over.set()
        self._hang_up()

    def _some(self) -> list[Mapping[str, Json]]:
        """Wait for a line, or for the word that there will be none; return it and those that have come with it."""
        lines = [self._lines.get()]
        with suppress(queue.Empty):
            while len(lines) < TOGETHER:
                lines.append(self._lines.get_nowait())
        return [line for line in lines if line is not None]

    def _deliver(self, lines: list[Mapping[str, Json]]) -> None:
        body = "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines).encode()
        pause = FIRST_PAUSE
        while not self._over.is_set():
            try:
                status, reason = self._post(body)
            except (OSError, http.client.HTTPException) as error:
                self._hang_up()
                self._why = f"{error}" or type(error).__name__
            else:
                if 200 <= status < 300:
                    return
                self._why = f"it answers {status} {reason}"
                if status < 500 and status not in AGAIN:
                    break
            self._over.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        self._lost += len(lines)

    def _post(self, body: bytes) -> tuple[int, str]:
        if self._connection is None:
            secure = self._target.scheme == "https"
            kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
            self._connection = kind(str(self._target.hostname), self._target.port, timeout=TIMEOUT)
        path = f"{self._target.path or '/'}{'?' + self._target.query if self._target.query else ''}"
        self._connection.request("POST", path, body, {"Content-Type": "application/x-ndjson"})
        with self._connection.getresponse() as answer:
            answer.read()
            return answer.status, answer.reason

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # ---- whoever closes

    def _interrupt(self) -> None:
        """Let the thread stop waiting for an answer."""
        connection = self._connection
        if connection is not None and (sock := connection.sock) is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
