"""A short soak: collections at random, disturbed at random; and that its judge is not blind."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_a_short_soak_violates_nothing(tmp_path: Path) -> None:
    # the seed is fixed so that a failure here can be played again; `make soak` takes another one each time
    words = ["--seconds", "20", "--seed", "1", "--folder", str(tmp_path)]
    ran = subprocess.run([sys.executable, BENCHMARKS / "soak.py", *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"^\d+ rounds in \d+ s with seed 1: nothing violated", ran.stdout, flags=re.MULTILINE)
    assert list(tmp_path.iterdir()) == []


def test_the_judge_sees_a_wrong_byte_and_another_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import odin_writer  # noqa: PLC0415  only reachable from here on

    recording = odin_writer.Recording(tmp_path, frames=10, rate=1.0, run=3)
    chunk = odin_writer.payload(recording, 7)
    assert odin_writer.wrong_with(chunk, 3, 7) == ""
    assert odin_writer.wrong_with(chunk[:-1], 3, 7) == "the checksum is wrong"
    assert odin_writer.wrong_with(chunk[:-1] + bytes([chunk[-1] ^ 1]), 3, 7) == "the checksum is wrong"
    assert odin_writer.wrong_with(chunk, 3, 8) == "they are frame 7 of run 3, not 8 of run 3"
    assert odin_writer.wrong_with(bytes(len(chunk)), 3, 7) == "they are frame 0 of run 0, not 7 of run 3"
    assert odin_writer.wrong_with(b"", 3, 7) == "0 bytes only"
