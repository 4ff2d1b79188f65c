"""A real daemon in a process of its own, and how tests speak with it."""

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

import h5py
import httpx
import numpy as np
from websockets.sync.client import connect

from filewatcher.core.cells import HEADER
from filewatcher.core.messages import METRICS
from filewatcher.testing.tinyfiles import IMAGE, LIBVER, image, write_metadata, write_virtual

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Collection = dict[str, Any]

PATIENCE = 100.0
"""Seconds for the news that a test waits for."""
OVER = ("done", "failed", "cancelled")


@dataclass
class Daemon:
    """``filewatcher serve`` on a free port, with state of its own in `folder`."""

    folder: Path
    options: tuple[str, ...] = ()
    token: str | None = None
    scheme: str = "http"
    process: subprocess.Popen[str] | None = None
    url: str = ""
    log: list[dict[str, Any]] = field(default_factory=list)
    _reader: threading.Thread | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "FILEWATCHER_STATE_DIR": str(self.folder / "state"), "NO_COLOR": "1", "COLUMNS": "200"}

    def command(self, *words: object) -> list[str]:
        return [sys.executable, "-m", "filewatcher", *map(str, words)]

    def start(self) -> Daemon:
        """Start it; returns when it says that it serves."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            self.command("serve", "--port", 0, *self.options),
            cwd=self.folder,
            env=self.environment,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._note(line)
            if self.log and "url" in self.log[-1]:
                self.url = self.log[-1]["url"]
                break
        else:
            raise AssertionError(f"it did not start: {self.log}")
        self._reader = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self._reader.start()
        return self

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
            self.command(*words), cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )

    # ---- over HTTP

    @property
    def http(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE, trust_env=False, verify=False)

    def ask(self, **body: Any) -> str:
        with self.http as http:
            answer = http.post("/api/collections", json=body)
        assert answer.is_success, answer.text
        return str(answer.json()["id"])

    def listed(self, **query: Any) -> Any:
        with self.http as http:
            answer = http.get("/api/collections", params=query)
        assert answer.is_success, answer.text
        return answer.json()

    def get(self, collection: str) -> Any:
        with self.http as http:
            answer = http.get(f"/api/collections/{collection}")
        assert answer.is_success, answer.text
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
        raise AssertionError("the daemon has hung up")

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

    def _note(self, line: str) -> None:
        with contextlib.suppress(ValueError):
            self.log.append(json.loads(line))
            return
        self.log.append({"message": line.rstrip(), "level": "text"})

    def _read(self, stream: Any) -> None:
        for line in stream:
            self._note(line)

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


class Cells:
    """What a viewer knows, from messages alone."""

    def __init__(self) -> None:
        self.generation: int | None = None
        self.cursor = 0
        self.cells: dict[int, tuple[int, NDArray[np.float32]]] = {}

    def take(self, message: bytes) -> None:
        _, generation, since, version, n, _frames = HEADER.unpack_from(message)
        if generation != self.generation:
            assert since == 0, "another generation begins with everything"
            self.generation, self.cursor, self.cells = generation, 0, {}
        assert since == self.cursor
        place = HEADER.size
        frames = np.frombuffer(message, "<u4", n, place)
        states = np.frombuffer(message, np.uint8, n, place + 4 * n)
        place += 4 * n + (n + 3) // 4 * 4
        values = np.frombuffer(message, "<f4", n * len(METRICS), place).reshape(len(METRICS), n)
        for i, frame in enumerate(frames.tolist()):
            assert frame not in self.cells, "each frame is sent once"
            self.cells[frame] = int(states[i]), values[:, i]
        self.cursor = version


def write_tiny(master: Path, frames: int = 6) -> Path:
    """Write a finished collection of tiny images: a master and one data file."""
    master.parent.mkdir(parents=True, exist_ok=True)
    data = master.with_name(f"{master.stem}_000001.h5")
    with h5py.File(data, "w", libver=LIBVER) as file:
        images = file.create_dataset("data", (frames, *IMAGE), "<u2", chunks=(1, *IMAGE))
        for row in range(frames):
            images[row] = image(row)
    with h5py.File(master, "w", libver=LIBVER) as file:
        write_metadata(file, frames)
        axis = (0, 1, 1, frames)
        write_virtual(file, "entry/data/data", (frames, *IMAGE), [(axis, data.name, "data", axis)])
    return master
