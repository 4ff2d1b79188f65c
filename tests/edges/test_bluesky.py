"""A real RunEngine, and a daemon's door that answers as the test says."""

from __future__ import annotations

import json
import logging
import queue
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import bluesky.plan_stubs as bps
import numpy as np
import pytest
from bluesky import RunEngine

from filewatcher.edges.bluesky import FilewatcherCallback
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

MASTER = "/data/visit/grid_1.nxs"


class Door(ThreadingHTTPServer):
    """Answers as told, then as a daemon does; keeps what it was asked."""

    daemon_threads = False

    def __init__(self, *answers: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: queue.SimpleQueue[int] = queue.SimpleQueue()
        for answer in answers:
            self.answers.put(answer)
        self.asked: list[tuple[str, Any, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def paths(self) -> list[str]:
        return [path for path, _, _ in self.asked]


class Handler(BaseHTTPRequestHandler):
    server: Door

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            code = self.server.answers.get_nowait()
        except queue.Empty:
            code = 201
            self.server.asked.append((self.path, body, self.headers["Authorization"]))
        answer = {"id": f"c{len(self.server.asked)}", "new": True, "detail": "the daemon is busy"}
        self.send_response(code)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def daemon(*answers: int) -> Iterator[Door]:
    with Door(*answers) as door:
        thread = threading.Thread(target=door.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield door
        finally:
            door.shutdown()
            thread.join()


class FileWriter:
    """What a plan reads: the name of the file that is being written; as an area detector's plugin has it."""

    name = "odin"
    parent = None

    def __init__(self, path: str) -> None:
        self.path = path

    def read(self) -> dict[str, Any]:
        return {"odin_file": {"value": self.path, "timestamp": 0.0}}

    def describe(self) -> dict[str, Any]:
        return {"odin_file": {"source": "test", "dtype": "string", "shape": []}}

    def read_configuration(self) -> dict[str, Any]:
        return {}

    def describe_configuration(self) -> dict[str, Any]:
        return {}


def plan(path: str, **metadata: Any) -> Any:
    writer = FileWriter(path)
    yield from bps.open_run(metadata)
    for _ in range(3):
        yield from bps.create()
        yield from bps.read(writer)
        yield from bps.save()
    yield from bps.close_run()


@pytest.fixture
def engine() -> Iterator[RunEngine]:
    one = RunEngine({}, context_managers=[])
    yield one
    one.loop.call_soon_threadsafe(one.loop.stop)
    one._th.join()
    one.loop.close()


def run(engine: RunEngine, door: Door, what: Any, **how: Any) -> None:
    callback = FilewatcherCallback(door.url, file_key="odin_file", **how)
    engine(what, callback)
    assert callback.flush(20)


def test_a_run_is_a_collection_from_its_first_event_to_its_end(engine: RunEngine) -> None:
    grid = {"columns": 30, "rows": 8, "snaked": True}
    with daemon() as door:
        run(engine, door, plan(MASTER, filewatcher={"grid": grid}, ispyb_dcids=(7,)), token="secret")
        assert door.asked == [
            ("/api/collections", {"masters": [MASTER], "dcids": [7], "grid": grid}, "Bearer secret"),
            ("/api/collections/c1/end", {}, "Bearer secret"),
        ]


def test_a_file_may_be_named_after_its_master_or_by_ids_alone(engine: RunEngine) -> None:
    with daemon() as door:
        run(engine, door, plan("/data/visit/grid_1_000001.h5"), master=lambda path: path.replace("_000001.h5", ".nxs"))
        run(engine, door, plan("ins_4_12", ispyb_dcids=(7, 8)))
        assert [body for path, body, _ in door.asked if not path.endswith("end")] == [
            {"masters": [MASTER]}, {"dcids": [7, 8]},
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("resource", {"root": "/data", "resource_path": "visit/grid_1.nxs"}),
        ("resource", {"root": "", "resource_path": "/data/visit/grid_1.nxs"}),
        ("stream_resource", {"uri": "file://localhost/data/visit/grid%5F1.nxs"}),
    ],
)
def test_documents_of_files_say_where_they_are(name: str, document: dict[str, Any]) -> None:
    with daemon() as door:
        callback = FilewatcherCallback(door.url)
        callback("start", {"uid": "a"})
        callback("start", {"uid": "b"})
        callback(name, {**document, "run_start": "a"})
        callback(name, {**document, "run_start": "a"})
        callback("stop", {"run_start": "b"})
        assert callback.flush(20)
        assert [body for _, body, _ in door.asked] == [{"masters": [MASTER]}]
        callback("stop", {"run_start": "a"})
        assert callback.flush(20)
        assert door.paths == ["/api/collections", "/api/collections/c1/end"]


def test_a_daemon_that_is_busy_is_asked_again(engine: RunEngine) -> None:
    with daemon(503, 500) as door:
        run(engine, door, plan(MASTER))
        assert door.paths == ["/api/collections", "/api/collections/c1/end"]


@pytest.mark.parametrize("answers", [(401,), None])
def test_a_plan_does_not_care_what_becomes_of_it(
    engine: RunEngine, answers: tuple[int, ...] | None, caplog: pytest.LogCaptureFixture
) -> None:
    with daemon(*answers or ()) as door:
        url = door.url
        if answers:
            run(engine, door, plan(MASTER))
            assert door.asked == []
    if not answers:  # nobody listens there any more
        callback = FilewatcherCallback(url, file_key="odin_file", patience=0.5)
        engine(plan(MASTER), callback)
        assert callback.flush(20)
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert line.startswith(f"filewatcher at {url}/api/collections: {'401: the daemon is busy' if answers else ''}")


@pytest.mark.parametrize("metadata", [{"ispyb_dcids": ("seven",)}, {"filewatcher": {"visit": np.arange(3)}}])
def test_what_cannot_be_used_of_a_run_ends_neither_its_plan_nor_the_next_run(
    engine: RunEngine, metadata: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with daemon() as door:
        callback = FilewatcherCallback(door.url, file_key="odin_file")
        engine(plan(MASTER, **metadata), callback)
        engine(plan("/data/visit/next.nxs"), callback)
        assert callback.flush(20)
        assert [body for path, body, _ in door.asked if not path.endswith("end")] == [
            {"masters": ["/data/visit/next.nxs"]}
        ]
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert line.startswith("a run is not analysed: its documents cannot be used")


def test_a_name_that_leads_nowhere_is_said(engine: RunEngine, caplog: pytest.LogCaptureFixture) -> None:
    with daemon() as door:
        run(engine, door, plan("ins_4_12"))
        assert door.asked == []
    assert "ins_4_12 is no absolute path" in caplog.text


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(Refused, match="write the URL of the daemon"):
        FilewatcherCallback("filewatcher.site:8765")
