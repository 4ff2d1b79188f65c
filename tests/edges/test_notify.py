"""Others are told over real sockets: by whoever listens, refuses, hangs or answers nonsense."""

from __future__ import annotations

import json
import queue
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from filewatcher.core.messages import FrameFailed, FrameMissing, FrameResult, Statistics
from filewatcher.edges.notify import GdaLines, HttpLines
from filewatcher.edges.notify import http as notify_http
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator


def done(frame: int, scan: int = 0) -> FrameResult:
    return FrameResult(scan, frame, Statistics(40 + frame, 38, 7, 1250.5, -1.0, -1, -1, -1, -1, 99), "dials")


# ---- GDA


def parsed_as_gda_does(datagram: bytes) -> tuple[int, int, int, int, float, float]:
    kind, dcid, image, spots, no_ice, resolution, signal = datagram.decode("ascii").split(":")
    assert kind == "PIA"
    return int(dcid), int(image), int(spots), int(no_ice), float(resolution), float(signal)


def test_gda_gets_a_datagram_per_analysed_image() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gda:
        gda.bind(("127.0.0.1", 0))
        gda.settimeout(20)
        lines = GdaLines("127.0.0.1", gda.getsockname()[1], (6153461, 6153462))
        lines.outcomes([done(0), FrameFailed(0, 1, "bad"), FrameMissing(0, 2, "gone"), done(3, scan=1)])
        got = [parsed_as_gda_does(gda.recv(1024)) for _ in range(2)]
        assert got == [(6153461, 1, 40, 38, -1.0, 1250.5), (6153462, 4, 43, 38, -1.0, 1250.5)]
        assert lines.close() == ""


def test_a_gda_that_does_not_listen_costs_nothing() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gda:
        gda.bind(("127.0.0.1", 0))
        port = gda.getsockname()[1]
    lines = GdaLines("127.0.0.1", port, (1,))
    lines.outcomes([done(n) for n in range(100)])
    lines.close()


def test_what_the_system_does_not_send_is_counted() -> None:
    # no process may send to a broadcast address without asking for it
    lines = GdaLines("255.255.255.255", 9, (1,))
    lines.outcomes([done(0), done(1)])
    assert lines.close() == "2 lines could not be sent to udp://255.255.255.255:9: Permission denied"


def test_an_unknown_host_is_refused() -> None:
    with pytest.raises(Refused, match=r"--notify udp://no\.such\.host\.invalid:9"):
        GdaLines("no.such.host.invalid", 9, (1,))


# ---- HTTP


class Server(ThreadingHTTPServer):
    """Answers as the script says, then 200; keeps what it took."""

    daemon_threads = False

    def __init__(self, *answers: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: queue.Queue[int] = queue.Queue()
        for answer in answers:
            self.answers.put(answer)
        self.requests: list[tuple[int, list[dict[str, Any]]]] = []
        self.release = threading.Event()
        self.asked = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/events?of=me"

    @property
    def taken(self) -> list[dict[str, Any]]:
        return [line for answer, lines in self.requests if answer == 200 for line in lines]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server
    extensions_map: ClassVar[dict[str, str]] = {}

    def do_POST(self) -> None:
        assert self.path == "/events?of=me"
        assert self.headers["Content-Type"] == "application/x-ndjson"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.set()
        try:
            answer = self.server.answers.get_nowait()
        except queue.Empty:
            answer = 200
        if answer == 0:  # hang
            self.server.release.wait()
            self.close_connection = True
            return
        self.server.requests.append((answer, [json.loads(line) for line in body.splitlines()]))
        self.send_response(answer)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serving(*answers: int) -> Iterator[Server]:
    with Server(*answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.release.set()
            server.shutdown()
            thread.join()


def test_lines_arrive_in_order_and_many_together() -> None:
    with serving() as server:
        lines = HttpLines(server.url)
        for n in range(2000):
            lines.say({"type": "frame", "frame": n, "d_min": None})
        assert lines.close() == ""
        assert [line["frame"] for line in server.taken] == list(range(2000))
        assert len(server.requests) < 2000


def test_a_server_that_fails_for_a_while_gets_everything() -> None:
    with serving(503, 500, 429) as server:
        lines = HttpLines(server.url)
        lines.say({"frame": 0})
        assert lines.close() == ""
        assert [answer for answer, _ in server.requests] == [503, 500, 429, 200]
        assert server.taken == [{"frame": 0}]


def test_a_server_that_starts_late_gets_everything() -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        port = placeholder.getsockname()[1]
    lines = HttpLines(f"http://127.0.0.1:{port}/")
    lines.say({"frame": 0})
    with socket.create_server(("127.0.0.1", port)) as late:
        late.settimeout(20)
        connection, _ = late.accept()
        with connection:
            connection.settimeout(20)
            text = b""
            while b"\n{" not in text and not text.endswith(b'{"frame": 0}\n'):
                text += connection.recv(1000)
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            assert lines.close() == ""


def test_a_refusal_is_final_and_said() -> None:
    with serving(404) as server:
        lines = HttpLines(server.url)
        lines.say({"frame": 0})
        assert server.asked.wait(20)
        assert lines.close() == f"1 lines were not delivered to {server.url}: it answers 404 Not Found"


def test_nobody_there_is_said_and_costs_nothing() -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{placeholder.getsockname()[1]}/"
        lines = HttpLines(url, waiting=50)
        begun = time.perf_counter()
        for n in range(1000):
            lines.say({"frame": n})
        assert time.perf_counter() - begun < 0.5
        said = lines.close(farewell=0.2)
    assert said.startswith(f"1000 lines were not delivered to {url}: ")
    assert "refused" in said


def test_a_server_that_hangs_neither_blocks_nor_is_waited_for() -> None:
    with serving(0) as server:
        lines = HttpLines(server.url)
        lines.say({"frame": 0})
        assert server.asked.wait(20)
        begun = time.perf_counter()
        lines.say({"frame": 1})
        assert time.perf_counter() - begun < 0.1
        said = lines.close(farewell=0.2)
        assert time.perf_counter() - begun < notify_http.TIMEOUT
    assert said.startswith("2 lines were not delivered to ")


@pytest.mark.parametrize(
    "url", ["ftp://host/", "http://", "http://host:99999/", "http://host:0/", "host:80", "nonsense"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    before = threading.active_count()
    with pytest.raises(Refused, match="--notify"):
        HttpLines(url)
    assert threading.active_count() == before
