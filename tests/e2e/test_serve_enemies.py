"""A daemon among people who try what they should not: real requests, real files, a real full disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import h5py
import pytest

from filewatcher.testing.daemon import Daemon
from filewatcher.testing.tinyfiles import LIBVER, write_data, write_metadata
from tests.daemon import write_tiny

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = 3


@pytest.mark.timeout(240)
def test_a_collection_that_gains_a_way_out_while_it_is_watched_shows_nothing_of_it(tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    mine.mkdir()
    theirs.mkdir()
    write_data(theirs / "secret.h5", range(ROWS))
    master = mine / "scan_master.h5"
    with h5py.File(master, "w", libver=LIBVER) as file:
        write_metadata(file, 2 * ROWS)
        for name, number in (("a.h5", 1), ("b.h5", 2)):
            file[f"entry/data/data_{number:06d}"] = h5py.ExternalLink(name, "data")
    write_data(mine / "a.h5", range(ROWS))
    daemon = Daemon(tmp_path / "daemon", ("--root", str(mine))).start()
    try:
        collection = daemon.ask(master=str(master))
        daemon.until(collection, lambda told: told["scans"] and told["scans"][0]["done"] == ROWS)
        (mine / "b.h5").symlink_to(theirs / "secret.h5")
        told = daemon.ended(collection)
        assert told["state"] == "failed"
        assert told["reason"].endswith("b.h5 is, or leads, outside the folders that this server may read")
        assert [line["frame"] for line in daemon.lines(collection) if line["state"] == "done"] == list(range(ROWS))
        with daemon.http as http:
            for frame in (0, ROWS):  # of what has ended, its own images too: its master leads out
                answer = http.get(f"/api/collections/{collection}/frames/{frame}/image")
                assert (answer.status_code, "outside the folders" in answer.json()["detail"]) == (403, True)
    finally:
        assert daemon.stop() == 0
    assert daemon.faults() == []


def fill(disk: Path) -> Path:
    """Leave no byte."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 10, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue
    return filler


@pytest.mark.timeout(240)
def test_a_full_disk_under_its_state_is_said_and_stops_nobody_for_good(small_disk: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    config = tmp_path / "serve.yaml"
    config.write_text(f"{{results: {tmp_path / 'results'}, limits: {{running: 2}}}}")
    daemon = Daemon(small_disk, ("--config", str(config))).start()
    try:
        waiting = daemon.ask(master=str(raw / "waiting.nxs"))
        full = fill(small_disk)
        with daemon.http as http:
            refused = http.post("/api/collections", json={"master": str(raw / "another.nxs")})
            assert refused.status_code == 503
            assert refused.json()["detail"].endswith("is the disk full?")
            assert http.get("/api/collections").json()["total"] == 1, "what is not on record was not taken"
        write_tiny(raw / "waiting.nxs")
        told = daemon.ended(waiting)
        assert told["state"] == "failed"
        assert "make room" in told["reason"]

        full.unlink()
        again = [daemon.ask(master=str(raw / "waiting.nxs")), daemon.ask(master=str(write_tiny(raw / "another.nxs")))]
        assert [daemon.ended(one)["state"] for one in again] == ["done", "done"]
        fill(small_disk)
    finally:
        assert daemon.stop() == 0
    assert daemon.faults() == []


@pytest.mark.timeout(120)
def test_what_is_no_file_no_text_or_no_end_is_refused_at_once(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "daemon").start()
    os.mkfifo(tmp_path / "pipe.nxs")
    try:
        with daemon.http as http:
            for path, words in (
                (f"{tmp_path}/pipe.nxs", "a device, a pipe or a socket"),
                ("/dev/zero", "a device, a pipe or a socket"),
                (str(tmp_path), "is a folder: give the master file in it"),
                (f"{tmp_path}/pipe.nxs/master.nxs/..", "without '..'"),
            ):
                answer = http.post("/api/collections", json={"master": path})
                assert (answer.status_code, words in answer.json()["detail"]) == (403 if ".." in path else 422, True)
            here = {"Content-Type": "application/json"}
            for body in (
                b"[" * 60_000,
                b'{"master":' * 6000,
                b'{"master": ' + b"9" * 60_000 + b"}",
                b'"' + b"\\" * 60_000,
            ):
                answer = http.post("/api/collections", content=body, headers=here)
                assert answer.status_code in {400, 422}, answer.text
                assert answer.json()["detail"]
            assert http.post("/api/collections", content=endless(), headers=here).status_code in {400, 413, 422}
            assert http.get("/api/collections").json()["total"] == 0
    finally:
        assert daemon.stop() == 0
    assert daemon.faults() == []


def endless() -> Iterator[bytes]:
    """A body that does not say how long it is, and stops far beyond what is allowed."""
    for _ in range(1000):
        yield b" " * 4096


@pytest.mark.timeout(240)
def test_ten_thousand_asks_leave_it_answering(tmp_path: Path) -> None:
    config = tmp_path / "serve.yaml"
    config.write_text("limits: {running: 1, queued: 5}")
    daemon = Daemon(tmp_path / "daemon", ("--config", str(config))).start()
    try:
        with daemon.http as http:
            codes = [
                http.post("/api/collections", json={"master": f"/nowhere/{n}.nxs"}).status_code for n in range(10_000)
            ]
            assert codes == [201] * 6 + [503] * 9994
            assert http.get("/api/collections").json()["total"] == 6
            assert http.get("/health").elapsed.total_seconds() < 1.0
    finally:
        assert daemon.stop() == 0
    assert daemon.faults() == []
