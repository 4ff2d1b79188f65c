"""What every registry does: the one in memory and the one on disk."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import pytest

from filewatcher.core.asks import Ask, GridWords
from filewatcher.core.grid import Grid
from filewatcher.edges.registry import FILE, SqliteRegistry
from filewatcher.errors import Broken, Refused
from filewatcher.service import Kept, Registry
from filewatcher.testing.works import MemoryRegistry

if TYPE_CHECKING:
    from pathlib import Path

FIRST = Kept("a1", Ask(("/data/m.nxs",), grid=GridWords("3x2"), dcids=(7,)), "2026-01-01T00:00:00", "queued")


class Again(Protocol):
    """Opens the same registry as a new process."""

    def __call__(self) -> Registry: ...


@pytest.fixture(params=["memory", "sqlite"])
def again(request: pytest.FixtureRequest, tmp_path: Path) -> Again:
    if request.param == "sqlite":
        return lambda: SqliteRegistry(tmp_path)
    only = MemoryRegistry()
    return lambda: only


def test_what_is_kept_is_there_again_in_the_order_of_asking(again: Again) -> None:
    registry = again()
    second = replace(FIRST, id="a2", state="failed", reason="it is no HDF5 file", ended="2026-01-01T00:00:09")
    later = replace(
        FIRST,
        state="running",
        key="0123",
        stopped="2026-01-01T00:00:05",
        grids=(None, Grid(2, 3, snaked=True, orientation="vertical")),
        summary={"scans": [{"done": 3}]},
    )

    async def story() -> None:
        for kept in (FIRST, second, later):
            await registry.keep(kept)

    asyncio.run(story())
    registry.close()
    new = again()
    assert list(new.load(10)) == [later, second]
    new.close()


def test_of_those_that_ended_the_last_are_told(again: Again) -> None:
    registry = again()

    async def story() -> None:
        await registry.keep(FIRST)
        for number in range(5):
            await registry.keep(replace(FIRST, id=f"b{number}", state="done", ended="2026-01-01T00:00:09"))

    asyncio.run(story())
    assert [kept.id for kept in registry.load(2)] == ["a1", "b3", "b4"]
    registry.close()


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    registry = SqliteRegistry(tmp_path)
    with pytest.raises(Refused, match=r"serves .* already: stop it first"):
        SqliteRegistry(tmp_path)
    registry.close()
    SqliteRegistry(tmp_path).close()


def test_a_list_of_an_older_version_is_read_on(tmp_path: Path) -> None:
    registry = SqliteRegistry(tmp_path)
    asyncio.run(registry.keep(FIRST))
    registry.close()
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as older:
        older.execute("alter table collection drop column grids")
    for kept in (FIRST, replace(FIRST, grids=(Grid(3, 2, snaked=False),))):
        registry = SqliteRegistry(tmp_path)
        assert registry.load(10) == [FIRST]
        asyncio.run(registry.keep(kept))
        registry.close()


def test_a_damaged_list_and_a_folder_that_cannot_be_made_are_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database" * 100)
    with pytest.raises(Broken, match=r"cannot be opened .* move it away"):
        SqliteRegistry(tmp_path)
    with pytest.raises(Refused, match="cannot keep state in"):
        SqliteRegistry(tmp_path / FILE / "below")
