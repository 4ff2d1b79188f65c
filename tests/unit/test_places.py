from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.framemap import DataFile, FrameMap
from filewatcher.core.messages import ChunkLayout, FrameReady
from filewatcher.core.observations import Described, MasterFile, OnDisk, StoredChunk
from filewatcher.core.places import Places
from filewatcher.core.scanwatch import ScanWatch

LAYOUT = ChunkLayout((4, 5), "<u2", ())


@given(st.integers(1, 40), st.lists(st.tuples(st.integers(0, 39), st.integers(1, 2**40), st.integers(1, 2**31))))
def test_a_place_is_the_one_that_was_announced_last(frames: int, seen: list[tuple[int, int, int]]) -> None:
    number = np.arange(frames)
    files = tuple(DataFile(f"/data/{n}.h5", "/data") for n in range(6))
    frame_map = FrameMap(files, (number // 7).astype(np.int32), number % 7)
    places, watch, last = Places(), ScanWatch(), {}
    described = Described(MasterFile("/data/m.nxs", 1, 2, 3, 4), frame_map, None, None)
    places.note(described)
    watch.observe(described, 0.0)
    for frame, offset, size in seen:
        file, row = divmod(frame, 7)
        news = OnDisk(file, [StoredChunk(row, offset, size, 1)], LAYOUT)
        places.note(news, float(offset % 1000))
        last[frame] = (offset, size)
        for event in watch.observe(news, 0.0):
            if isinstance(event, FrameReady):
                assert places.frame(0, event.frame) == event
    for frame in range(-1, 45):
        found = places.frame(0, frame)
        assert (found is None) == (frame not in last or frame >= frames)
        if found is not None:
            assert (found.offset, found.size) == last[frame]
            assert places.seen_at(0, frame) == last[frame][0] % 1000
    assert places.frame(1, 0) is None
