"""Every layout: each frame is found where it is, whether its files were there before the watcher or came after it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from filewatcher.core.observations import Described, OnDisk, Writer, Writers
from filewatcher.edges.swmr import SwmrObserver, inspect_master
from filewatcher.errors import Broken, Refused
from filewatcher.testing.layouts import LAYOUTS, Layout, open_ended, two_hops
from filewatcher.testing.tinyfiles import write_metadata, write_virtual

if TYPE_CHECKING:
    from filewatcher.core.framemap import FrameMap


def pixels(path: str, offset: int, size: int) -> set[int]:
    data = Path(path).read_bytes()[offset : offset + size]
    return set(np.frombuffer(data, "<u2").tolist())


class Frames:
    """What the bytes of each reported frame say which frame it is."""

    def __init__(self) -> None:
        self.frame_map: FrameMap | None = None
        self.writers: Writers | None = None
        self.found: dict[int, set[int]] = {}

    def take(self, item: object) -> None:
        if isinstance(item, Described):
            self.frame_map = item.frame_map
        elif isinstance(item, Writers):
            self.writers = item
        elif isinstance(item, OnDisk):
            assert self.frame_map is not None
            path = self.frame_map.files[item.file].path
            for row, offset, size, _ in item.chunks:
                frames = self.frame_map.frames_of(item.file, row)
                assert len(frames)  # a row is reported when the map that was said knows its frame
                for frame in frames:
                    assert frame not in self.found
                    self.found[frame] = pixels(path, offset, size)


async def watch(layout: Layout, *, wait: bool, until: int, arrive: list[tuple[Path, Path]] | None = None) -> Frames:
    seen = Frames()
    files = list(arrive or [])
    async with SwmrObserver(layout.master, wait=wait, channel=layout.channel) as observer, asyncio.timeout(60):
        while len(seen.found) < until or seen.writers is None or not seen.writers.full_scan:
            for item in await observer.observe():
                seen.take(item)
            if files and seen.frame_map is not None:
                source, target = files.pop()
                source.rename(target)
    return seen


@pytest.mark.parametrize("name", LAYOUTS)
def test_finished_files(name: str, tmp_path: Path) -> None:
    layout = LAYOUTS[name](tmp_path)
    seen = asyncio.run(watch(layout, wait=False, until=layout.frames))
    assert seen.found == {k: {k} for k in range(layout.frames)}
    assert seen.frame_map is not None
    assert len(seen.frame_map) == layout.frames
    assert not seen.frame_map.open_ended


@pytest.mark.parametrize("name", sorted(set(LAYOUTS) - {"in_the_master", "by_signal"}))
def test_files_that_come_one_by_one_in_reverse(name: str, tmp_path: Path) -> None:
    layout = LAYOUTS[name](tmp_path)
    aside = tmp_path.parent / f"{tmp_path.name}-aside"
    aside.mkdir()
    late = []
    for path in sorted(tmp_path.rglob("*.h5")):
        if path != layout.master:
            late.append((aside / path.name, path))
            path.rename(aside / path.name)
    seen = asyncio.run(watch(layout, wait=True, until=layout.frames, arrive=late))
    assert seen.found == {k: {k} for k in range(layout.frames)}


def test_no_file_is_there(tmp_path: Path) -> None:
    layout = two_hops(tmp_path)
    for path in (tmp_path / "raw").iterdir():
        path.unlink()
    for wait in (False, True):
        seen = asyncio.run(watch(layout, wait=wait, until=0))
        assert seen.frame_map is not None
        assert len(seen.frame_map) == 5
        assert seen.writers is not None
        assert seen.writers.states == (Writer.ABSENT, Writer.ABSENT)
        assert not seen.writers.was_writing


def test_open_end_while_it_may_go_on(tmp_path: Path) -> None:
    layout = open_ended(tmp_path)
    seen = asyncio.run(watch(layout, wait=True, until=5))
    assert seen.frame_map is not None
    assert seen.frame_map.open_ended


async def first_error(master: Path, channel: str | None = None) -> str:
    async with SwmrObserver(master, wait=False, channel=channel) as observer, asyncio.timeout(30):
        while True:
            try:
                await observer.observe()
            except (Broken, Refused) as error:
                return f"{type(error).__name__}: {error}"


def test_errors_name_the_file_and_the_way_out(tmp_path: Path) -> None:
    def error(master: Path, channel: str | None = None) -> str:
        return asyncio.run(first_error(master, channel))

    assert error(tmp_path / "no.h5").startswith(f"Refused: {tmp_path}/no.h5 does not exist")
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        write_metadata(file, 3)
    assert "has no images" in error(tmp_path / "empty.h5")
    (tmp_path / "text.h5").write_text("no HDF5" * 100)
    assert "is not an HDF5 file: give the master" in error(tmp_path / "text.h5")
    with h5py.File(tmp_path / "gap.h5", "w") as file:
        write_metadata(file, 3)
        write_virtual(file, "entry/data/data", (3, 4, 6), [((0, 1, 1, 2), "a.h5", "data", (0, 1, 1, 2))])
    assert "leaves 1 of 3 frames without a source, the first are 2 to 2" in error(tmp_path / "gap.h5")
    (tmp_path / "channels").mkdir()
    layout = LAYOUTS["dectris_channels"](tmp_path / "channels")
    assert "it has threshold_1, threshold_2, difference" in error(layout.master, "threshold_3")
    (tmp_path / "plain").mkdir()
    assert "has no channels" in error(LAYOUTS["direct"](tmp_path / "plain").master, "threshold_1")


@pytest.mark.parametrize(
    ("chunks", "says"), [((2, 4, 6), "chunks of exactly one image"), ((1, 2, 6), "chunks of exactly one image")]
)
def test_chunks_must_hold_one_image(chunks: tuple[int, ...], says: str, tmp_path: Path) -> None:
    layout = LAYOUTS["direct"](tmp_path)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", data=np.zeros((3, 4, 6), "<u2"), chunks=chunks)
    assert says in asyncio.run(first_error(layout.master))


def test_images_of_another_size_than_the_masters(tmp_path: Path) -> None:
    layout = LAYOUTS["direct"](tmp_path)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", data=np.zeros((3, 8, 6), "<u2"), chunks=(1, 8, 6))
    assert "cuts them apart" in asyncio.run(first_error(layout.master))


def test_inspection(tmp_path: Path) -> None:
    layout = LAYOUTS["dectris_channels"](tmp_path)
    (tmp_path / "b.h5").unlink()
    found = inspect_master(layout.master, "threshold_2")
    assert (found.frames, found.frames_now, found.shape, found.dtype) == (3, 2, (4, 6), "<u2")
    assert [(Path(f.path).name, f.exists, f.frames, f.first_frame, f.frames_now) for f in found.files] == [
        ("a.h5", True, 2, 0, 2),
        ("b.h5", False, 1, 2, 0),
    ]
    assert found.filters == ()
    assert found.distance == pytest.approx(200.0)
    assert found.as_dict()["detector"]["wavelength"] == 1.0
    with pytest.raises(Refused, match="does not exist"):
        inspect_master(tmp_path / "no.h5")
