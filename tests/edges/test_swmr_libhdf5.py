"""What can be said of a file without libhdf5, and that libhdf5 does not hang on a broken one."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import h5py
import pytest

from filewatcher.core.observations import Writer
from filewatcher.edges.swmr.libhdf5 import chunk_sizes, open_for_swmr, peek
from filewatcher.testing.stepwriter import StepWriter
from filewatcher.testing.tinyfiles import LIBVER, write_data

if TYPE_CHECKING:
    from pathlib import Path


def test_peek(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    assert peek(str(path)) is None
    path.touch()
    seen = peek(str(path))
    assert seen is not None
    assert seen.writer is Writer.OPENING
    with StepWriter() as writer:
        writer.create(path, 3, swmr=False)
        seen = peek(str(path))
        assert seen is not None
        assert seen.writer is Writer.OPENING
        writer.close(path)
        seen = peek(str(path))
        assert seen is not None
        assert (seen.writer, seen.size) == (Writer.CLOSED, seen.end)
        writer.create(path, 3)
        writer.kill()
    seen = peek(str(path))
    assert seen is not None
    assert seen.writer is Writer.WRITING  # it cannot be told from one that lives


def test_a_copy_that_is_not_finished(tmp_path: Path) -> None:
    for libver, version in ((LIBVER, 3), (("earliest", "v110"), 0)):
        path = tmp_path / f"{version}.h5"
        with h5py.File(path, "w", libver=libver) as file:
            file["data"] = list(range(1000))
        whole = peek(str(path))
        assert whole is not None
        assert (whole.superblock, whole.writer) == (version, Writer.CLOSED)
        path.write_bytes(path.read_bytes()[:-1])
        short = peek(str(path))
        assert short is not None
        assert short.writer is Writer.OPENING


@pytest.mark.parametrize("beside", ["sys", "h5py, dxtbx.model"], ids=["alone", "beside-another-libhdf5"])
def test_a_wrong_checksum_does_not_hang(tmp_path: Path, beside: str) -> None:
    """By the default rules it would wait for days, with the GIL held: so in a process that can be killed."""
    path = tmp_path / "a.h5"
    write_data(path, [0, 1])
    content = bytearray(path.read_bytes())
    content[40] ^= 0xFF
    path.write_bytes(content)
    script = (
        f"import sys, {beside}; from filewatcher.edges.swmr.libhdf5 import open_for_swmr; open_for_swmr(sys.argv[1])"
    )
    ran = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, timeout=60, check=False)
    assert "a.h5 cannot be opened" in ran.stderr
    assert "NotReady" in ran.stderr


def test_chunk_sizes(tmp_path: Path) -> None:
    with StepWriter() as writer:
        writer.create(tmp_path / "a.h5", 3)
        writer.write(tmp_path / "a.h5", 1, 1)
        with open_for_swmr(str(tmp_path / "a.h5")) as file:
            assert chunk_sizes(file["data"].id, range(3), (0, 0)) == [0, 48, 0]
