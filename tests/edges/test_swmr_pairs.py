"""Two masters over one set of data files, as one child reads them."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import h5py
import pytest

from filewatcher.core.observations import Described, MasterBlocked, OnDisk
from filewatcher.edges.swmr import SwmrObserver
from filewatcher.errors import Refused
from filewatcher.testing.detector import Simulation, master_paths, run, write_master

if TYPE_CHECKING:
    from pathlib import Path

    from filewatcher.core.observations import Observation


def simulation(folder: Path, **changes: object) -> Simulation:
    settings = {"detector": "eiger2-1m", "grid": (6, 5), "second": (6, 3), "rate": float("inf"), "frames_per_file": 20}
    return Simulation(folder, **settings | changes)  # type: ignore[arg-type]


async def until(observer: SwmrObserver, rows: int) -> list[Observation]:
    """What is said until so many rows of data files are reported."""
    news: list[Observation] = []
    while sum(len(item.chunks) for item in news if isinstance(item, OnDisk)) < rows:
        news += await observer.observe()
    return news


@pytest.mark.parametrize("wait", [True, False])
def test_each_row_is_read_once_for_both(tmp_path: Path, wait: bool) -> None:
    sim = simulation(tmp_path)
    run(sim)

    async def story() -> None:
        async with SwmrObserver(*master_paths(sim), wait=wait) as observer, asyncio.timeout(60):
            news = await until(observer, 48)
        first, second = (item for item in news if isinstance(item, Described))
        assert (first.scan, second.scan) == (0, 1)
        assert [len(first.frame_map), len(second.frame_map)] == [30, 18]
        assert first.frame_map.files == second.frame_map.files
        # image 1 of the second grid is image 31 of the arming: row 10 of the second file
        assert (second.frame_map.file[0], second.frame_map.row[0]) == (1, 10)
        seen = Counter((item.file, chunk.row) for item in news if isinstance(item, OnDisk) for chunk in item.chunks)
        assert set(seen.values()) == {1}
        owned = [
            (scan, frame)
            for file, row in seen
            for scan, one in enumerate((first, second))
            for frame in one.frame_map.frames_of(file, row)
        ]
        assert sorted(owned) == [*((0, n) for n in range(30)), *((1, n) for n in range(18))]

    asyncio.run(story())


def test_frames_are_told_once_both_masters_are_there(tmp_path: Path) -> None:
    sim = simulation(tmp_path)
    run(sim)
    _, second = master_paths(sim)
    away = second.rename(tmp_path / "later")
    second.touch()

    async def story() -> None:
        async with SwmrObserver(*master_paths(sim)) as observer, asyncio.timeout(60):
            (blocked,) = await observer.observe()
            assert isinstance(blocked, MasterBlocked)
            assert (blocked.scan, "grid_second.nxs is empty" in blocked.problem) == (1, True)
            away.replace(second)
            news = await until(observer, 48)
        described = [item for item in news if isinstance(item, Described)]
        assert [item.scan for item in described] == [0, 1]
        assert news.index(described[1]) < next(i for i, item in enumerate(news) if isinstance(item, OnDisk))

    asyncio.run(story())


def test_positions_are_those_of_each_grid(tmp_path: Path) -> None:
    """The second grid runs along sam_z, for the sample was turned by 90 degrees."""
    sim = simulation(tmp_path)
    write_master(sim)
    with h5py.File(master_paths(sim)[1]) as file:
        axes = {name: file[f"/entry/sample/transformations/{name}"][()] for name in ("omega", "sam_y", "sam_z")}
    assert set(axes["omega"]) == {90.0}
    assert set(axes["sam_y"]) == {0.0}
    assert len(set(axes["sam_z"])) == 3


def test_masters_of_different_collections_are_refused(tmp_path: Path) -> None:
    masters: list[Path] = []
    for name in ("one", "two"):
        sim = simulation(tmp_path, name=name, second=None)
        run(sim)
        masters += master_paths(sim)

    async def story() -> None:
        async with SwmrObserver(*masters) as observer, asyncio.timeout(60):
            with pytest.raises(Refused, match=r"one\.nxs and .*two\.nxs are not over one set of data files"):
                await until(observer, 1)

    asyncio.run(story())
