"""Frames are announced once, and the usual way says the same as the one that can do everything."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.arrivals import Arrivals
from filewatcher.core.framemap import DataFile, FrameMap
from filewatcher.core.messages import ChunkLayout, FrameReady
from filewatcher.core.observations import OnDisk, StoredChunk

LAYOUT = ChunkLayout((4, 5), "<u2", ())


class Crooked(FrameMap):
    """The same map, of which nothing is said to be straight."""

    def straight(self, file: int) -> None:
        del file


@st.composite
def maps(draw: st.DrawFn) -> FrameMap:
    """Up to three files, whose rows begin anywhere and follow each other, or are shuffled, or shown twice."""
    files: list[int] = []
    rows: list[int] = []
    for file in range(draw(st.integers(1, 3))):
        first, count = draw(st.integers(0, 5)), draw(st.integers(1, 8))
        some = list(range(first, first + count))
        rows += draw(st.one_of(st.just(some), st.permutations(some), st.just(some + some[:1])))
        files += [file] * (len(rows) - len(files))
    names = tuple(DataFile(f"/data/m_{number}.h5", "data") for number in range(max(files) + 1))
    return FrameMap(names, np.array(files, np.int32), np.array(rows, np.int64))


@given(maps(), st.data())
def test_the_usual_way_announces_what_the_other_one_does(frame_map: FrameMap, data: st.DataObject) -> None:
    crooked = Crooked(frame_map.files, frame_map.file, frame_map.row)
    selected = np.array(data.draw(st.lists(st.booleans(), min_size=len(frame_map), max_size=len(frame_map))), bool)
    ours, theirs = Arrivals(2), Arrivals(2)
    ours.expect(selected, frame_map)
    theirs.expect(selected, crooked)
    said: list[int] = []
    for now in range(data.draw(st.integers(1, 5))):
        file = data.draw(st.integers(0, len(frame_map.files) - 1))
        chunks = [StoredChunk(row, 100 * row + 7, 90 + row, row % 2) for row in data.draw(st.lists(st.integers(0, 14)))]
        what = OnDisk(file, chunks, LAYOUT, 5)
        events = ours.take(what, float(now))
        assert events == theirs.take(what, float(now))
        assert all(type(event) is FrameReady for event in events)
        said += [event.frame for event in events if isinstance(event, FrameReady)]
        for one in (ours, theirs):
            assert (one.seen, one.left) == (len(said), int(selected.sum()) - len(said))
        assert ours.progress_at == theirs.progress_at
        rows = {file: np.flatnonzero(bits).tolist() for file, bits in ours.rows_seen().items()}
        assert rows == {file: np.flatnonzero(bits).tolist() for file, bits in theirs.rows_seen().items()}
    assert len(said) == len(set(said))
    assert sorted([*said, *ours.missing]) == np.flatnonzero(selected).tolist()


@given(maps(), st.data())
def test_a_frame_that_was_given_back_comes_once_more_or_is_overdue(frame_map: FrameMap, data: st.DataObject) -> None:
    arrivals = Arrivals(0)
    arrivals.expect(np.ones(len(frame_map), bool), frame_map)
    frame = data.draw(st.integers(0, len(frame_map) - 1))
    file, row = int(frame_map.file[frame]), int(frame_map.row[frame])
    what = OnDisk(file, [StoredChunk(row, 0, 90, 0)], LAYOUT)
    shown = [event.frame for event in arrivals.take(what, 0.0) if isinstance(event, FrameReady)]
    assert frame in shown
    assert arrivals.give_back(frame, 1.0) == (file, row)
    assert arrivals.overdue(5.9, 5.0) == []
    if data.draw(st.booleans()):
        assert [event.frame for event in arrivals.take(what, 5.95) if isinstance(event, FrameReady)] == [frame]
        assert arrivals.overdue(60.0, 5.0) == []
    else:
        assert arrivals.overdue(6.0, 5.0) == [frame]
        assert arrivals.take(what, 7.0) == []
