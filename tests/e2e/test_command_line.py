"""What a user may do wrong: one clear sentence, the right exit code, nothing lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Shell


@pytest.fixture
def raw(shell: Shell, tmp_path: Path) -> Path:
    """A small finished collection."""
    folder = tmp_path / "raw"
    simulation = ("--detector", "eiger2-1m", "--grid", "5x4", "--rate", "inf", "--frames-per-file", 10)
    ran = shell.run("simulate", folder, *simulation)
    assert ran.code == 0, ran.stderr
    return folder


def test_it_says_which_version_it_is(shell: Shell) -> None:
    process = shell.start("--version")
    out, err = process.communicate()
    assert (process.returncode, out, err) == (0, f"filewatcher {version('filewatcher')}\n", "")


def one_sentence(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.startswith("filewatcher: ")]
    assert len(lines) == 1, stderr
    assert "Traceback" not in stderr
    return lines[0]


@pytest.mark.parametrize("command", ["inspect", "reprocess"])
def test_a_master_that_we_may_not_look_at_is_no_fault_of_ours(shell: Shell, tmp_path: Path, command: str) -> None:
    """To root nothing is forbidden; a name that is too long is refused by the same calls, in the same way."""
    ran = shell.run(command, tmp_path / f"{'x' * 300}.nxs")
    assert ran.code == 1
    assert one_sentence(ran.stderr).endswith("cannot be opened: File name too long")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["d_mx=40"], 2, "unknown parameter d_mx: did you mean d_max?"),
        (["sigma_strong=high"], 2, "sigma_strong"),
        (["--engine", "magic"], 2, "magic"),
        (["--select", "some"], 2, "every, every-N, select-N"),
        (["--images", "9-3"], 2, "1-500"),
        (["--grid", "30"], 2, "COLSxROWS"),
        (["--grid", "7x3", "--snaked"], 2, "grid 7x3 has 21 cells, but"),
        (["--images", "30-40"], 2, "images 30-40: "),
        (["--start", "middle"], 2, "top-right"),
        (["--orientation", "diagonal"], 2, "horizontal or vertical"),
        (["--channel", "threshold_9"], 2, "has no channels, so there is no 'threshold_9'"),
    ],
)
def test_wrong_words_are_refused(shell: Shell, raw: Path, words: list[str], code: int, says: str) -> None:
    ran = shell.run("reprocess", raw / "grid.nxs", *words)
    assert ran.code == code, ran.stderr
    assert says in one_sentence(ran.stderr)


def test_what_is_no_master_is_named(shell: Shell, tmp_path: Path) -> None:
    absent = shell.run("reprocess", tmp_path / "nothing.nxs")
    assert absent.code != 0
    assert "nothing.nxs" in one_sentence(absent.stderr)
    (tmp_path / "text.nxs").write_text("this is no HDF5 file\n" * 10)
    text = shell.run("reprocess", tmp_path / "text.nxs")
    assert text.code == 1
    assert "text.nxs is not an HDF5 file" in one_sentence(text.stderr)
    for command in ("reprocess", "watch", "inspect"):
        folder = shell.run(command, tmp_path)
        assert folder.code == 2
        assert "is a folder: give the master file in it" in one_sentence(folder.stderr)


def test_a_master_that_never_comes_is_named(shell: Shell, tmp_path: Path) -> None:
    for words in ((), ("--frames", 10)):
        ran = shell.run("watch", tmp_path / "nothing.nxs", "--timeout-first", 1, *words)
        assert ran.code == 1
        assert "nothing.nxs did not come: no frame came within 1 s (--timeout-first)" in one_sentence(ran.stderr)


def test_help_shows_every_default(shell: Shell) -> None:
    process = shell.start("watch", "--help")
    out, _ = process.communicate()
    shell.running.remove(process)
    for default in ("one per core", "./<master stem>-filewatcher", "from positions", "top-left", "10, or 20 exposures"):
        assert f"[default: ({default})]" in " ".join(out.split()) or f"({default})" in out, default


def test_output_near_raw_data_is_refused(shell: Shell, raw: Path) -> None:
    for output in (raw, raw / "results", raw / "deep" / ".." / "er"):
        ran = shell.run("reprocess", raw / "grid.nxs", "--output", output)
        assert ran.code == 2
        assert "holds raw data" in one_sentence(ran.stderr)
    assert not (raw / "results").exists()


def test_the_same_run_resumes_and_another_one_gets_its_own_folder(shell: Shell, raw: Path) -> None:
    first = shell.run("reprocess", raw / "grid.nxs", "--json")
    assert first.code == 0, first.stderr
    again = shell.run("reprocess", raw / "grid.nxs", "--json")
    assert again.by_frame() == first.by_frame()
    assert again.summary["times"]["last_result_s"] < first.summary["times"]["last_result_s"]
    other = shell.run("reprocess", raw / "grid.nxs", "--json", "sigma_strong=5")
    assert other.code == 0
    summaries = [json.loads(p.read_text()) for p in sorted(shell.folder.glob("*/summary.json"))]
    assert {s["parameters"]["sigma_strong"] for s in summaries} == {3.0, 5.0}
    taken = shell.run("reprocess", raw / "grid.nxs", "sigma_strong=4", "--output", "grid-filewatcher")
    assert taken.code == 2
    assert "give another folder" in one_sentence(taken.stderr)


def test_an_interrupted_run_says_so_and_resumes(shell: Shell, raw: Path) -> None:
    # the slower engine: it must not be through before it is interrupted
    process = shell.start("reprocess", raw / "grid.nxs", "--json", "--workers", 1, "--engine", "dials")
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes of the command
    _, err = process.communicate()
    shell.running.remove(process)
    assert process.returncode == 130
    assert "resumes" in one_sentence(err)
    ran = shell.run("reprocess", raw / "grid.nxs", "--json", "--engine", "dials")
    assert ran.code == 0, ran.stderr
    assert ran.frames[0] == first
    assert ran.counts() == (20, 20, 0, 0)


def test_two_at_once_are_refused(shell: Shell, tmp_path: Path) -> None:
    words = ("--detector", "eiger2-1m", "--grid", "5x4", "--rate", "inf", "--gap", 20, "--hold")
    simulator = shell.start("simulate", tmp_path / "raw", *words)
    watching = shell.start("watch", tmp_path / "raw" / "grid.nxs", "--json", "--timeout", 60)
    assert watching.stdout is not None
    watching.stdout.readline()
    ran = shell.run("watch", tmp_path / "raw" / "grid.nxs", "--json")
    assert ran.code == 2
    assert f"is being worked on by process {watching.pid}" in one_sentence(ran.stderr)
    simulator.send_signal(signal.SIGINT)
    assert shell.finish(simulator).code == 0
    ended = shell.finish(watching)
    assert ended.code == 3, ended.stderr
    assert ended.counts() == (20, 19, 0, 1)


def test_a_full_disk_is_said_and_what_was_there_stays(shell: Shell, raw: Path) -> None:
    assert shell.run("reprocess", raw / "grid.nxs").code == 0
    results = shell.folder / "grid-filewatcher" / "results.h5"
    before = results.read_bytes()
    # no file may grow beyond this: the system refuses in the middle of results.h5
    words = ("-m", "filewatcher", "reprocess", raw / "grid.nxs")
    limited = ["prlimit", f"--fsize={len(before) - 1}", sys.executable, *map(str, words)]
    ran = subprocess.run(limited, cwd=shell.folder, env=shell.environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "results.h5 cannot be written: File too large" in one_sentence(ran.stderr)
    assert results.read_bytes() == before


def test_a_grid_that_contradicts_the_positions_is_said(shell: Shell, raw: Path) -> None:
    ran = shell.run("reprocess", raw / "grid.nxs", "--json", "--grid", "4x5", "--snaked")
    assert ran.code == 0
    assert "warning: the grid asked for (4x5" in ran.stderr
    assert ran.summary["grid"]["step_mm"] is None


def test_selections(shell: Shell, raw: Path) -> None:
    ran = shell.run("reprocess", raw / "grid.nxs", "--json", "--select", "select-4", "--images", "1-10")
    assert [line["file-number"] for line in ran.by_frame()] == [1, 4, 7, 10]
    assert ran.counts() == (4, 4, 0, 0)


def test_a_reader_that_goes_away_is_no_fault(shell: Shell, raw: Path) -> None:
    process = shell.start("reprocess", raw / "grid.nxs", "--json")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read()
    assert process.wait() == 130
    process.stderr.close()
    shell.running.remove(process)
    assert "gone away" in one_sentence(err)
