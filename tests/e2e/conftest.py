"""The command line as its users run it: processes, files, exit codes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Ran:
    """A command that has ended."""

    code: int
    lines: list[dict[str, Any]]
    stderr: str

    @property
    def frames(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["type"] == "frame"]

    @property
    def summary(self) -> dict[str, Any]:
        assert self.lines, self.stderr
        assert self.lines[-1]["type"] == "summary", self.stderr
        return self.lines[-1]

    def counts(self) -> tuple[int, ...]:
        """Frames expected, done, failed, missing."""
        return tuple(self.summary[key] for key in ("expected", "done", "failed", "missing"))

    def by_frame(self) -> list[dict[str, Any]]:
        """The lines of the frames, sorted, without what may differ between two runs of the same."""
        kept = [{k: v for k, v in line.items() if k != "attempts"} for line in self.frames]
        return sorted(kept, key=lambda line: (line["scan"], line["frame"]))

    @property
    def summaries(self) -> list[dict[str, Any]]:
        """One per scan."""
        return [line for line in self.lines if line["type"] == "summary"]


@dataclass
class Shell:
    """Runs `filewatcher` in a folder of its own, with state of its own."""

    folder: Path
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "FILEWATCHER_STATE_DIR": str(self.folder / "state"), "COLUMNS": "200", "NO_COLOR": "1"}

    def start(self, *words: object) -> subprocess.Popen[str]:
        self.folder.mkdir(exist_ok=True)
        process = subprocess.Popen(
            [sys.executable, "-m", "filewatcher", *map(str, words)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.running.append(process)
        return process

    def finish(self, process: subprocess.Popen[str]) -> Ran:
        """Wait for its end; of its output, what no test has read."""
        assert process.stdout is not None
        assert process.stderr is not None
        # communicate() would lose the lines that a test's readline() had read ahead
        with process, ThreadPoolExecutor(1) as reader:
            late = reader.submit(process.stderr.read)
            out, err = process.stdout.read(), late.result()
        self.running.remove(process)
        return Ran(process.returncode, [json.loads(line) for line in out.splitlines() if line.startswith("{")], err)

    def run(self, *words: object) -> Ran:
        return self.finish(self.start(*words))

    def end(self) -> None:
        for process in self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    one = Shell(tmp_path / "work")
    yield one
    one.end()


@pytest.fixture
def other_shell(tmp_path: Path) -> Iterator[Shell]:
    """Another user, who knows nothing of the first one's runs."""
    one = Shell(tmp_path / "elsewhere")
    yield one
    one.end()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A local disk of 64 MiB of its own, which can be filled."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)
