"""Two grids of one detector arming: two masters, one set of data files, one collection."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import h5py
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Shell

SIMULATION = ("--detector", "eiger2-1m", "--grid", "9x7", "--second", "9x5", "--frames-per-file", 20)


@pytest.mark.timeout(300)
def test_a_live_pair_equals_its_reprocessing_also_after_a_kill(
    shell: Shell, other_shell: Shell, tmp_path: Path
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    masters = (raw / "grid.nxs", raw / "grid_second.nxs")
    watching = shell.start("watch", *masters, "--json")
    killed = other_shell.start("watch", *masters, "--json")
    for process in (watching, killed):
        assert process.stderr is not None
        assert "waiting for" in process.stderr.readline()
    simulator = shell.start("simulate", raw, *SIMULATION, "--rate", 20)
    assert killed.stdout is not None
    first = [json.loads(killed.stdout.readline()) for _ in range(70)]
    assert {line["scan"] for line in first if line["type"] == "frame"} == {0, 1}, "the second grid had begun"
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    other_shell.running.remove(killed)
    resumed = other_shell.run("watch", *masters, "--json")

    assert shell.finish(simulator).code == 0
    live = shell.finish(watching)
    assert live.code == 0, live.stderr
    assert [(line["scan"], line["frame"]) for line in live.by_frame()] == [
        *((0, frame) for frame in range(63)),
        *((1, frame) for frame in range(45)),
    ]
    assert [(s["scan"], s["expected"], s["done"]) for s in live.summaries] == [(0, 63, 63), (1, 45, 45)]
    assert [s["master"] for s in live.summaries] == [str(master) for master in masters]
    assert [s["grid"]["rows"] for s in live.summaries] == [7, 5]
    assert resumed.code == 0, resumed.stderr
    assert resumed.by_frame() == live.by_frame()
    assert "of them are on record" in resumed.stderr

    again = shell.run("reprocess", *masters, "--json", "--force")
    assert again.by_frame() == live.by_frame()
    # each grid is analysed as if it were alone: the second one begins in the midst of a data file
    alone = other_shell.run("reprocess", masters[1], "--json")
    numbers = [line["n_spots_total"] for line in live.by_frame() if line["scan"] == 1]
    assert [line["n_spots_total"] for line in alone.by_frame()] == numbers
    assert max(numbers) > 50
    folder = shell.folder / "grid-filewatcher"
    with h5py.File(folder / "results.h5") as results:
        assert results["entry/scan_0/grid/n_spots_total"].shape == (7, 9)
        assert results["entry/scan_1/grid/n_spots_total"].shape == (5, 9)
        assert len(results["entry/process/masters/path"]) == 2
    assert json.loads((folder / "summary_scan_1.json").read_text())["scan"] == 1
    assert (folder / "heatmap_scan_1.png").read_bytes().startswith(b"\x89PNG")


def test_masters_that_do_not_belong_together_are_refused(shell: Shell, tmp_path: Path) -> None:
    small = ("--detector", "eiger2-1m", "--grid", "4x3", "--rate", "inf")
    for name in ("one", "two"):
        assert shell.run("simulate", tmp_path, "--name", name, *small).code == 0
    one, two = tmp_path / "one.nxs", tmp_path / "two.nxs"
    for words, says in (
        ((one, two), "are not over one set of data files"),
        ((one, tmp_path / "." / "one.nxs"), "is given twice"),
        ((one, two, "--grid", "4x3,4x3,4x3"), "3 words for 2 scans"),
        ((one, tmp_path / "absent.nxs"), "absent.nxs does not exist"),
    ):
        ran = shell.run("reprocess", *words, "--output", tmp_path / "results")
        assert ran.code == 2, ran.stderr
        assert says in ran.stderr
        assert len([line for line in ran.stderr.splitlines() if line.startswith("filewatcher: ")]) == 1
    live = shell.run("watch", one, two, "--timeout-first", 20)
    assert live.code == 2
    assert "are not over one set of data files" in live.stderr
