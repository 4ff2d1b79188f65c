"""Frames that crash, starve, hang or freeze their worker, and full disks: every frame ends once, all others are done.

The faults are in the reads of real workers, of the bytes of certain frames; nothing of filewatcher is replaced.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import h5py
import pytest

from filewatcher.testing.preloads import faulty_reads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.conftest import Ran, Shell

FRAMES = 60
SIMULATION = ("--detector", "eiger2-1m", "--grid", "10x6", "--rate", "inf", "--writers", 1, "--frames-per-file", FRAMES)
FRAME_TIMEOUT = 5


class Bench:
    """A finished scan in one data file, and workers to whom things happen when they read certain frames of it."""

    def __init__(self, shell: Shell, folder: Path) -> None:
        self.shell, self.folder = shell, folder
        self.master = folder / "raw" / "grid.nxs"
        assert shell.run("simulate", self.master.parent, *SIMULATION).code == 0

    def reprocess(self, faults: dict[int, str], workers: int = 2) -> Ran:
        """`faults`: frame -> what happens to a worker that reads it."""
        with h5py.File(self.master.with_name("grid_000001.h5")) as file:
            images = file["data"].id
            places = {
                images.get_chunk_info(i).chunk_offset[0]: images.get_chunk_info(i).byte_offset for i in range(FRAMES)
            }
        library = faulty_reads(self.folder, {places[frame]: what for frame, what in faults.items()})
        profile = self.folder / "faulty.yaml"
        profile.write_text(
            f"version: 1\nworkers: {{per_job: {workers}, memory_each: 512MiB}}\n"
            f"limits: {{retries: 1, frame_timeout: {FRAME_TIMEOUT}s}}\n"
            f"environment: {{variables: {{LD_PRELOAD: {library}}}}}\n"
        )
        return self.shell.run("reprocess", self.master, "--json", "--profile", profile)


@pytest.fixture
def bench(shell: Shell, tmp_path: Path) -> Bench:
    return Bench(shell, tmp_path)


@pytest.mark.timeout(280)
def test_a_frame_that_ends_its_worker_fails_alone(bench: Bench, other_shell: Shell) -> None:
    faults = {10: "segfault", 25: "memory", 40: "hang"}
    ran = bench.reprocess(faults)
    assert ran.code == 3, ran.stderr
    assert ran.counts() == (FRAMES, FRAMES - 3, 3, 0)
    assert sorted(line["frame"] for line in ran.frames) == list(range(FRAMES))
    failed = {line["frame"]: line for line in ran.frames if line["state"] == "failed"}
    assert set(failed) == set(faults)
    for line in failed.values():
        assert line["attempts"] == 2
        assert line["error"] == f"its worker died: a crash, lack of memory, or longer than {FRAME_TIMEOUT} s"
    quiet = other_shell.run("reprocess", bench.master, "--json")
    assert [line for line in ran.by_frame() if line["frame"] not in faults] == [
        line for line in quiet.by_frame() if line["frame"] not in faults
    ]


def test_frames_that_were_just_done_are_not_blamed_for_the_next_one(bench: Bench) -> None:
    """One worker: those before it are done, and not told yet, whenever it crashes."""
    ran = bench.reprocess({10: "segfault"}, workers=1)
    assert ran.code == 3, ran.stderr
    assert ran.counts() == (FRAMES, FRAMES - 1, 1, 0)
    (failed,) = [line for line in ran.frames if line["state"] == "failed"]
    assert (failed["frame"], failed["attempts"]) == (10, 2)


def test_the_frames_of_a_worker_that_freezes_are_handed_out_again(bench: Bench) -> None:
    ran = bench.reprocess({20: "freeze_once"})
    assert ran.code == 0, ran.stderr
    assert ran.counts() == (FRAMES, FRAMES, 0, 0)
    assert sorted(line["frame"] for line in ran.frames) == list(range(FRAMES))
    assert (bench.folder / "frozen").exists()
    assert max(line["attempts"] for line in ran.frames) == 2


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A local disk of a size that can be changed."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", place], check=True)

    def sized(size: str) -> Path:
        subprocess.run(["mount", "-o", f"remount,size={size}", place], check=True)
        return place

    yield sized
    subprocess.run(["umount", place], check=True)


def reprocess(shell: Shell, state: Path, *words: object) -> tuple[int, str, dict[str, int]]:
    """Exit code, what was said, and the counts of the summary, if there is one."""
    ran = subprocess.run(
        [sys.executable, "-m", "filewatcher", "reprocess", *map(str, words), "--json", "--workers", "1"],
        cwd=shell.folder,
        env={**shell.environment, "FILEWATCHER_STATE_DIR": str(state)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in ran.stderr
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    frames = [line["frame"] for line in lines if line["type"] == "frame"]
    assert len(set(frames)) == len(frames)
    counts = lines[-1] if lines and lines[-1]["type"] == "summary" else {"done": len(frames)}
    return ran.returncode, ran.stderr, counts


def test_a_full_disk_under_the_journal(bench: Bench, disk: Callable[[str], Path]) -> None:
    state = disk("160k") / "state"
    code, said, before = reprocess(bench.shell, state, bench.master)
    assert code == 1
    assert "full" in said
    assert "make room" in said
    assert before["done"] < FRAMES
    disk("64m")
    code, said, counts = reprocess(bench.shell, state, bench.master)
    assert (code, counts["done"], counts["failed"], counts["missing"]) == (0, FRAMES, 0, 0), said


def test_a_full_disk_under_the_results(bench: Bench, disk: Callable[[str], Path], tmp_path: Path) -> None:
    output = disk("64k") / "results"
    state = tmp_path / "local-state"
    code, said, counts = reprocess(bench.shell, state, bench.master, "--output", output)
    assert (code, counts["done"]) == (1, FRAMES)
    assert "cannot be written: No space left on device; free the place" in said
    disk("64m")
    code, said, counts = reprocess(bench.shell, state, bench.master, "--output", output)
    assert (code, counts["done"]) == (0, FRAMES)
    assert f"{FRAMES} of them are on record" in said
    assert sorted(path.name for path in output.iterdir() if path.suffix == ".h5") == ["results.h5"]
