"""What goes wrong at a beamline: it ends, the counts add up, the rest is done, nobody waits for a late frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Ran, Shell

SIMULATION = ("--detector", "eiger2-1m", "--grid", "10x10", "--rate", 50, "--writers", 2, "--frames-per-file", 20)


def simulated(shell: Shell, raw: Path, *faults: object, timeout: float = 6) -> Ran:
    raw.mkdir()
    watching = shell.start("watch", raw / "grid.nxs", "--json", "--timeout", timeout)
    simulator = shell.start("simulate", raw, *SIMULATION, *faults)
    ran = shell.finish(watching)
    assert shell.finish(simulator).code == 0
    expected, done, failed, missing = ran.counts()
    assert expected == done + failed + missing == 100
    assert [line["frame"] for line in ran.by_frame()] == list(range(100))
    return ran


def test_a_file_that_never_comes_and_a_damaged_chunk(shell: Shell, tmp_path: Path) -> None:
    ran = simulated(shell, tmp_path / "raw", "--no-file", 2, "--corrupt", 50, "--gap", 70)
    assert ran.code == 3, ran.stderr
    lines = ran.by_frame()
    missing = [line for line in lines if line["state"] == "missing"]
    assert [line["frame"] for line in missing] == [*range(20, 40), 69]
    assert "grid_000002.h5 does not exist" in missing[0]["error"]
    assert "not written in grid_000004.h5" in missing[-1]["error"]
    (failed,) = [line for line in ran.frames if line["state"] == "failed"]
    assert failed["file-number"] == 50
    assert failed["attempts"] == 3
    assert "image 50" in ran.stderr
    assert ran.counts() == (100, 78, 1, 21)


def test_a_run_aborted_at_37_percent_ends_when_its_writers_have_closed(shell: Shell, tmp_path: Path) -> None:
    ran = simulated(shell, tmp_path / "raw", "--abort-at", 37, "--rate", 10, timeout=60)
    assert ran.code == 3, ran.stderr
    assert ran.counts() == (100, 37, 0, 63)
    assert "all writers have closed their files" in ran.stderr


def test_a_data_file_that_cannot_be_read_costs_only_its_own_frames(shell: Shell, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    assert shell.run("simulate", raw, *SIMULATION, "--rate", "inf").code == 0
    with (raw / "grid_000002.h5").open("r+b") as file:
        file.seek(48)  # behind the superblock: the root group and the dataset
        file.write(b"\xff" * 400)
    ran = shell.run("reprocess", raw / "grid.nxs", "--json")
    assert ran.code == 3, ran.stderr
    assert ran.counts() == (100, 80, 0, 20)
    reasons = {line["error"] for line in ran.frames if line["state"] == "missing"}
    assert len(reasons) == 1
    assert "grid_000002.h5" in reasons.pop()


def test_a_late_frame_delays_nobody(shell: Shell, tmp_path: Path) -> None:
    ran = simulated(shell, tmp_path / "raw", "--late", "40:10", "--shuffle", 4, timeout=30)
    assert ran.code == 0, ran.stderr
    assert ran.counts() == (100, 100, 0, 0)
    assert ran.frames[-1]["file-number"] == 40


@pytest.mark.parametrize("layout", ["dectris", "dectris-2024", "jungfraujoch", "single"])
def test_every_layout_is_watched_to_its_end(shell: Shell, tmp_path: Path, layout: str) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    master = raw / ("grid.nxs" if layout == "single" else "grid_master.h5")
    watching = shell.start("watch", master, "--json", "--timeout", 10)
    simulator = shell.start("simulate", raw, *SIMULATION, "--layout", layout)
    ran = shell.finish(watching)
    simulated = shell.finish(simulator)
    assert simulated.code == 0, simulated.stderr
    assert ran.code == 0, ran.stderr
    assert ran.counts() == (100, 100, 0, 0)
