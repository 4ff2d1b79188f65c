from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.framemap import DataFile, FrameMap
from filewatcher.core.messages import ChunkLayout, Event, FrameMissing, FrameReady, ScanEnded
from filewatcher.core.observations import (
    Described,
    MasterBlocked,
    MasterFile,
    OnDisk,
    StoredChunk,
    Superseded,
    Writer,
    Writers,
)
from filewatcher.core.scanwatch import SUPERSEDED, ScanWatch, TimeOuts
from filewatcher.core.selection import Selection
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

LAYOUT = ChunkLayout((4, 5), "<u2", ())
MASTER = MasterFile("/data/m.nxs", 1, 2, 3, 4)


def described(frames: int, per_file: int = 10, *, exposure: float | None = None, open_ended: bool = False) -> Described:
    frame = np.arange(frames)
    files = tuple(DataFile(f"/data/m_{k + 1:06d}.h5", "/data") for k in range(-(-frames // per_file)))
    frame_map = FrameMap(files, (frame // per_file).astype(np.int32), frame % per_file, open_ended)
    return Described(MASTER, frame_map, exposure, None)


def on_disk(file: int, rows: Sequence[int]) -> OnDisk:
    return OnDisk(file, [StoredChunk(row, 1000 + 100 * row, 90, 0) for row in rows], LAYOUT)


def writers(*states: Writer, was_writing: bool = True, full_scan: bool = True) -> Writers:
    return Writers(states, was_writing=was_writing, full_scan=full_scan)


def ready(events: Sequence[Event]) -> list[int]:
    return [e.frame for e in events if isinstance(e, FrameReady)]


def missing(events: Sequence[Event]) -> list[int]:
    return [e.frame for e in events if isinstance(e, FrameMissing)]


def ended(events: Sequence[Event]) -> ScanEnded | None:
    return next((e for e in events if isinstance(e, ScanEnded)), None)


@given(st.data())
def test_every_frame_is_announced_once_in_any_order_with_any_repeats(data: st.DataObject) -> None:
    frames = data.draw(st.integers(1, 40))
    watch = ScanWatch()
    watch.observe(described(frames, per_file=7), 0.0)
    places = [divmod(f, 7) for f in range(frames)]
    seen = data.draw(st.permutations(places + data.draw(st.lists(st.sampled_from(places)))))
    events = [e for file, row in seen for e in watch.observe(on_disk(file, [row]), 1.0)]
    assert sorted(ready(events)) == list(range(frames))
    assert missing(events) == []
    end = ended(events)
    assert end is not None
    assert (end.expected, end.seen, end.reason) == (frames, frames, "complete")


def test_no_time_is_up_while_nobody_looks() -> None:
    """A reader that hung has been replaced; what it did not see is found, late."""
    watch = ScanWatch(timeouts=TimeOuts(first=30.0, progress=12.0, blind=15.0))
    watch.observe(described(2), 0.0)
    watch.observe(on_disk(0, [0]), 1.0)
    watch.observe(writers(Writer.WRITING), 1.5)
    assert watch.observe(None, 13.5) == []
    assert ready(watch.observe(on_disk(0, [1]), 14.0)) == [1]
    assert watch.ended is not None
    assert watch.ended.reason == "complete"


@pytest.mark.parametrize("comes_back", [True, False])
def test_time_is_up_when_a_reader_looks_again_or_never_does(comes_back: bool) -> None:
    watch = ScanWatch(timeouts=TimeOuts(first=30.0, progress=12.0, blind=15.0))
    watch.observe(described(2), 0.0)
    watch.observe(on_disk(0, [0]), 1.0)
    watch.observe(writers(Writer.WRITING), 1.5)
    if comes_back:
        assert watch.observe(None, 14.0) == []
        assert missing(watch.observe(writers(Writer.WRITING), 15.0)) == [1]
    else:
        assert watch.observe(None, 27.9) == []
        assert missing(watch.observe(None, 28.0)) == [1]


@given(st.integers(1, 30), st.sets(st.integers(0, 29)), st.sets(st.integers(0, 29)))
def test_it_is_complete_with_the_last_frame_whatever_was_given_back(
    frames: int, again: set[int], said_again: set[int]
) -> None:
    watch = ScanWatch()
    watch.observe(described(frames), 0.0)
    for frame in range(frames):
        assert watch.ended is None
        events = watch.observe(on_disk(*_place(frame)), 1.0)
        assert ready(events) == [frame]
        assert (ended(events) is not None) == (frame == frames - 1)
        if frame in again:
            watch.give_back(frame, 1.0)
            assert ready(watch.observe(on_disk(*_place(frame)), 1.0)) == [frame]
        if frame in said_again:  # as when a map has grown
            watch.observe(described(frames), 1.0)
    assert watch.ended is not None
    assert (watch.ended.reason, watch.ended.seen) == ("complete", frames)


def _place(frame: int) -> tuple[int, list[int]]:
    return frame // 10, [frame % 10]


@given(st.integers(1, 40), st.sets(st.integers(0, 39)), st.sampled_from(["every", "every-3", "select-5"]))
def test_in_the_end_every_selected_frame_was_ready_or_is_missing(frames: int, written: set[int], pattern: str) -> None:
    watch = ScanWatch(selection=Selection(pattern), timeouts=TimeOuts(first=3, progress=2))
    events = watch.observe(described(frames), 0.0)
    for frame in written & set(range(frames)):
        file, row = divmod(frame, 10)
        events += watch.observe(on_disk(file, [row]), 1.0)
    events += watch.observe(None, 100.0)
    end = ended(events)
    assert end is not None
    selected = Selection(pattern).frames(frames).tolist()
    assert sorted(ready(events) + missing(events)) == selected
    assert (end.expected, end.seen) == (len(selected), len(ready(events)))
    assert watch.observe(None, 200.0) == []


def test_a_ready_frame_says_where_its_bytes_are() -> None:
    watch = ScanWatch()
    watch.observe(described(20), 0.0)
    (event,) = watch.observe(on_disk(1, [3]), 1.0)
    assert event == FrameReady(0, 13, "/data/m_000002.h5", 1300, 90, 0, LAYOUT, 3)


def test_no_first_frame() -> None:
    watch = ScanWatch(timeouts=TimeOuts(first=5), now=10.0)
    watch.observe(described(3), 14.0)
    assert watch.observe(None, 14.9) == []
    events = watch.observe(None, 15.0)
    assert missing(events) == [0, 1, 2]
    assert {e.reason for e in events if isinstance(e, FrameMissing)} == {
        "m_000001.h5 does not exist: no frame came within 5 s (--timeout-first)"
    }


@pytest.mark.parametrize(("exposure", "limit"), [(None, 60.0), (0.004, 10.0), (2.0, 40.0)])
def test_no_progress_is_measured_in_exposures(exposure: float | None, limit: float) -> None:
    watch = ScanWatch()
    watch.observe(described(3, exposure=exposure), 0.0)
    watch.observe(on_disk(0, [0]), 5.0)
    assert watch.observe(None, 5.0 + limit - 0.1) == []
    assert missing(watch.observe(None, 5.0 + limit)) == [1, 2]


def test_an_aborted_run_ends_when_all_writers_have_closed() -> None:
    watch = ScanWatch()
    watch.observe(described(30), 0.0)
    watch.observe(on_disk(0, [0, 1, 2]), 1.0)
    assert watch.observe(writers(Writer.WRITING, Writer.WRITING, Writer.ABSENT), 1.0) == []
    assert watch.observe(writers(Writer.CLOSED, Writer.WRITING, Writer.ABSENT), 2.0) == []
    assert watch.observe(None, 8.0) == []
    assert watch.observe(writers(Writer.CLOSED, Writer.CLOSED, Writer.ABSENT), 8.0) == []
    assert watch.observe(None, 12.9) == []
    events = watch.observe(None, 13.0)
    end = ended(events)
    assert end is not None
    assert end.reason == "all writers have closed their files"
    assert missing(events) == list(range(3, 30))
    reasons = [e.reason.partition(":")[0] for e in events if isinstance(e, FrameMissing)]
    assert reasons[0] == "not written in m_000001.h5"
    assert reasons[-1] == "m_000003.h5 does not exist"


def test_a_slow_scan_is_not_over_while_its_next_file_is_to_come() -> None:
    watch = ScanWatch(timeouts=TimeOuts(progress=300))
    watch.observe(described(20, exposure=8.0), 0.0)
    watch.observe(on_disk(0, range(10)), 80.0)
    assert watch.observe(writers(Writer.CLOSED, Writer.ABSENT), 80.0) == []
    assert watch.observe(None, 239.0) == []
    assert missing(watch.observe(None, 240.0)) == list(range(10, 20))


def test_files_that_appear_complete_do_not_end_a_scan_whose_next_file_is_to_come() -> None:
    watch = ScanWatch()
    watch.observe(described(20, exposure=0.1), 0.0)
    watch.observe(on_disk(0, range(10)), 1.0)
    watch.observe(writers(Writer.CLOSED, Writer.ABSENT, was_writing=False), 1.0)
    assert watch.observe(None, 10.9) == []
    assert ready(watch.observe(on_disk(1, range(10)), 10.9)) == list(range(10, 20))


def test_reprocessing_waits_for_nothing_but_the_first_full_scan() -> None:
    watch = ScanWatch(wait=False)
    watch.observe(described(4), 0.0)
    watch.observe(on_disk(0, [1]), 0.0)
    assert watch.observe(writers(Writer.WRITING, full_scan=False), 0.1) == []
    assert missing(watch.observe(writers(Writer.WRITING), 0.1)) == [0, 2, 3]


def test_a_frame_given_back_is_announced_again_even_after_the_end() -> None:
    watch = ScanWatch()
    watch.observe(described(2), 0.0)
    watch.observe(on_disk(0, [0, 1]), 1.0)
    assert watch.ended is not None
    assert watch.give_back(1, 2.0) == (0, 1)
    assert watch.looking_again
    assert not watch.rows_seen()[0][1]
    assert ready(watch.observe(on_disk(0, [0, 1]), 3.0)) == [1]
    assert not watch.looking_again


def test_a_frame_given_back_and_not_found_again_is_missing() -> None:
    watch = ScanWatch(timeouts=TimeOuts(look_again=5))
    watch.observe(described(2), 0.0)
    watch.observe(on_disk(0, [0, 1]), 1.0)
    watch.give_back(1, 2.0)
    assert watch.observe(None, 6.9) == []
    assert missing(watch.observe(None, 7.0)) == [1]
    assert ready(watch.observe(on_disk(0, [1]), 8.0)) == []


def test_late_frames_after_the_end_stay_missing() -> None:
    watch = ScanWatch(timeouts=TimeOuts(first=1))
    watch.observe(described(2), 0.0)
    assert missing(watch.observe(None, 1.0)) == [0, 1]
    assert watch.observe(on_disk(0, [0, 1]), 2.0) == []


def test_a_scan_of_unknown_length_grows_and_ends_with_its_writers() -> None:
    watch = ScanWatch(timeouts=TimeOuts(grace=5))
    events = watch.observe(described(0, open_ended=True), 0.0)
    events += watch.observe(described(3, open_ended=True), 1.0)
    events += watch.observe(on_disk(0, [0, 1, 2]), 1.0)
    assert ended(events) is None
    events += watch.observe(described(5, open_ended=True), 2.0)
    events += watch.observe(on_disk(0, [3]), 2.0)
    events += watch.observe(writers(Writer.CLOSED), 3.0)
    events += watch.observe(None, 8.0)
    assert ready(events) == [0, 1, 2, 3]
    assert missing(events) == [4]


def test_frames_to_expect_make_an_open_end_complete() -> None:
    watch = ScanWatch(frames=2)
    watch.observe(described(2, open_ended=True), 0.0)
    events = watch.observe(on_disk(0, [0, 1]), 1.0)
    assert ended(events) == ScanEnded(0, 2, 2, "complete")


def test_select_needs_the_length() -> None:
    with pytest.raises(Refused, match="give --frames"):
        ScanWatch(selection=Selection("select-3")).observe(described(2, open_ended=True), 0.0)


def test_a_wrong_number_of_frames_names_both() -> None:
    with pytest.raises(Refused, match="holds 4 frames, but 5"):
        ScanWatch(frames=5).observe(described(4), 0.0)


def test_a_master_that_never_comes_leaves_the_expected_frames_missing() -> None:
    watch = ScanWatch(frames=3, timeouts=TimeOuts(first=2))
    events = watch.observe(None, 2.0)
    assert missing(events) == [0, 1, 2]
    assert watch.expected == 3


def test_another_collection_under_its_names_ends_it() -> None:
    watch = ScanWatch()
    watch.observe(described(4), 0.0)
    watch.observe(on_disk(0, [0, 1]), 1.0)
    watch.give_back(1, 1.0)
    events = watch.observe(Superseded("m_000001.h5 was replaced"), 2.0)
    assert missing(events) == [2, 3]
    assert ended(events) == ScanEnded(0, 4, 2, f"m_000001.h5 was replaced: {SUPERSEDED}")
    assert not watch.looking_again
    assert watch.observe(on_disk(0, [0, 1, 2, 3]), 3.0) == []


def test_what_blocks_a_file_is_the_reason_of_its_frames() -> None:
    watch = ScanWatch(timeouts=TimeOuts(first=10.0))
    watch.observe(MasterBlocked("m.nxs is empty"), 0.0)
    assert list(watch.problems) == ["m.nxs is empty"]
    watch.observe(described(20), 1.0)
    assert list(watch.problems) == []
    states = (Writer.OPENING, Writer.ABSENT)
    watch.observe(Writers(states, was_writing=False, problems=((0, "m_000001.h5 is cut off"),)), 9.0)
    assert list(watch.problems) == ["m_000001.h5 is cut off"]
    reasons = [e.reason for e in watch.observe(None, 11.0) if isinstance(e, FrameMissing)]
    late = "no frame came within 10 s (--timeout-first)"
    assert reasons == [f"m_000001.h5 is cut off: {late}"] * 10 + [f"m_000002.h5 does not exist: {late}"] * 10


def test_a_detector_that_has_stopped_is_not_waited_for_much_longer() -> None:
    watch = ScanWatch(timeouts=TimeOuts(first=3600, grace=5))
    watch.observe(described(3), 0.0)
    watch.observe(on_disk(0, [0]), 1.0)
    watch.stop(2.0)
    assert ended(watch.observe(None, 6.9)) is None
    assert ready(watch.observe(on_disk(0, [2]), 6.9)) == [2]
    assert ended(watch.observe(None, 11.8)) is None, "as long as frames come, it has not"
    events = watch.observe(None, 11.9)
    assert missing(events) == [1]
    end = ended(events)
    assert end is not None
    assert end.reason == "the detector was said to have stopped"


def test_a_detector_that_stopped_before_anything_came_ends_the_wait_for_the_first_frame() -> None:
    watch = ScanWatch(timeouts=TimeOuts(first=3600, grace=5))
    watch.stop(10.0)
    watch.stop(14.0)
    assert ended(watch.observe(None, 14.9)) is None
    assert ended(watch.observe(None, 15.0)) is not None
