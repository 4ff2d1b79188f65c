"""Real masters whose data are not there: described, inspected, and never taken for zeros."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING

import pytest

from filewatcher.core.observations import Described, DetectorRead, OnDisk, Writer, Writers
from filewatcher.edges.swmr import SwmrObserver, inspect_master

if TYPE_CHECKING:
    from pathlib import Path

    from filewatcher.core.observations import Observation


async def observed(master: Path, *, wait: bool) -> list[Observation]:
    """What is said up to the second full scan (live) or to the detector (finished files)."""
    news: list[Observation] = []
    async with SwmrObserver(master, wait=wait) as observer, asyncio.timeout(30):
        while True:
            news += await observer.observe()
            scans = sum(isinstance(item, Writers) and item.full_scan for item in news)
            if scans >= 2 or (scans and not wait and any(isinstance(item, DetectorRead) for item in news)):
                return news


@pytest.mark.data
@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize(("name", "frames", "files"), [("xrc_209_master.h5", 240, 1), ("ins_8_5.nxs", 3600, 4)])
def test_masters_without_data(name: str, frames: int, files: int, wait: bool, test_data: Path) -> None:
    news = asyncio.run(observed(test_data / "masters" / name, wait=wait))
    described = news[0]
    assert isinstance(described, Described)
    assert len(described.frame_map) == frames
    assert len(described.frame_map.files) == files
    assert described.exposure_time == 0.004
    assert (described.positions is not None) == (frames == 240)
    assert not any(isinstance(item, OnDisk) for item in news)
    assert [item.states for item in news if isinstance(item, Writers)][-1] == (Writer.ABSENT,) * files
    assert any(isinstance(item, DetectorRead) for item in news) is not wait


@pytest.mark.data
def test_inspection_of_a_rotation(test_data: Path, tmp_path: Path) -> None:
    packed = test_data / "masters" / "ins_8_5_meta.h5.gz"
    (tmp_path / "ins_8_5_meta.h5").write_bytes(gzip.decompress(packed.read_bytes()))
    (tmp_path / "ins_8_5.nxs").symlink_to(test_data / "masters" / "ins_8_5.nxs")
    found = inspect_master(tmp_path / "ins_8_5.nxs")
    assert (found.frames, found.frames_now, found.shape, found.master_dtype) == (3600, 0, (4362, 4148), "<i4")
    assert [(f.first_frame, f.frames, f.state) for f in found.files] == [
        (0, 1000, "absent"),
        (1000, 1000, "absent"),
        (2000, 1000, "absent"),
        (3000, 600, "absent"),
    ]
    assert found.distance == pytest.approx(340.0)
    assert found.detector is not None
    assert found.detector.trusted_range == (0.0, 46044.0)
    assert found.warnings == ()


@pytest.mark.data
def test_inspection_of_finished_stills(test_data: Path) -> None:
    told = inspect_master(test_data / "i24_thaumatin_grid" / "thau_3_2.nxs").as_dict()
    assert (told["frames"], told["frames_now"], told["shape"], told["dtype"]) == (19, 19, (2527, 2463), "<u4")
    assert told["filters"] == ((32008, "bitshuffle-lz4"),)
    assert told["chunk"] == (1, 2527, 2463)
    assert told["positions"]["y_values"] == 19
    assert told["detector"]["mask"] == 526726
    assert told["distance"] == pytest.approx(351.0)
