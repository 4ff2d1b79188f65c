"""Folders in which masters appear: each new one is told once, or until somebody takes it."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

import pytest

from filewatcher.edges.directory import RECENT, Directory, Watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

POLL = 0.01
PATTERNS = ("*.nxs", "*_master.h5")


async def until(folder: Path, enough: Callable[[list[str]], bool], taken: Callable[[list[str]], bool]) -> list[str]:
    """Look until `enough` was told; `taken` answers, knowing all that was told before."""
    told: list[str] = []
    done = asyncio.Event()

    async def found(path: str) -> bool:
        answer = taken(told)
        told.append(path.removeprefix(f"{folder}/"))
        if enough(told):
            done.set()
        return answer

    looking = asyncio.create_task(Directory(Watch(folder, PATTERNS, 2, POLL), found).run())
    try:
        await asyncio.wait_for(done.wait(), 30)
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    return told


def test_what_nobody_took_is_told_again_and_what_was_taken_is_not(tmp_path: Path) -> None:
    (tmp_path / "a.nxs").touch()

    def taken(before: list[str]) -> bool:
        if len(before) == 2:
            (tmp_path / "b.nxs").touch()
        return len(before) >= 2

    told = asyncio.run(until(tmp_path, lambda told: "b.nxs" in told, taken))
    assert told == ["a.nxs", "a.nxs", "a.nxs", "b.nxs"]


@pytest.mark.parametrize("change", ["replaced", "shorter"])
def test_another_file_of_the_same_name_is_new_and_one_that_grows_is_not(tmp_path: Path, change: str) -> None:
    master = tmp_path / "a.nxs"
    master.write_bytes(bytes(10))

    def taken(before: list[str]) -> bool:
        match len(before):
            case 0:  # grown, and another one by which it is known that it was looked at again
                master.write_bytes(bytes(20))
                (tmp_path / "b.nxs").touch()
            case 1 if change == "shorter":
                os.truncate(master, 5)
            case 1:
                (tmp_path / "new").write_bytes(bytes(30))
                (tmp_path / "new").rename(master)
        return True

    told = asyncio.run(until(tmp_path, lambda told: len(told) == 3, taken))
    assert told == ["a.nxs", "b.nxs", "a.nxs"]


def test_only_masters_that_are_recent_and_raw_are_told(tmp_path: Path) -> None:
    for name in (
        "old.nxs",
        "data.h5",
        ".hidden.nxs",
        "x-filewatcher-2/results_master.h5",
        "1/2/3/deep.nxs",
        "1/2/in.nxs",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    os.utime(tmp_path / "old.nxs", times=(time.time() - 2 * RECENT,) * 2)
    (tmp_path / "x_master.h5").touch()
    told = asyncio.run(until(tmp_path, lambda told: len(told) == 2, lambda _: True))
    assert sorted(told) == ["1/2/in.nxs", "x_master.h5"]
