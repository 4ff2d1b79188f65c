"""What is written down is so: the reading list, every command and option, the examples, the markup."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import docutils.core
import docutils.utils
import pytest

from filewatcher.core.lines import FRAME_KEYS

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.rst").read_text()
PAGES = sorted([PROJECT / "README.rst", *PROJECT.glob("docs/**/*.rst"), PROJECT / "cluster_profiles/README.rst"])


def test_the_reading_list_names_eight_files_of_under_300_lines() -> None:
    listed = re.findall(r"^\d\. ``(\S+\.py)``: ", README, flags=re.MULTILINE)
    assert len(listed) == 8
    for name in listed:
        assert len((PROJECT / name).read_text().splitlines()) < 300, name


def test_the_reading_list_is_told_as_a_story() -> None:
    assert "``tests/e2e/test_story.py``" in README
    assert (PROJECT / "tests/e2e/test_story.py").exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_pages_are_well_formed_and_their_links_lead_somewhere(page: Path) -> None:
    settings = {"report_level": 2, "halt_level": 2, "file_insertion_enabled": False}
    docutils.core.publish_doctree(page.read_text(), source_path=str(page), settings_overrides=settings)
    for target in re.findall(r"<([^<>]+)>`_", page.read_text()):
        assert (page.parent / target).exists(), f"{page}: {target}"


def test_every_key_of_a_frame_is_documented() -> None:
    page = (PROJECT / "docs/reference/results.rst").read_text()
    for key in FRAME_KEYS:
        assert f"``{key}``" in page


@pytest.mark.parametrize("package", ["filewatcher", "spotfinding"])
def test_no_input_is_checked_by_assert_in_the_core(package: str) -> None:
    """An assertion there only tells the type checker what it cannot see: one that something is not None."""
    for path in (PROJECT / package).glob("core/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Assert):
                assert ast.unparse(node.test).endswith("is not None"), f"{path}:{node.lineno}"


def test_help_does_not_wait_for_heavy_imports() -> None:
    script = (
        "import sys; from filewatcher.cli import app\n"
        "try: app(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'dask', 'distributed', 'h5py', 'dials', 'matplotlib', 'numpy'}\n"
        "print(sorted(heavy & {name.partition('.')[0] for name in sys.modules}))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "reprocess" in ran.stdout
    assert ran.stdout.splitlines()[-1] == "[]"


def test_the_grid_example_runs() -> None:
    ran = subprocess.run(
        [sys.executable, PROJECT / "examples/a_grid_of_your_own.py"], capture_output=True, text=True, check=True
    )
    assert "image 1 is in row 2, column 3" in ran.stdout


def test_make_bench_runs_every_bench_that_a_page_names_with_options_that_it_has() -> None:
    said = subprocess.run(["make", "-n", "bench"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    benches = dict(re.findall(r"benchmarks/(\w+)\.py ([^|]*)\|\|", said))
    named = re.findall(r"``benchmarks/(\w+)\.py", " ".join(page.read_text() for page in PAGES))
    assert benches.keys() >= set(named)
    for name, words in benches.items():
        command = [sys.executable, str(PROJECT / f"benchmarks/{name}.py"), "--help"]
        explained = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        options = set(re.findall(r"--\w+", words))
        assert "--check" in options
        assert options <= set(re.findall(r"--\w+", explained)), name
