from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.batching import SINGLE_FRAME_RATE, WAY, Batch, Batcher, Limits
from filewatcher.core.messages import ChunkLayout, FrameReady

LAYOUT = ChunkLayout((4, 5), "<u2", ())


def frame(number: int, per_file: int = 1000) -> FrameReady:
    file, row = divmod(number, per_file)
    return FrameReady(0, number, f"/data/{file}.h5", 100 * row, 90, 0, LAYOUT, row)


def numbers(batches: list[Batch]) -> list[list[int]]:
    return [[f.frame for f in batch.frames] for batch in batches]


def fast(limits: Limits | None = None) -> Batcher:
    batcher = Batcher(limits)
    batcher.took(0.001)
    return batcher


def test_one_frame_per_task_while_frames_come_slowly() -> None:
    batcher = fast()
    for n in range(int(SINGLE_FRAME_RATE)):
        now = n / SINGLE_FRAME_RATE
        batcher.add([frame(n)], now)
        assert numbers(batcher.next(3, now)) == [[n]]


def test_larger_batches_at_five_thousand_frames_a_second() -> None:
    batcher = fast()
    batcher.add([frame(n) for n in range(5000)], 0.0)
    assert [len(b.frames) for b in batcher.next(4, 0.0)] == [Limits().frames_per_task_max] * 4  # all came at once


def test_frames_that_are_handed_out_as_they_come_make_two_hundred_tasks_a_second() -> None:
    batcher = fast()
    for n in range(500):
        batcher.add([frame(10 * n + i) for i in range(10)], n * 0.002)
        sizes = [len(b.frames) for b in batcher.next(4, n * 0.002)]
    assert sizes == [10]  # 25 are wanted at this rate, 10 have come


def test_a_batch_is_not_larger_than_the_latency_budget() -> None:
    batcher = Batcher()
    batcher.took(0.1)
    batcher.add([frame(n) for n in range(5000)], 0.0)
    assert [len(b.frames) for b in batcher.next(2, 0.0)] == [2, 2]


def test_single_frames_until_it_is_known_how_long_one_takes() -> None:
    batcher = Batcher()
    batcher.add([frame(n) for n in range(5000)], 0.0)
    assert numbers(batcher.next(2, 0.0)) == [[0], [1]]


def test_the_rate_is_that_of_the_last_second() -> None:
    batcher = fast()
    batcher.add([frame(n) for n in range(5000)], 0.0)
    while len(batcher):
        batcher.next(100, 0.0)
    batcher.add([frame(n) for n in range(5000, 5010)], 2.0)
    assert [len(b.frames) for b in batcher.next(10, 2.0)] == [1] * 10


def test_frames_that_wait_make_batches_larger_however_slowly_more_come() -> None:
    batcher = fast(Limits(frames_per_task_max=64))
    batcher.add([frame(n) for n in range(2000)], 0.0)
    assert [len(b.frames) for b in batcher.next(1, 10.0)] == [40]  # 2000 in 250 ms by 200 tasks/s


@given(st.integers(1, 50), st.integers(1, 20), st.floats(1e-6, 1.0))
def test_all_that_waits_goes_with_what_has_a_place_where_the_way_takes_longer_than_the_work(
    waiting: int, places: int, seconds: float
) -> None:
    batcher = Batcher()
    batcher.took(seconds)
    batcher.add([frame(n) for n in range(waiting)], 0.0)
    handed = batcher.next(places, 2.0)
    largest = max(len(batch.frames) for batch in handed)
    assert len(handed) == places or not len(batcher)
    assert largest == 1 or (largest - 1) * seconds < WAY, "more together only shortens the way of what takes no time"
    assert largest <= math.ceil(waiting / places), "a place that is free is used"
    if waiting * seconds <= WAY:
        assert not len(batcher)


def test_a_batch_stays_in_one_file_and_has_no_gap() -> None:
    batcher = fast()
    batcher.add([frame(n, per_file=10) for n in range(1000) if n % 10 != 4], 0.0)
    for batch in batcher.next(50, 0.0):
        rows = [f.row for f in batch.frames]
        assert len({f.path for f in batch.frames}) == 1
        assert rows == list(range(rows[0], rows[0] + len(rows)))


@given(st.lists(st.integers(1, 400), max_size=6), st.lists(st.integers(0, 9), max_size=20))
def test_every_frame_is_handed_out_once_and_never_more_than_asked_for(added: list[int], asked: list[int]) -> None:
    batcher = fast()
    count = 0
    handed: list[int] = []
    for i, more in enumerate(added):
        batcher.add([frame(n, per_file=37) for n in range(count, count + more)], float(i))
        count += more
    for places in [*asked, count]:
        batches = batcher.next(places, float(len(added)))
        assert len(batches) <= places
        handed += [n for batch in numbers(batches) for n in batch]
    assert handed == list(range(count))
    assert len(batcher) == 0


def test_frames_of_a_lost_batch_go_alone_and_first() -> None:
    batcher = fast()
    batcher.add([frame(n) for n in range(1000)], 0.0)
    (batch,) = batcher.next(1, 0.0)
    assert len(batch.frames) > 1
    assert batcher.lost(batch, "died") == []
    again = batcher.next(len(batch.frames) + 1, 0.0)
    assert numbers(again)[: len(batch.frames)] == [[n] for n in range(len(batch.frames))]
    assert {(b.attempts, b.wary) for b in again[:-1]} == {((2,), True)}
    assert not batch.wary


def test_a_frame_that_kills_its_worker_fails_after_its_retries_and_not_before() -> None:
    batcher = Batcher(Limits(retries=2))
    batcher.add([frame(7)], 0.0)
    for attempt in (1, 2):
        (batch,) = batcher.next(5, 0.0)
        assert batch.attempts == (attempt,)
        assert batcher.lost(batch, "died") == []
    (batch,) = batcher.next(5, 0.0)
    (failed,) = batcher.lost(batch, "died")
    assert (failed.frame, failed.reason, failed.attempts) == (7, "died", 3)
    assert len(batcher) == 0


def test_a_cluster_that_goes_away_is_no_fault_of_the_frame() -> None:
    batcher = Batcher(Limits(retries=0))
    batcher.add([frame(7)], 0.0)
    for _ in range(5):
        (batch,) = batcher.next(1, 0.0)
        assert batch.attempts == (1,)
        batcher.put_back(batch)


def test_a_frame_announced_again_goes_alone_and_counts_its_attempts() -> None:
    batcher = fast()
    batcher.add([frame(0)], 0.0)
    batcher.next(1, 0.0)
    assert batcher.may_try_again(frame(0))
    batcher.add([frame(n) for n in range(1000)], 0.0)
    first = batcher.next(1, 0.0)[0]
    assert (numbers([first]), first.attempts) == ([[0]], (2,))
    batcher.forget(0, 0)
    assert batcher.attempts(frame(0)) == 0
