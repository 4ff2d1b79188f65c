"""The loop with fakes on all sides: what it decides, whatever the outside does."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest

from filewatcher.core.batching import Unreadable
from filewatcher.core.collection import Collection
from filewatcher.core.detector import Detector
from filewatcher.core.framemap import DataFile, FrameMap
from filewatcher.core.grid import Grid
from filewatcher.core.gridinfo import GridInfo
from filewatcher.core.messages import (
    ChunkLayout,
    Filter,
    FrameFailed,
    FrameMissing,
    FrameReady,
    FrameResult,
    Recorded,
    State,
    Statistics,
)
from filewatcher.core.observations import (
    Described,
    DetectorRead,
    MasterBlocked,
    MasterFile,
    OnDisk,
    StoredChunk,
    Superseded,
    Writer,
    Writers,
)
from filewatcher.core.run import Finished, Order
from filewatcher.core.scanwatch import ScanWatch, TimeOuts
from filewatcher.core.selection import Selection
from filewatcher.daemon import CollectionLoop
from filewatcher.errors import Broken, Unreachable
from filewatcher.ports import Opened
from filewatcher.testing.fakes import InlinePool, MemoryJournal, Recording, ScriptedObserver

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from filewatcher.core.run import Job

LAYOUT = ChunkLayout((4, 5), "<u2", ())
DETECTOR = Detector((4, 5), (0.075, 0.075), (1, 0, 0), (0, -1, 0), (0, 0, -200), 1.0)
MASTER = MasterFile("/data/m.nxs", 1, 2, 3, 4)
ORDER = Order(("/data/m.nxs",), Selection(), {"d_max": 40.0}, "dials")


def described(frames: int) -> Described:
    frame_map = FrameMap((DataFile("/data/m_1.h5", "/data"),), np.zeros(frames, np.int32), np.arange(frames))
    return Described(MASTER, frame_map, 0.01, None)


def on_disk(rows: Sequence[int], layout: ChunkLayout = LAYOUT) -> OnDisk:
    return OnDisk(0, [StoredChunk(row, 100 * row, 90, 0) for row in rows], layout)


def found(frame: FrameReady, attempts: int) -> FrameResult:
    numbers = Statistics(frame.frame, 0, 0, 1.0, -1.0, -1.0, -1.0, -1.0, -1.0, 9)
    return FrameResult(0, frame.frame, numbers, "dials", attempts)


class Case:
    """A loop and its surroundings."""

    def __init__(
        self,
        analyse: Callable[[FrameReady, int], FrameResult | FrameFailed | Unreadable | None] = found,
        journal: MemoryJournal | None = None,
        timeouts: TimeOuts | None = None,
        seconds_per_look: float = 0.0,
        observer: ScriptedObserver | None = None,
        frames: int | None = None,
        pool: InlinePool | None = None,
        grid: Grid | None = None,
    ) -> None:
        ticks = itertools.count()
        self.observer = observer or ScriptedObserver()
        self.pool = pool or InlinePool(analyse)
        self.journal = journal or MemoryJournal()
        self.listener = Recording()
        self.watch = ScanWatch(timeouts=timeouts, frames=frames)
        self.loop = CollectionLoop(
            ORDER,
            Collection([self.watch]),
            self.observer,
            self.pool,
            lambda _run, _described: Opened(self.journal, (None if grid is None else GridInfo(grid),)),
            self.listener,
            clock=lambda: seconds_per_look * next(ticks),
        )

    async def run(self) -> Finished:
        try:
            return await self.loop.run()
        finally:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            assert not others, "no task is left behind"


def test_every_frame_reaches_the_journal_and_the_listener() -> None:
    async def story() -> None:
        case = Case()
        case.observer.say(described(3), DetectorRead(DETECTOR))
        case.observer.say(on_disk([2, 0]))
        case.observer.say(on_disk([1, 2]))
        finished = await case.run()
        assert finished.scans[0].results.states.tolist() == [State.DONE] * 3
        assert finished.scans[0].results.values["n_spots_total"].tolist() == [0, 1, 2]
        assert sorted(o.frame for o in case.listener.frames) == [0, 1, 2]
        assert [one.outcome.frame for one in case.journal.recorded()] == [0, 1, 2]
        assert case.journal.is_complete
        assert case.journal.closed
        assert case.listener.last is not None
        assert case.listener.last.behind == 0

    asyncio.run(story())


def test_where_the_crystal_is_is_told_while_frames_come_and_at_once_in_the_end() -> None:
    async def story() -> None:
        case = Case(grid=Grid(3, 1, snaked=False))
        case.observer.say(described(3), DetectorRead(DETECTOR), on_disk([2]))
        running = asyncio.create_task(case.loop.run())
        while not case.listener.answers:
            case.listener.told.clear()
            await case.listener.told.wait()
        case.observer.say(on_disk([0, 1]))
        finished = await running
        assert not case.listener.answers[0].final
        assert [answer.final for answer in case.listener.answers[-1:]] == [True]
        assert finished.answers == (case.listener.answers[-1],)
        assert finished.answers[0].version == 3

    asyncio.run(story())


def test_frames_wait_for_the_detector() -> None:
    async def story() -> None:
        case = Case()
        case.observer.say(described(1), on_disk([0]))
        running = asyncio.create_task(case.loop.run())
        while case.listener.last is None or case.listener.last.behind != 1:
            case.listener.told.clear()
            await case.listener.told.wait()
        assert case.pool.batches == []
        case.observer.say(DetectorRead(DETECTOR, ("the mask never came",)))
        finished = await running
        assert finished.scans[0].results.states.tolist() == [State.DONE]
        assert finished.warnings == ("the mask never came",)

    asyncio.run(story())


def on_record(frame: int, spots: int, size: int = 90) -> Recorded:
    numbers = Statistics(spots, 0, 0, 1.0, -1.0, -1.0, -1.0, -1.0, -1.0, 9)
    return Recorded(FrameResult(0, frame, numbers, "dials", 1), f"/data/m_1.h5:{100 * frame}+{size}")


def test_what_is_on_record_is_told_first_and_not_analysed_again() -> None:
    async def story() -> None:
        old = on_record(1, 77)
        case = Case(journal=MemoryJournal(old))
        case.observer.say(described(3), DetectorRead(DETECTOR), on_disk([0, 1, 2]))
        finished = await case.run()
        assert case.listener.frames[0] is old.outcome
        assert finished.scans[0].results.values["n_spots_total"].tolist() == [0, 77, 2]
        assert sorted(f.frame for b in case.pool.batches for f in b.frames) == [0, 2]

    asyncio.run(story())


def test_what_is_on_record_of_other_bytes_is_not_believed() -> None:
    async def story() -> None:
        case = Case(journal=MemoryJournal(on_record(1, 77, size=91)))
        case.observer.say(described(3), DetectorRead(DETECTOR), on_disk([0, 1, 2]))
        finished = await case.run()
        assert finished.scans[0].results.values["n_spots_total"].tolist() == [0, 1, 2]
        assert {one.outcome.frame: one.place for one in case.journal.recorded()}[1] == "/data/m_1.h5:100+90"

    asyncio.run(story())


def test_what_was_analysed_and_taken_away_since_stays_done() -> None:
    async def story() -> None:
        case = Case(journal=MemoryJournal(on_record(1, 77)), timeouts=TimeOuts(first=2), seconds_per_look=0.5)
        case.observer.say(described(3))
        finished = await case.run()
        assert finished.scans[0].results.states.tolist() == [State.MISSING, State.DONE, State.MISSING]
        assert [one.outcome.frame for one in case.journal.recorded()] == [1]

    asyncio.run(story())


def test_workers_that_do_not_start_end_the_collection_at_once() -> None:
    class Broke(InlinePool):
        async def arm(self, job: Job) -> None:
            raise Unreachable(f"no worker for {job.name}")

    async def story() -> None:
        case = Case(pool=Broke(found))
        case.observer.say(described(3), DetectorRead(DETECTOR), on_disk([0]))
        for _ in range(50):
            case.observer.say(on_disk([1]))
        await case.run()

    with pytest.raises(Unreachable, match="no worker"):
        asyncio.run(story())


def test_a_frame_that_kills_its_worker_fails_alone() -> None:
    async def story() -> None:
        case = Case(lambda frame, attempts: None if frame.frame == 1 else found(frame, attempts))
        case.observer.say(described(4), DetectorRead(DETECTOR), on_disk([0, 1, 2, 3]))
        finished = await case.run()
        assert finished.scans[0].results.states.tolist() == [State.DONE, State.FAILED, State.DONE, State.DONE]
        assert finished.scans[0].results.errors == {1: "its worker died"}
        assert finished.scans[0].results.attempts[1] == 3

    asyncio.run(story())


def test_a_frame_that_fails_does_not_take_others_along() -> None:
    def analyse(frame: FrameReady, attempts: int) -> FrameResult | FrameFailed:
        return FrameFailed(0, 2, "too many strong pixels", attempts) if frame.frame == 2 else found(frame, attempts)

    async def story() -> None:
        case = Case(analyse)
        case.observer.say(described(4), DetectorRead(DETECTOR), on_disk([0, 1, 2, 3]))
        finished = await case.run()
        assert finished.scans[0].results.errors == {2: "too many strong pixels"}
        assert finished.scans[0].results.states.tolist().count(State.DONE) == 3

    asyncio.run(story())


def test_bytes_that_cannot_be_read_are_looked_up_again_and_fail_only_after_all_attempts() -> None:
    def analyse(frame: FrameReady, attempts: int) -> FrameResult | Unreadable:
        bad = frame.frame == 0 or (frame.frame == 1 and attempts == 1)
        return Unreadable(frame, "short") if bad else found(frame, attempts)

    async def story() -> None:
        case = Case(analyse)
        case.observer.on_look_again = lambda _file, row: case.observer.say(on_disk([row]))
        case.observer.say(described(3), DetectorRead(DETECTOR), on_disk([0, 1, 2]))
        finished = await case.run()
        assert finished.scans[0].results.states.tolist() == [State.FAILED, State.DONE, State.DONE]
        assert finished.scans[0].results.errors == {0: "its bytes in m_1.h5 are not whole: short"}
        assert finished.scans[0].results.attempts.tolist() == [3, 2, 1]
        assert sorted(case.observer.looked_again) == [(0, 0), (0, 0), (0, 1)]

    asyncio.run(story())


def test_frames_that_never_come_are_missing_and_not_on_record() -> None:
    async def story() -> None:
        case = Case(timeouts=TimeOuts(first=5, progress=5), seconds_per_look=0.5)
        case.observer.say(described(3), DetectorRead(DETECTOR), on_disk([1]))
        finished = await case.run()
        assert finished.scans[0].results.states.tolist() == [State.MISSING, State.DONE, State.MISSING]
        assert {type(o) for o in case.listener.frames} == {FrameResult, FrameMissing}
        assert [one.outcome.frame for one in case.journal.recorded()] == [1]
        assert finished.scans[0].ended.expected == 3

    asyncio.run(story())


def test_an_aborted_run_without_a_detector_ends() -> None:
    async def story() -> None:
        case = Case(seconds_per_look=0.5)
        case.observer.say(described(2), Writers((Writer.CLOSED,), was_writing=True))
        finished = await case.run()
        assert finished.scans[0].results.states.tolist() == [State.MISSING] * 2
        assert finished.detector is None

    asyncio.run(story())


def test_a_master_that_never_comes_is_said() -> None:
    with pytest.raises(Broken, match=r"/data/m\.nxs did not come: no frame came within 2 s"):
        asyncio.run(Case(timeouts=TimeOuts(first=2), seconds_per_look=0.5).run())


def test_a_master_that_never_comes_is_said_also_where_its_frames_were_announced() -> None:
    with pytest.raises(Broken, match=r"/data/m\.nxs did not come"):
        asyncio.run(Case(timeouts=TimeOuts(first=2), seconds_per_look=0.5, frames=10).run())


def test_a_selection_without_a_frame_is_no_success() -> None:
    async def story() -> None:
        case = Case(timeouts=TimeOuts(first=2), seconds_per_look=0.5)
        case.observer.say(described(0))
        await case.run()

    with pytest.raises(Broken, match="not one frame to analyse"):
        asyncio.run(story())


def test_images_that_no_worker_can_read_end_the_collection_with_the_file_named() -> None:
    async def story() -> None:
        case = Case()
        unknown = ChunkLayout((4, 5), "<u2", (Filter(40001),))
        case.observer.say(described(2), DetectorRead(DETECTOR), on_disk([0], unknown))
        await case.run()

    with pytest.raises(Broken, match=r"m_1\.h5: .*filter 40001"):
        asyncio.run(story())


def test_an_edge_that_fails_ends_the_loop() -> None:
    class Failing(ScriptedObserver):
        async def report(self, *_: object) -> None:
            raise Broken("/data/m.nxs holds no images")

    with pytest.raises(Broken, match="holds no images"):
        asyncio.run(Case(observer=Failing()).run())


def test_frames_of_a_superseded_collection_are_not_read_any_more() -> None:
    """Their bytes may be the other one's: nothing is handed out, nothing is looked for again, the run never resumes."""

    async def story() -> None:
        case = Case(lambda frame, attempts: found(frame, attempts) if frame.frame == 0 else Unreadable(frame, "torn"))
        case.observer.say(described(4), DetectorRead(DETECTOR), on_disk([0, 1]))
        case.observer.on_look_again = lambda _file, _row: case.observer.say(
            Superseded("m_1.h5 was replaced"), on_disk([1])
        )
        finished = await case.run()
        assert finished.scans[0].results.states.tolist() == [State.DONE, *[State.MISSING] * 3]
        reasons = {o.reason for o in case.listener.frames if isinstance(o, FrameMissing)}
        assert len(reasons) == 1
        assert reasons.pop().startswith("m_1.h5 was replaced: frames of two collections are not mixed")
        assert not case.journal.is_complete
        assert list(case.journal.recorded()) == []

    asyncio.run(story())


def test_what_keeps_blocking_a_file_is_told_once() -> None:
    async def story() -> None:
        case = Case(seconds_per_look=1.0, timeouts=TimeOuts(first=20.0))
        case.observer.say(MasterBlocked("m.nxs is empty"))
        with pytest.raises(Broken, match=r"^m\.nxs is empty: no frame came within 20 s"):
            await case.run()
        assert case.listener.troubles == ["m.nxs is empty"]

    asyncio.run(story())
