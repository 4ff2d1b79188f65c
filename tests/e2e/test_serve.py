"""The daemon as control systems use it: a real server, real workers, a simulated detector."""

from __future__ import annotations

import json
import random
import runpy
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from filewatcher.cli.serving import server
from filewatcher.core.messages import METRICS
from filewatcher.serveconfig import Listen
from filewatcher.testing.daemon import Daemon
from tests.daemon import Cells, write_tiny

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.e2e.conftest import Shell

SIMULATION = ("--detector", "eiger2-1m", "--grid", "8x6", "--rate", 40, "--writers", 2, "--frames-per-file", 12)
FRAMES = 48
LONG = ("--detector", "eiger2-1m", "--grid", "30x20", "--rate", 100, "--writers", 1)
PROJECT = Path(__file__).parents[2]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    one = Daemon(tmp_path / "daemon", ("--root", str(tmp_path)))
    yield one.start()
    if one.process is not None:
        assert one.stop() == 0
    assert one.faults() == []


def busy(http: httpx.Client) -> float:
    """Workers that have frames, as the daemon says."""
    (line,) = (line for line in http.get("/metrics").text.splitlines() if line.startswith("filewatcher_workers_busy "))
    return float(line.split()[1])


def see_image(daemon: Daemon, collection: str, lines: list[dict[str, Any]]) -> None:
    """Look at the strongest frame: its spots are those that were counted."""
    best = max(lines, key=lambda line: line["n_spots_total"])
    assert best["n_spots_total"] > 0
    where = f"/api/collections/{collection}/frames/{best['frame']}"
    with daemon.http as http:
        picture, notes = http.get(f"{where}/image"), http.get(f"{where}/spots")
        assert picture.content.startswith(b"\x89PNG"), picture.text
        assert len(notes.json()["spots"]) == best["n_spots_total"]
        assert http.get(f"{where}/image?contrast=-1").status_code == 422
        beyond = http.get(f"/api/collections/{collection}/frames/{FRAMES}/image")
    assert (beyond.status_code, beyond.json()["detail"]) == (404, f"image {FRAMES + 1} of scan 0 is not on disk")


@pytest.mark.timeout(300)
def test_a_scan_triggered_before_its_first_file_is_seen_live_and_after_a_restart(
    daemon: Daemon, shell: Shell, tmp_path: Path
) -> None:
    master = tmp_path / "raw" / "grid.nxs"
    master.parent.mkdir()
    collection = daemon.ask(master=str(master), visit="mx1-1", dcid=7)
    assert daemon.ask(master=str(master)) == collection
    assert daemon.get(collection)["state"] == "waiting"

    simulator = shell.start("simulate", master.parent, *SIMULATION)
    cells, looked = Cells(), False
    with daemon.viewer(collection) as told:
        for message in told:
            if isinstance(message, bytes):
                cells.take(message)
                if not looked and cells.cells:
                    looked = True
                    with daemon.http as http:
                        live = http.get(f"/api/collections/{collection}/frames/{min(cells.cells)}/image")
                    assert live.content.startswith(b"\x89PNG"), live.text
            elif message["collection"]["state"] == "done" and len(cells.cells) == FRAMES:
                break
    assert shell.finish(simulator).code == 0
    lines = daemon.lines(collection)
    assert [line["frame"] for line in lines] == list(range(FRAMES))
    for line in lines:
        state, values = cells.cells[line["frame"]]
        assert state == 1
        assert values.tolist() == np.array([line[name] for name in METRICS], np.float32).tolist()

    told_last = daemon.get(collection)
    scan = told_last["scans"][0]
    assert (told_last["dcid"], told_last["visit"], told_last["priority"]) == (7, "mx1-1", "interactive")
    assert (scan["grid"]["columns"], scan["grid"]["rows"], scan["expected"], scan["done"]) == (8, 6, FRAMES, FRAMES)
    assert scan["centring"]["final"]
    with daemon.http as http:
        (tmp_path / "again.h5").write_bytes(http.get(f"/api/collections/{collection}/results.h5").content)
        summary = http.get(f"/api/collections/{collection}/summary").json()["summaries"][0]
    with h5py.File(tmp_path / "again.h5") as file:
        spots = file["entry/scan_0/frames/n_spots_total"][()]
    assert spots.tolist() == [line["n_spots_total"] for line in lines]
    assert (summary["done"], summary["grid"]["columns"]) == (FRAMES, 8)

    see_image(daemon, collection, lines)
    with daemon.http as http:
        numbers = dict(line.rsplit(" ", 1) for line in http.get("/metrics").text.splitlines() if line[0] != "#")
    assert float(numbers['filewatcher_frames_total{state="done"}']) == FRAMES
    for stage in ("seen_submitted", "submitted_done", "analysis", "done_shown"):
        assert float(numbers[f'filewatcher_stage_seconds_count{{stage="{stage}"}}']) > 0

    assert daemon.stop() == 0
    daemon.start()
    assert daemon.get(collection) == told_last
    assert daemon.lines(collection) == lines
    see_image(daemon, collection, lines)
    with daemon.http as http:
        assert http.get("/api/collections").json()["server"]["workers"] == 0, "to look at images takes none"
    assert daemon.ask(master=str(master)) == collection
    table = daemon.run("status")
    assert (table.returncode, collection in table.stdout) == (0, True)


