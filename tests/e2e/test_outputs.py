"""What others get of a live collection: answers while it runs, lines over the network, files in the end."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from filewatcher.testing.detector import Simulation
from filewatcher.testing.detector.sample import cells, images

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Shell

GRID = (12, 10)


class Receiver(ThreadingHTTPServer):
    """Takes JSON lines."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lines: list[dict[str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.lines += [json.loads(line) for line in body.splitlines()]
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def crystal_of(sim: Simulation) -> tuple[float, float]:
    """Middle of the cells that diffract, (x, y) in cells."""
    column, row = cells(sim)
    shows = images(sim) >= 2
    return float(column[shows].mean()) + 0.5, float(row[shows].mean()) + 0.5


@pytest.mark.timeout(300)
def test_others_are_told_while_it_runs_and_when_it_has_ended(shell: Shell, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    info = {"steps_x": 12.0, "steps_y": 10.0, "dx_mm": 0.02, "dy_mm": 0.02, "snaked": 1, "orientation": "horizontal"}
    info |= {"snapshot_offsetXPixel": 100, "snapshot_offsetYPixel": 50, "micronsPerPixelX": 1, "micronsPerPixelY": 1}
    (tmp_path / "grid.json").write_text(json.dumps(info))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gda, Receiver() as server:
        gda.bind(("127.0.0.1", 0))
        gda.settimeout(20)
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        try:
            watching = shell.start(
                "watch", raw / "grid.nxs", "--json", "--gridinfo", tmp_path / "grid.json",
                "--notify", f"udp://127.0.0.1:{gda.getsockname()[1]}", "--dcid", "42",
                "--notify", f"http://127.0.0.1:{server.server_port}/live",
            )  # fmt: skip
            assert watching.stderr is not None
            assert "waiting for" in watching.stderr.readline()
            words = (
                "--detector",
                "eiger2-1m",
                "--grid",
                "12x10",
                "--rate",
                40,
                "--frames-per-file",
                30,
                "--corrupt",
                7,
            )
            simulator = shell.start("simulate", raw, *words)
            ran = shell.finish(watching)
            assert shell.finish(simulator).code == 0
        finally:
            server.shutdown()
            serving.join()
        datagrams = [gda.recv(1024).decode() for _ in range(119)]
    assert ran.code == 3, ran.stderr
    assert "delivered" not in ran.stderr

    # GDA: every analysed image, with its numbers
    spots = {line["file-number"]: line["n_spots_total"] for line in ran.frames if line["state"] == "done"}
    fields = [datagram.split(":") for datagram in datagrams]
    assert {(kind, dcid) for kind, dcid, *_ in fields} == {("PIA", "42")}
    assert {int(image): int(count) for _, _, image, count, *_ in fields} == spots

    # the same lines by HTTP as on standard output
    assert sorted(map(json.dumps, server.lines)) == sorted(map(json.dumps, ran.lines))

    # answers: the first ones long before the end, the last one right after it, and right
    answers = [line for line in ran.lines if line["type"] == "centring"]
    assert [answer["final"] for answer in answers] == [False] * (len(answers) - 1) + [True]
    assert {(answer["collection"], answer["scan"]) for answer in answers} == {(ran.summary["collection"], 0)}
    assert answers[0]["version"] < 60
    times = ran.summary["times"]
    assert times["centring_s"] - times["last_result_s"] < 0.1
    final = answers[-1]["centring"]
    assert ran.summary["centring"] == final
    place = crystal_of(Simulation(raw, detector="eiger2-1m", grid=GRID))
    assert np.abs(np.subtract(final["centre_of_mass"], place)).max() < 0.5
    assert (final["known"], final["cells"]) == (119, 120)
    right = [a for a in answers if a["centring"]["centre_of_mass"] is not None]
    assert len(right) > 5

    gda_file = json.loads((shell.folder / "grid-filewatcher" / "Dials5AResults.json").read_text())
    assert gda_file["status"] == "ok"
    # boxes of 20 um, 1 um per pixel
    assert gda_file["centre_x"] == pytest.approx(100 + 20 * gda_file["centre_x_box"])
    assert abs(gda_file["centre_x_box"] - place[0]) < 1.0


def test_a_rotation_is_drawn_against_its_angle(shell: Shell, tmp_path: Path) -> None:
    words = ("--detector", "eiger2-1m", "--grid", "12x3", "--rate", "inf", "--oscillation", 5)
    assert shell.run("simulate", tmp_path / "raw", *words).code == 0
    ran = shell.run("reprocess", tmp_path / "raw" / "grid.nxs", "--json", "--images", "3-")
    assert ran.code == 0, ran.stderr
    assert ran.summary["centring"] is None
    assert {line["type"] for line in ran.lines} == {"frame", "summary"}
    folder = shell.folder / "grid-filewatcher"
    with h5py.File(folder / "results.h5") as results:
        plot = results["entry/scan_0/plot"]
        assert plot["omega"][()].tolist() == pytest.approx(np.arange(2, 36) * 5.0)
        spots = plot["n_spots_total"][()]
    # a plate: most in the beam at 90 degrees
    assert spots[16] > 5 * spots[-2:].max()
    assert (folder / "spots.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--notify", "udp://127.0.0.1:9"], "needs --dcid with 1 data collection id, one per master, not 0"),
        (["--notify", "udp://127.0.0.1:9", "--dcid", "1,2"], "not 2"),
        (["--notify", "udp://127.0.0.1", "--dcid", "1"], "write udp://host:port"),
        (["--notify", "udp://no.such.host.invalid:9", "--dcid", "1"], "give a host that is known"),
        (["--notify", "carrier pigeon"], "write http://host:port/path, udp://host:port or ispyb:"),
        (["--dcid", "grid"], "whole numbers"),
    ],
)
def test_words_that_name_nobody_are_refused(shell: Shell, tmp_path: Path, words: list[str], says: str) -> None:
    ran = shell.run("watch", tmp_path / "grid.nxs", *words)
    assert ran.code == 2
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr
