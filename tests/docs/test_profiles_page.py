"""The how-to of profiles: its example is right, and its mistakes are told as it says."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from filewatcher.errors import Refused
from filewatcher.profiles import SHIPPED, SearchPath, load

PAGE = (Path(__file__).parents[2] / "docs/how-to/profiles.rst").read_text()


def block(first: str) -> str:
    """The literal block that begins with this line."""
    lines = PAGE[PAGE.index(f"    {first}") :].splitlines()
    end = next((n for n, line in enumerate(lines) if line and not line.startswith("    ")), len(lines))
    return dedent("\n".join(lines[:end])).strip() + "\n"


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "i04.yaml"
    path.write_text(block("# /etc/filewatcher/profiles/i04.yaml"))
    return path


def test_the_example_is_a_profile(profile: Path) -> None:
    workers = load(str(profile), SearchPath((SHIPPED,))).profile.workers
    assert (workers.jobs_max, workers.per_job) == (6, 20)


def test_its_mistakes_are_told_as_the_page_says(profile: Path) -> None:
    profile.write_text(profile.read_text().replace("per_job:", "per_jobs:").replace("3GiB", "3GB"))
    with pytest.raises(Refused) as refused:
        load(str(profile), SearchPath((SHIPPED,)))
    told = str(refused.value).replace(str(profile), "/etc/filewatcher/profiles/i04.yaml")
    assert told.split() == block("/etc/filewatcher/profiles/i04.yaml:11").split()