@pytest.mark.timeout(300)
def test_killed_at_random_moments_it_ends_with_the_same_results(shell: Shell, tmp_path: Path) -> None:
    seed = time.time_ns() % 2**32
    moments = random.Random(seed)
    master = tmp_path / "raw" / "grid.nxs"
    master.parent.mkdir()
    daemon = Daemon(tmp_path / "daemon").start()
    collection = daemon.ask(master=str(master))
    simulator = shell.start("simulate", master.parent, *SIMULATION)
    for kills in range(3):
        goal = moments.randrange(FRAMES * kills // 3, FRAMES * (kills + 1) // 3)
        daemon.until(collection, lambda told, goal=goal: told["scans"] and told["scans"][0]["done"] >= goal)  # type: ignore[misc]
        daemon.kill()
        daemon.start()
    told = daemon.ended(collection)
    assert shell.finish(simulator).code == 0
    assert (told["state"], told["reason"]) == ("done", None), f"seed {seed}"
    killed = daemon.lines(collection)
    again = shell.run("reprocess", master, "--json")
    assert again.by_frame() == killed, f"seed {seed}"
    assert len(killed) == FRAMES
    assert daemon.stop() == 0
    assert daemon.faults() == []


def test_what_is_answered_does_not_wait_for_the_other_side() -> None:
    with server._listen(Listen(port=0)) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_second_daemon_on_the_same_state_refuses_to_start(daemon: Daemon) -> None:
    assert daemon.process is not None
    second = daemon.run("serve", "--port", 0)
    assert second.returncode == 2
    assert f"process {daemon.process.pid} serves" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.timeout(240)
def test_ten_collections_at_once(daemon: Daemon, tmp_path: Path) -> None:
    masters = [write_tiny(tmp_path / "raw" / f"scan_{n}.nxs", 3 + n) for n in range(10)]
    collections = [daemon.ask(master=str(master)) for master in masters]
    assert len(set(collections)) == 10
    for n, collection in enumerate(collections):
        told = daemon.ended(collection)
        assert (told["state"], told["scans"][0]["done"]) == ("done", 3 + n), told
    everything = daemon.listed(sort="created", state="done")
    assert [one["id"] for one in everything["collections"]] == collections
    assert everything["total"] == 10


@pytest.mark.timeout(240)
def test_cancelling_is_done_within_a_second_and_says_what_was_there(
    daemon: Daemon, shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "raw").mkdir()
    # real DIALS takes long enough that frames wait for workers all the time
    collection = daemon.ask(master=str(tmp_path / "raw" / "grid.nxs"), engine="dials")
    simulator = shell.start("simulate", tmp_path / "raw", *LONG)
    daemon.until(collection, lambda told: told["scans"] and told["scans"][0]["done"] >= 5)
    with daemon.http as http:
        assert busy(http) > 0
        begun = time.monotonic()
        assert http.delete(f"/api/collections/{collection}").json()["state"] == "cancelled"
        while busy(http):
            assert time.monotonic() - begun < 1.0
        assert http.get("/api/collections", params={"state": "cancelled"}).json()["total"] == 1
    told = daemon.get(collection)["scans"][0]
    assert 5 <= told["done"] < told["written"], "frames were waiting"
    assert len(daemon.lines(collection)) == told["done"]
    other = daemon.ask(master=str(write_tiny(tmp_path / "raw" / "other.nxs")))
    assert daemon.ended(other)["state"] == "done", "its workers serve others"
    never = daemon.ask(master=str(tmp_path / "raw" / "never.nxs"))
    ended = daemon.run("cancel", never)
    assert (ended.returncode, ended.stdout) == (0, f"{never} cancelled\n")
    simulator.kill()
    daemon.kill()
    daemon.start()
    assert daemon.get(collection)["state"] == "cancelled"
    assert len(daemon.lines(collection)) >= 5, "what was recorded is shown after a restart"


@pytest.mark.timeout(240)
def test_reprocessing_with_other_parameters_stands_beside_the_first(daemon: Daemon, tmp_path: Path) -> None:
    first = daemon.ask(master=str(write_tiny(tmp_path / "raw" / "scan.nxs")))
    daemon.ended(first)
    with daemon.http as http:
        answer = http.post(f"/api/collections/{first}/reprocess", json={"parameters": ["d_min=2.5"]})
        assert answer.status_code == 201, answer.text
        wrong = http.post(f"/api/collections/{first}/reprocess", json={"parameters": ["d_mim=2.5"]})
    assert (wrong.status_code, "d_mim" in wrong.json()["detail"]) == (422, True)
    told = daemon.ended(answer.json()["id"])
    assert (told["state"], told["reprocess_of"], told["parameters"]["d_min"]) == ("done", first, 2.5)
    assert told["priority"] == "reprocess"
    assert daemon.get(first)["parameters"]["d_min"] is None
    assert daemon.get(first)["results"] != daemon.get(told["id"])["results"]


@pytest.mark.timeout(240)
def test_a_detector_that_stops_early_is_said_so(daemon: Daemon, tmp_path: Path) -> None:
    collection = daemon.ask(master=str(tmp_path / "raw" / "never.nxs"))
    with daemon.http as http:
        assert http.post(f"/api/collections/{collection}/end").status_code == 202
    told = daemon.ended(collection)
    assert told["state"] == "failed"
    assert "never.nxs did not come: the detector was said to have stopped" in told["reason"]


@pytest.mark.timeout(240)
def test_new_masters_in_a_folder_start_collections(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    daemon = Daemon(tmp_path / "daemon", ("--watch-directory", str(raw), "--root", str(raw))).start()
    try:
        write_tiny(raw / "visit" / "scan.nxs")
        deadline = time.monotonic() + 60
        while not (found := daemon.listed()["collections"]):
            assert time.monotonic() < deadline
        (one,) = found
        assert (one["origin"], one["masters"]) == ("directory", [str(raw / "visit" / "scan.nxs")])
        assert daemon.ended(one["id"])["state"] == "done"
        assert daemon.listed()["total"] == 1
    finally:
        daemon.stop()
    assert daemon.faults() == []


def test_the_script_for_gda_starts_and_ends_a_collection_and_never_raises(
    daemon: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = runpy.run_path(str(PROJECT / "examples/trigger_from_gda.py"))
    settings = script["start"].__globals__
    settings["URL"] = daemon.url
    collection = script["start"]([str(tmp_path / "grid.nxs")], columns=3, rows=2, snaked=True, dcids=[7], visit="mx1-1")
    assert daemon.get(collection)["priority"] == "interactive"
    script["end"](collection)
    assert daemon.ended(collection)["state"] == "failed"
    assert script["start"](["/somewhere/else.nxs"]) is None
    assert "outside the folders that this server may read" in capsys.readouterr().out
    settings["URL"] = "http://127.0.0.1:9"
    assert script["start"](["/somewhere/else.nxs"]) is None
    assert "filewatcher was not told" in capsys.readouterr().out


def test_without_a_daemon_commands_say_so(tmp_path: Path) -> None:
    nobody = Daemon(tmp_path / "nobody")
    nobody.folder.mkdir()
    ended = nobody.run("status")
    assert (ended.returncode, "start one, or give --url" in ended.stderr) == (4, True)
    ended = nobody.run("cancel", "x", "--url", "http://127.0.0.1:9")
    assert (ended.returncode, "is 'filewatcher serve' running?" in ended.stderr) == (4, True)


def test_its_openapi_tells_what_may_be_sent(daemon: Daemon) -> None:
    with daemon.http as http:
        told = http.get("/api/openapi.json").json()
        health = http.get("/health")
    assert "/api/collections/{collection}/cells" in told["paths"]
    assert "examples" in json.dumps(told["components"]["schemas"]["AskBody"])
    assert health.json() == {"status": "ok"}
