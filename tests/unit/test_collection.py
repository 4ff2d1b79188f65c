"""Several scans over one set of data files: which row is whose, what all have seen, when all have ended."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.collection import Collection
from filewatcher.core.detector import Detector
from filewatcher.core.framemap import DataFile, FrameMap
from filewatcher.core.joining import one_series, side_by_side, together
from filewatcher.core.messages import ChunkLayout, FrameReady, FrameResult, State, Statistics
from filewatcher.core.observations import Described, DetectorRead, MasterBlocked, MasterFile, OnDisk, StoredChunk
from filewatcher.core.run import Order
from filewatcher.core.scanwatch import ScanWatch, TimeOuts
from filewatcher.core.selection import Selection
from filewatcher.daemon import CollectionLoop
from filewatcher.errors import Broken
from filewatcher.ports import Opened
from filewatcher.testing.fakes import InlinePool, MemoryJournal, Recording, ScriptedObserver

if TYPE_CHECKING:
    from collections.abc import Sequence

LAYOUT = ChunkLayout((4, 5), "<u2", ())
FILES = tuple(DataFile(f"/data/x_{n:06d}.h5", "/data") for n in range(1, 5))
MASTERS = (MasterFile("/data/x_1.nxs", 1, 2, 3, 4), MasterFile("/data/x_2.nxs", 1, 5, 6, 7))


def mapping(first: int, frames: int, per_file: int) -> FrameMap:
    """Frames `first` and on of a series of files."""
    which, row = np.divmod(np.arange(first, first + frames), per_file)
    used = np.unique(which)
    return FrameMap(tuple(FILES[i] for i in used), np.searchsorted(used, which).astype(np.int32), row)


def pair(first: int = 6, second: int = 4, per_file: int = 5) -> list[Described]:
    maps = side_by_side([mapping(0, first, per_file), mapping(first, second, per_file)])
    return [Described(m, one, 0.01, None, scan=n) for n, (m, one) in enumerate(zip(MASTERS, maps, strict=True))]


def on_disk(file: int, rows: Sequence[int]) -> OnDisk:
    return OnDisk(file, [StoredChunk(row, 100 * row, 90, 0) for row in rows], LAYOUT)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(5, 9))
def test_each_row_belongs_to_the_scan_whose_frame_it_is(first: int, second: int, per_file: int) -> None:
    separate = mapping(0, first, per_file), mapping(first, second, per_file)
    joined = side_by_side(separate)
    assert len({one.files for one in joined}) == 1
    for before, after in zip(separate, joined, strict=True):
        assert [before.source(f) for f in range(len(before))] == [after.source(f) for f in range(len(after))]
    scans = Collection([ScanWatch(0), ScanWatch(1)])
    for described in pair(first, second, per_file):
        scans.observe(described, 0.0)
    events = []
    for number in range(len(joined[0].files)):
        events += scans.observe(on_disk(number, range(per_file)), 1.0)
    ready = [(e.scan, e.frame, e.path, e.row) for e in events if isinstance(e, FrameReady)]
    rows = [divmod(n, per_file) for n in range(first + second)]
    frames = [(0, n) for n in range(first)] + [(1, n) for n in range(second)]
    wanted = [(*f, FILES[i].path, row) for f, (i, row) in zip(frames, rows, strict=True)]
    assert sorted(ready) == sorted(wanted)
    assert scans.ended
    union = together(joined)
    assert len(union) == first + second


def test_a_scan_ends_on_its_own() -> None:
    scans = Collection([ScanWatch(0), ScanWatch(1)])
    for described in pair():
        scans.observe(described, 0.0)
    scans.observe(on_disk(0, range(5)), 1.0)
    scans.observe(on_disk(1, [0]), 1.0)
    assert scans.scans[0].watch.ended is not None
    assert not scans.ended
    scans.observe(on_disk(1, range(5)), 2.0)
    assert scans.ended


def test_a_row_that_one_scan_has_given_back_is_looked_for_again() -> None:
    scans = Collection([ScanWatch(0), ScanWatch(1)])
    for described in pair():
        scans.observe(described, 0.0)
    events = scans.observe(on_disk(1, [0, 1]), 1.0)
    second = next(e for e in events if isinstance(e, FrameReady) and e.scan == 1)
    assert scans.rows_seen()[1].tolist() == [True, True]
    assert scans.give_back(second, 2.0) == (1, 1)
    assert scans.rows_seen()[1].tolist() == [True, False]


def test_scans_are_numbered_from_0() -> None:
    with pytest.raises(ValueError, match="numbered"):
        Collection([ScanWatch(1)])


def test_a_series_is_told_by_its_numbers() -> None:
    def over(*paths: str) -> FrameMap:
        files = tuple(DataFile(path, "/data") for path in paths)
        return FrameMap(files, np.arange(len(files), dtype=np.int32), np.zeros(len(files), np.int64))

    assert one_series(over("/d/x_1_000001.h5"), over("/d/x_1_000002.h5"))
    assert one_series(over("/d/a.h5", "/d/b.h5"), over("/d/b.h5"))
    assert not one_series(over("/d/x_1_000001.h5"), over("/d/x_2_000001.h5"))
    assert not one_series(over("/d/x_1_000001.h5"), over("/e/x_1_000002.h5"))


def found(frame: FrameReady, attempts: int) -> FrameResult:
    numbers = Statistics(10 * frame.scan + frame.frame, 0, 0, 1.0, -1.0, -1.0, -1.0, -1.0, -1.0, 9)
    return FrameResult(frame.scan, frame.frame, numbers, "dials", attempts)


def loop_of(observer: ScriptedObserver, timeouts: TimeOuts | None = None, seconds: float = 0.0) -> CollectionLoop:
    ticks = itertools.count()
    order = Order(("/data/x_1.nxs", "/data/x_2.nxs"), Selection(), {}, "dials")
    scans = Collection([ScanWatch(n, timeouts=timeouts) for n in (0, 1)])
    journal, pool = MemoryJournal(), InlinePool(found)
    return CollectionLoop(
        order,
        scans,
        observer,
        pool,
        lambda _run, _described: Opened(journal, (None, None)),
        Recording(),
        clock=lambda: seconds * next(ticks),
    )


def test_the_loop_keeps_the_frames_of_two_scans_apart() -> None:
    async def story() -> None:
        detector = Detector((4, 5), (0.075, 0.075), (1, 0, 0), (0, -1, 0), (0, 0, -200), 1.0)
        observer = ScriptedObserver(pair(), [DetectorRead(detector)], [on_disk(1, [4, 0])], [on_disk(0, range(5))])
        observer.say(on_disk(1, range(5)))
        finished = await loop_of(observer).run()
        assert finished.run.masters == MASTERS
        assert [scan.results.states.tolist() for scan in finished.scans] == [[State.DONE] * 6, [State.DONE] * 4]
        spots = [scan.results.values["n_spots_total"].tolist() for scan in finished.scans]
        assert spots == [[0, 1, 2, 3, 4, 5], [10, 11, 12, 13]]

    asyncio.run(story())


def test_the_master_that_does_not_come_is_named() -> None:
    async def story() -> None:
        observer = ScriptedObserver(pair()[:1], [MasterBlocked("x_2.nxs is empty", 1)])
        await loop_of(observer, TimeOuts(first=3.0), seconds=0.5).run()

    with pytest.raises(Broken, match=r"^x_2\.nxs is empty: no frame came within 3 s"):
        asyncio.run(story())
