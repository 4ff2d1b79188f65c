"""A detector writes, filewatcher watches: started before the first file, killed, started again."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.e2e.conftest import Shell

SIMULATION = ("--detector", "eiger2-4m", "--grid", "12x10", "--rate", 50, "--writers", 4, "--frames-per-file", 20)


def wait_until_it_watches(process: subprocess.Popen[str]) -> None:
    """Return when the command says that it waits for its master."""
    assert process.stderr is not None
    assert "waiting for" in process.stderr.readline()


@pytest.mark.timeout(400)
def test_a_live_grid_scan_equals_its_reprocessing_also_after_a_kill(
    shell: Shell, other_shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    master = tmp_path / "raw" / "grid.nxs"
    (tmp_path / "raw").mkdir()

    watching = shell.start("watch", master, "--json")
    killed = other_shell.start("watch", master, "--json")
    for process in (watching, killed):
        wait_until_it_watches(process)
    simulator = shell.start("simulate", master.parent, *SIMULATION)

    # the first results are told while most of the collection is still to come; then the lights go out
    assert killed.stdout is not None
    first: list[dict[str, Any]] = []
    while len(first) < 8:
        line = json.loads(killed.stdout.readline())
        first += [line] if line["type"] == "frame" else []
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    other_shell.running.remove(killed)
    with monkeypatch.context() as other:
        other.setenv("FILEWATCHER_DIRECT_INDEX", "0")
        resumed = other_shell.run("watch", master, "--json")

    assert shell.finish(simulator).code == 0
    live = shell.finish(watching)
    assert live.code == 0, live.stderr
    assert live.counts() == (120, 120, 0, 0)
    assert live.summary["times"]["watch_share"] > 0
    assert live.summary["times"]["watch_looks"] > 0
    assert live.summary["times"]["watch_slow_files"] == 0
    assert "watching took" in live.stderr
    assert [line["frame"] for line in live.by_frame()] == list(range(120))

    assert resumed.code == 0, resumed.stderr
    assert resumed.summary["times"]["watch_slow_files"] > 0
    assert resumed.frames[: len(first)] != []
    recorded = {line["frame"] for line in resumed.frames[: len(first)]}
    assert {line["frame"] for line in first} <= {line["frame"] for line in resumed.frames}
    assert len(recorded) == len(first)
    assert resumed.by_frame() == live.by_frame()

    again = shell.run("reprocess", master, "--json", "--force")
    assert again.by_frame() == live.by_frame()
    assert again.summary["grid"] == live.summary["grid"]
    assert (live.summary["grid"]["columns"], live.summary["grid"]["rows"]) == (12, 10)

    # part of the grid diffracts, and the picture is that of the grid
    spots = np.array([line["n_spots_total"] for line in live.by_frame()])
    assert (spots > 50).any()
    assert (spots < 5).any()
    with h5py.File(shell.folder / "grid-filewatcher" / "results.h5") as results:
        picture = results["entry/scan_0/grid/n_spots_total"][()]
    assert picture.shape == (10, 12)
    assert picture[0].tolist() == spots[:12].tolist()
    assert picture[1].tolist() == spots[12:24][::-1].tolist()
    assert (shell.folder / "grid-filewatcher" / "heatmap.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in master.parent.iterdir()) == [
        "grid.nxs",
        *(f"grid_{n:06d}.h5" for n in range(1, 7)),
        "grid_meta.h5",
    ], "nothing is written beside the raw data"
