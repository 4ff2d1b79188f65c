"""The package without what is compiled of it: a clone that was not built, an install for another Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import filewatcher
import spotfinding
from filewatcher.built import COMPILED

PACKAGES = [Path(package.__path__[0]) for package in (filewatcher, spotfinding)]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with both packages as they are installed."""
    for package in PACKAGES:
        shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def compiled(copy: Path, name: str) -> Path:
    *folders, module = name.split(".")
    (found,) = copy.joinpath(*folders).glob(f"{module}.*.so")
    return found


def run(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The copy's command line, from another folder; -P: nothing but PYTHONPATH says where the package is."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "filewatcher", *words],
        check=False,
        cwd=copy.parent,
        env=os.environ | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
    )


def check_refused(ran: subprocess.CompletedProcess[str], missing: str) -> None:
    assert (ran.returncode, ran.stdout) == (2, "")
    (line,) = ran.stderr.splitlines()
    assert line.startswith(f"filewatcher: {missing} missing in ")
    assert "`pip install .`" in line
    assert "`make env`" in line


def test_the_list_is_that_of_what_is_compiled() -> None:
    parts = [(package.name, path.relative_to(package)) for package in PACKAGES for path in package.rglob("*.so")]
    assert {".".join((name, *path.parent.parts, path.name.split(".")[0])) for name, path in parts} == set(COMPILED)


def test_a_whole_copy_works(copy: Path) -> None:
    ran = run(copy, "doctor", "--help")
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("name", COMPILED)
@pytest.mark.parametrize("words", [("watch", "grid.nxs"), ("reprocess", "grid.nxs"), ("serve",), ("doctor",)])
def test_a_missing_part_is_named_by_every_command(copy: Path, name: str, words: tuple[str, ...]) -> None:
    compiled(copy, name).unlink()
    ran = run(copy, *words)
    check_refused(ran, f"{name} is")
    assert f"missing in {copy}: " in ran.stderr


def test_a_clone_that_was_not_built_says_all_at_once(copy: Path) -> None:
    for name in COMPILED:
        compiled(copy, name).unlink()
    check_refused(run(copy, "spots", "grid.nxs", "--image", "1"), f"{', '.join(COMPILED)} are")


def test_what_was_built_for_another_python_is_missing_for_this_one(copy: Path) -> None:
    for name in COMPILED:
        found = compiled(copy, name)
        found.rename(found.with_name(f"{name.rpartition('.')[2]}.cpython-39-x86_64-linux-gnu.so"))
    check_refused(run(copy, "inspect", "grid.nxs"), f"{', '.join(COMPILED)} are")
