"""A real daemon in a process of its own, and how tests and benchmarks speak with it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from websockets.sync.client import connect

from filewatcher.errors import Broken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Collection = dict[str, Any]

PATIENCE = 100.0
"""Seconds for news that is waited for."""
OVER = ("done", "failed", "cancelled")


@dataclass
class Daemon:
    """``filewatcher serve`` on a free port, with state of its own in `folder`."""

    folder: Path
    options: tuple[str, ...] = ()
    token: str | None = None
    process: subprocess.Popen[str] | None = None
    url: str = ""
    log: list[dict[str, Any]] = field(default_factory=list)
    program: tuple[str, ...] = ("-m", "filewatcher", "serve")
    """What Python runs."""
    _reader: threading.Thread | None = None
    _heard: threading.Event = field(default_factory=threading.Event)
    """It serves, or will never."""

    @property
    def environment(self) -> dict[str, str]:
        """With state of its own."""
        return {**os.environ, "FILEWATCHER_STATE_DIR": str(self.folder / "state"), "NO_COLOR": "1", "COLUMNS": "200"}

    @staticmethod
    def command(*words: object) -> list[str]:
        """Return what starts Python with these words."""
        return [sys.executable, *map(str, words)]

    def start(self) -> Daemon:
        """Start it; returns when it says that it serves. Raises `Broken` if it never does."""
        self.launch()
        return self.serving()

    def serving(self) -> Daemon:
        """Wait until it serves. Raises `Broken` if it never does."""
        self._heard.wait(PATIENCE)
        if not self.url:
            raise Broken(f"it did not start: {self.log}")
        return self

    def launch(self) -> None:
        """Start it, and wait for nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.url = ""
        self._heard.clear()
        self.process = subprocess.Popen(
            self.command(*self.program, "--port", 0, *self.options),
            cwd=self.folder,
            env=self.environment,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self._reader.start()

    def stop(self) -> int:
        """As systemd stops it."""
        assert self.process is not None
        self.process.terminate()
        return self._gone()

    def kill(self) -> None:
        """As a power cut, for it and all its children."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self._gone()

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        """Run another command with the same state."""
        return subprocess.run(
            self.command("-m", "filewatcher", *words),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    # ---- over HTTP

    @property
    def http(self) -> httpx.Client:
        """Connections to it, to be closed."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE, trust_env=False)

    def ask(self, **body: Any) -> str:
        """Ask for a collection; returns its id. Raises `Broken` with its answer if it will not."""
        with self.http as http:
            answer = http.post("/api/collections", json=body)
        _check(answer)
        return str(answer.json()["id"])

    def listed(self, **query: Any) -> Any:
        """Return the list. Raises `Broken` with its answer if it will not."""
        with self.http as http:
            answer = http.get("/api/collections", params=query)
        _check(answer)
        return answer.json()

    def get(self, collection: str) -> Any:
        """Return all that is told of a collection. Raises `Broken` with its answer if it will not."""
        with self.http as http:
            answer = http.get(f"/api/collections/{collection}")
        _check(answer)
        return answer.json()

    def lines(self, collection: str, scan: int = 0) -> list[dict[str, Any]]:
        """The lines of its frames, sorted, without what may differ between two runs of the same."""
        with self.http as http:
            text = http.get(f"/api/collections/{collection}/frames", params={"scan": scan}).text
        lines = [{k: v for k, v in json.loads(line).items() if k != "attempts"} for line in text.splitlines()]
        return sorted(lines, key=lambda line: line["frame"])

    def until(self, collection: str, fits: Callable[[Collection], bool]) -> Collection:
        """Listen until what is told of a collection fits."""
        with self.viewer(collection) as told:
            for message in told:
                if isinstance(message, dict) and fits(message["collection"]):
                    found: Collection = message["collection"]
                    return found
        raise Broken("the daemon has hung up")

    def ended(self, collection: str) -> Collection:
        """Listen until it has ended."""
        return self.until(collection, lambda told: told["state"] in OVER)

    @contextlib.contextmanager
    def viewer(self, collection: str, query: str = "") -> Iterator[Iterator[bytes | dict[str, Any]]]:
        """Yield the messages of the WebSocket: cells as they are, status as JSON."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        where = f"{self.url.replace('http', 'ws', 1)}/api/collections/{collection}/live?{query}"
        with connect(where, additional_headers=headers, max_size=None, proxy=None, close_timeout=1) as socket:

            def messages() -> Iterator[bytes | dict[str, Any]]:
                while True:
                    message = socket.recv(timeout=PATIENCE)
                    yield json.loads(message) if isinstance(message, str) else message

            yield messages()

    # ---- how

    def _read(self, stream: Any) -> None:
        for line in stream:
            try:
                self.log.append(json.loads(line))
            except ValueError:
                self.log.append({"message": line.rstrip(), "level": "text"})
            if "url" in self.log[-1]:
                self.url = self.log[-1]["url"]
                self._heard.set()
        self._heard.set()

    def _gone(self) -> int:
        assert self.process is not None
        code = self.process.wait(60)
        if self._reader is not None:
            self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()
        self.process = None
        return code

    def faults(self) -> list[dict[str, Any]]:
        """What it said that nobody should ever read."""
        return [line for line in self.log if "fault" in line["message"] or "Traceback" in line["message"]]


def _check(answer: httpx.Response) -> None:
    if not answer.is_success:
        raise Broken(f"the daemon answered {answer.status_code}: {answer.text}")
