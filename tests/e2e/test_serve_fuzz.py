"""Whatever is sent to the daemon, by its own description or against it, it answers in words and stays up."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from filewatcher.testing.daemon import PATIENCE, Daemon
from tests.daemon import write_tiny

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "control-" + "x" * 24
FRAMES = 6
EXAMPLES = 12
"""Requests of each kind per route."""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("fuzz")
    tokens = folder / "tokens"
    tokens.write_text(f"control {TOKEN}\n")
    tokens.chmod(0o600)
    one = Daemon(folder / "daemon", ("--root", str(folder), "--tokens", str(tokens)), token=TOKEN).start()
    one.ended(one.ask(master=str(write_tiny(folder / "raw" / "scan.nxs", FRAMES))))
    yield one
    assert one.stop() == 0
    assert one.faults() == []


@pytest.mark.timeout(290)
def test_no_request_that_its_schema_allows_or_forbids_is_a_fault_of_ours(daemon: Daemon) -> None:
    with daemon.http as http:
        schema = schemathesis.openapi.from_dict(http.get("/api/openapi.json").json())
    known = daemon.listed()["collections"][0]["id"]
    failures: list[str] = []
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            strategy = operation.as_strategy(generation_mode=mode)

            @settings(
                max_examples=EXAMPLES,
                phases=[Phase.generate],
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(strategy)
            def one(case: Any) -> None:
                if "collection" in (case.path_parameters or {}) and case.path_parameters["collection"] != "":
                    case.path_parameters["collection"] = known
                if isinstance(frame := (case.path_parameters or {}).get("frame"), int):
                    case.path_parameters["frame"] = frame % FRAMES if frame >= 0 else frame
                if case.query and case.query.get("scan") in range(100):
                    case.query["scan"] //= 50  # half of them are of the scan that there is
                if case.query and "wait" in case.query:
                    case.query["wait"] = 0
                answer = case.call(base_url=daemon.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=PATIENCE)
                # 503: as many collections as are allowed, or no worker yet; in words
                fault = answer.status_code >= 500 and answer.status_code != 503
                if fault or (answer.status_code >= 400 and not answer.json()["detail"]):
                    failures.append(f"{case.method} {case.formatted_path}: {answer.status_code} {answer.text[:300]}")

            try:
                one()
            except Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE, "there is a right way to ask for everything"
    assert failures == []
    assert daemon.listed()["total"] > 0


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01 TLS to a port without",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /api/collections HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/collections HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n",
        b"GET /api/collections/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /static/..%2f..%2fapp.py HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /api/collections/%00/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_nothing_of_the_machine_is_told(daemon: Daemon, request_bytes: bytes) -> None:
    port = int(daemon.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request_bytes)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert not answer or answer.split(b" ", 2)[1].startswith(b"4"), answer[:200]
    for word in (b"Traceback", b"root:", b"site-packages", str(daemon.folder).encode()):
        assert word not in answer
    with daemon.http as http:
        assert http.get("/health").status_code == 200


def test_other_peoples_files_are_not_read(daemon: Daemon, tmp_path: Path) -> None:
    inside = daemon.folder.parent
    (inside / "link.nxs").symlink_to("/etc/passwd")
    secret = write_tiny(tmp_path / "secret" / "scan.nxs")
    (inside / "leads_out.nxs").symlink_to(secret)
    with daemon.http as http:
        for master in ("/etc/passwd", str(secret), str(inside / "link.nxs"), str(inside / "leads_out.nxs"), "x.nxs"):
            answer = http.post("/api/collections", json={"master": master})
            assert answer.status_code == 403, answer.text
        answer = http.post("/api/collections", json={"master": str(inside / "m.nxs"), "snapshot": "/etc/passwd"})
        assert answer.status_code == 403
        for name in ("..%2f..%2fservice.sqlite3", "run.json", "%2fetc%2fpasswd"):
            known = daemon.listed(state="done")["collections"][0]["id"]
            assert http.get(f"/api/collections/{known}/files/{name}").status_code == 404
