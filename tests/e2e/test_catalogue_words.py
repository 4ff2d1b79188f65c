"""What a person is told of files that cannot be read, and of a second collection under the names of the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filewatcher.testing.stepwriter import StepWriter
from tests.edges.conftest import ROWS, Beamline

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Shell

SIMULATION = ("--detector", "eiger2-1m", "--grid", "10x2", "--writers", 2, "--frames-per-file", 5)


def test_a_master_that_is_never_whole(shell: Shell, tmp_path: Path) -> None:
    master = tmp_path / "scan_master.h5"
    master.write_bytes(Beamline(tmp_path).write_master().read_bytes()[:1000])
    ran = shell.run("watch", master, "--timeout-first", 12)
    assert ran.code == 1
    problem = f"{master} has 1000 of the "
    assert f"warning: {problem}" in ran.stderr
    assert ran.stderr.splitlines()[-1].startswith(f"filewatcher: {problem}")
    assert ran.stderr.endswith("no frame came within 12 s (--timeout-first)\n")


def test_a_data_file_that_nobody_may_read_yet(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    beamline = Beamline(tmp_path / "raw")
    with StepWriter() as writer:
        writer.create(beamline.a, ROWS, swmr=False)
        ran = shell.run("watch", beamline.write_master(), "--timeout-first", 12, "--json", "--workers", 1)
    assert ran.code == 3, ran.stderr
    assert ran.counts() == (2 * ROWS, 0, 0, 2 * ROWS)
    problem = f"{beamline.a} is held by a writer that lets nobody read it yet"
    assert ran.stderr.count(f"warning: {problem}") == 1
    reasons = [line["error"] for line in ran.by_frame()]
    assert all(reason.startswith(problem) for reason in reasons[:ROWS])
    assert all(reason.startswith("b.h5 does not exist") for reason in reasons[ROWS:])


def test_a_second_collection_is_a_run_of_its_own(shell: Shell, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    watching = shell.start("watch", raw / "grid.nxs", "--json", "--timeout", 60)
    first = shell.run("simulate", raw, *SIMULATION, "--rate", 50, "--kill", 11)
    assert first.code == 0, first.stderr
    assert watching.stdout is not None
    assert '"state": "done"' in watching.stdout.readline()
    second = shell.run("simulate", raw, *SIMULATION, "--rate", 50, "--overwrite", "--seed", 7)
    assert second.code == 0, second.stderr
    ran = shell.finish(watching)
    assert ran.code == 3, ran.stderr
    expected, done, failed, missing = ran.counts()
    assert (expected, failed) == (20, 0)
    assert 0 < done < 20
    assert done + missing == 20
    assert "frames of two collections are not mixed" in ran.stderr
    again = shell.run("watch", raw / "grid.nxs", "--json")
    assert again.code == 0, again.stderr
    assert again.counts() == (20, 20, 0, 0)
    afresh = shell.run("reprocess", raw / "grid.nxs", "--json", "--force")
    assert again.by_frame() == afresh.by_frame()  # not one line of the first collection
