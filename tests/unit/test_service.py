"""The service with fakes on all sides: who runs, who waits, what a restart keeps."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from filewatcher.core.asks import Ask, GridWords
from filewatcher.core.cells import HEADER
from filewatcher.core.grid import Grid
from filewatcher.errors import Broken, Forbidden, Full, Refused, Unknown, Unreachable
from filewatcher.service import Service, Terms
from filewatcher.service.ports import Kept
from filewatcher.service.service import AGAIN
from filewatcher.testing.works import MemoryRegistry, ScriptedWork, ScriptedWorks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from filewatcher.core.answers import Answer
    from filewatcher.core.messages import Outcome
    from filewatcher.core.observations import Described
    from filewatcher.core.run import Finished, Run
    from filewatcher.ports import Resolver
    from filewatcher.service import Entry

MASTER = Ask(("/data/m.nxs",))


class Diary:
    """A follower that writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def began(self, collection: str, ask: Ask, /) -> None:
        self.heard.append((collection, f"began {' '.join(ask.masters) or ask.dcids}"))

    def described(self, collection: str, described: Sequence[Described], run: Run, /) -> None:
        self.heard.append((collection, f"described {len(described)} {run.engine}"))

    def outcomes(self, collection: str, outcomes: Sequence[Outcome], /) -> None:
        self.heard.append((collection, f"outcomes {[o.frame for o in outcomes]}"))

    def centred(self, collection: str, answer: Answer, /) -> None:
        self.heard.append((collection, f"centred {answer.version}"))

    def ended(self, collection: str, state: str, finished: Finished | None, /) -> None:
        self.heard.append((collection, f"ended {state} {finished is not None}"))


class House:
    """A service and its surroundings; `restart` gives it a new process."""

    def __init__(self, terms: Terms | None = None, resolver: Resolver | None = None) -> None:
        self.works, self.registry, self.diary = ScriptedWorks(), MemoryRegistry(), Diary()
        self.resolver = resolver
        self.terms = terms or Terms()
        self.now = 0.0
        self.days = itertools.count()
        self.service = self._service()

    def _service(self) -> Service:
        today = (f"2026-01-01T00:00:{day:02}" for day in self.days)
        service = Service(
            self.works, self.registry, lambda: self.now, lambda: next(today), self.terms, self.resolver
        )  # fmt: skip
        service.follow(self.diary)
        return service

    async def restart(self) -> None:
        """As kill -9: nothing of the old one is heard again."""
        for entry in self.service.collections():
            if entry.task is not None:
                entry.task.cancel()
                await asyncio.wait([entry.task])
        self.works.made.clear()
        self.service = self._service()
        await self.service.start()
        await settle()

    async def ask(self, ask: Ask = MASTER) -> tuple[Entry, ScriptedWork]:
        asked = await self.service.ask(ask)
        assert asked.new
        await settle()
        return self.service.get(asked.id), self.works.made[asked.id]

    async def until(self, entry: Entry, state: str) -> None:
        while entry.state != state:
            await entry.bell.wait(60.0)


class Pair:
    """A database that has data collections 7 and 8 as one, for each as soon as the test says so."""

    def __init__(self) -> None:
        self.there = {7: asyncio.Event(), 8: asyncio.Event(), 9: asyncio.Event()}

    async def resolve(self, ask: Ask) -> Ask:
        await self.there[ask.dcids[0]].wait()
        if ask.dcids == (9,):
            return replace(ask, masters=("/data/9.nxs",))
        return replace(ask, dcids=(7, 8), masters=("/data/7.nxs", "/data/8.nxs"))


async def settle() -> None:
    """Let all tasks run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


def house(
    story: Callable[[House], Awaitable[None]], terms: Terms | None = None, resolver: Resolver | None = None
) -> None:
    async def told() -> None:
        one = House(terms, resolver)
        await one.service.start()
        await story(one)
        await one.service.close()
        assert one.registry.closed
        assert asyncio.all_tasks() == {asyncio.current_task()}, "no task is left behind"

    asyncio.run(told())


def test_on_a_full_disk_new_asks_are_refused_and_all_others_go_on() -> None:
    async def story(one: House) -> None:
        first, work = await one.ask()
        asked = await one.service.ask(Ask(("/data/second.nxs",)))
        second = one.service.get(asked.id)
        one.registry.full = True
        with pytest.raises(Broken, match="cannot be written"):
            await one.service.ask(Ask(("/data/third.nxs",)))
        assert one.service.collections() == [second, first], "what is not on record was not taken"
        await one.service.end(first.id)
        assert work.stopped
        work.describe()
        work.finish()
        await one.until(first, "done")
        await settle()
        one.works.made[second.id].describe()
        one.works.made[second.id].finish()
        await one.until(second, "done")
        one.registry.full = False
        third, _ = await one.ask(Ask(("/data/third.nxs",)))
        assert third.state == "waiting"

    house(story, Terms(running=1))


def test_a_collection_from_its_ask_to_its_end() -> None:
    async def story(one: House) -> None:
        entry, work = await one.ask()
        assert entry.state == "waiting"
        assert one.registry.rows[entry.id].state == "queued", "it is safe before anything is done"
        work.describe()
        work.tell(2, 0)
        assert (entry.state, entry.key) == ("running", "0123456789abcdef")
        assert entry.scans[0].log.version == 2
        work.tell(1)
        work.finish()
        await one.until(entry, "done")
        assert work.closed
        summary = entry.summary(0.0)
        assert (summary["state"], summary["warnings"]) == ("done", ["a warning"])
        assert one.registry.rows[entry.id].summary["scans"] == summary["scans"]
        heard = [words for _, words in one.diary.heard]
        assert heard == [
            "began /data/m.nxs", "described 1 native", "outcomes [2, 0]", "outcomes [1]", "ended done True"
        ]  # fmt: skip

    house(story)


def test_the_same_ask_is_the_same_collection_until_its_master_is_written_over() -> None:
    async def story(one: House) -> None:
        entry, work = await one.ask()
        assert (await one.service.ask(replace(MASTER, origin="directory"))).id == entry.id
        work.describe()
        work.finish()
        await one.until(entry, "done")
        assert not (await one.service.ask(MASTER)).new
        one.works.ages["/data/m.nxs"] = 1
        again, _ = await one.ask()
        assert again.id != entry.id
        await one.service.cancel(again.id)
        third, _ = await one.ask()
        assert third.id != again.id, "what was cancelled may be asked for again"

    house(story)


def test_a_collection_written_over_another_is_begun_by_itself() -> None:
    async def story(one: House) -> None:
        entry, work = await one.ask()
        assert (await one.service.ask(MASTER)).id == entry.id, "nobody can know yet that it is another one"
        work.describe()
        work.supersede()
        await one.until(entry, "done")
        await settle()
        latest = one.service.collections()[0]
        assert (latest.id != entry.id, latest.state) == (True, "waiting")
        assert (await one.service.ask(MASTER)).id == latest.id

    house(story)


def test_a_collection_written_over_another_is_begun_though_the_queue_is_full() -> None:
    async def story(one: House) -> None:
        entry, work = await one.ask()
        waiting, other = await one.ask(Ask(("/data/2.nxs",)))
        other.fail(Unreachable("no workers"))
        await one.until(waiting, "queued")
        with pytest.raises(Full):
            await one.service.ask(Ask(("/data/3.nxs",)))
        work.describe()
        work.supersede()
        await one.until(entry, "done")
        await settle()
        masters = [one.ask.masters for one in one.service.collections() if not one.over]
        assert sorted(masters) == [("/data/2.nxs",), MASTER.masters]

    house(story, Terms(running=2, queued=1))


def test_people_go_first_where_not_all_can_run_and_a_full_queue_is_said() -> None:
    async def story(one: House) -> None:
        first, work = await one.ask(Ask(("/data/1.nxs",)))
        again, rotation = Ask(("/data/2.nxs",), reprocess_of="x"), Ask(("/data/3.nxs",))
        for ask in (again, rotation, Ask(("/data/4.nxs",), grid=GridWords("3x1"))):
            await one.service.ask(ask)
        with pytest.raises(Full, match="1 collections are watched and 3 wait"):
            await one.service.ask(Ask(("/data/5.nxs",)))
        order = []
        for _ in range(4):
            order.append(first.ask.masters[0])
            work.describe()
            work.finish()
            await one.until(first, "done")
            await settle()
            running = [entry for entry in one.service.collections() if entry.state == "waiting"]
            if running:
                first = running[0]
                work = one.works.made[first.id]
        assert order == ["/data/1.nxs", "/data/4.nxs", "/data/3.nxs", "/data/2.nxs"]

    house(story, Terms(running=1, queued=3))


def test_whatever_breaks_breaks_one_collection() -> None:
    async def story(one: House) -> None:
        bad, work = await one.ask()
        fault, other = await one.ask(Ask(("/data/2.nxs",)))
        good, _ = await one.ask(Ask(("/data/3.nxs",)))
        work.fail(Broken("/data/m.nxs is no HDF5 file"))
        other.fail(ZeroDivisionError("oh"))
        await one.until(bad, "failed")
        await one.until(fault, "failed")
        assert bad.reason == "/data/m.nxs is no HDF5 file"
        assert fault.reason == "this is a fault of filewatcher: ZeroDivisionError: oh"
        assert good.state == "waiting"
        assert work.closed
        assert other.closed

    house(story)


def test_without_workers_a_collection_waits_for_them() -> None:
    async def story(one: House) -> None:
        entry, work = await one.ask()
        work.fail(Unreachable("no scheduler at tcp://x"))
        await one.until(entry, "queued")
        assert entry.reason == "no scheduler at tcp://x"
        one.service._pump()
        assert entry.task is None
        one.now += AGAIN
        one.service._pump()
        await settle()
        assert entry.state == "waiting"
        assert one.works.made[entry.id] is not work

    house(story)


def test_cancelling_ends_what_runs_and_what_waits() -> None:
    async def story(one: House) -> None:
        entry, work = await one.ask()
        waiting = await one.service.ask(Ask(("/data/2.nxs",)))
        await one.service.cancel(waiting.id)
        assert one.service.get(waiting.id).state == "cancelled"
        assert not entry.over
        await one.service.cancel(entry.id)
        assert (entry.state, work.closed) == ("cancelled", True)
        await one.service.cancel(entry.id)
        assert one.registry.rows[entry.id].state == "cancelled"
        assert (entry.id, "ended cancelled False") in one.diary.heard

    house(story, Terms(running=1))


def test_what_is_cancelled_before_its_task_has_begun_is_cancelled() -> None:
    async def story(one: House) -> None:
        asked = await one.service.ask(MASTER)
        await one.service.cancel(asked.id)
        assert one.service.get(asked.id).state == "cancelled"
        assert one.registry.rows[asked.id].ended is not None

    house(story)


def test_a_restart_goes_on_with_all_that_had_not_ended() -> None:
    async def story(one: House) -> None:
        done, work = await one.ask()
        work.describe()
        work.tell(0, 1, 2)
        work.finish()
        await one.until(done, "done")
        running, other = await one.ask(Ask(("/data/2.nxs",)))
        other.describe()
        before = done.summary(0.0)
        await one.restart()
        assert [entry.id for entry in one.service.collections()] == [running.id, done.id]
        assert one.service.get(done.id).summary(0.0) == before
        assert running.id in one.works.made
        assert one.service.get(running.id).state == "waiting"
        seen = await one.service.with_cells(done.id)
        assert HEADER.unpack_from(seen.scans[0].log.message(seen.generation, 0))[3:] == (3, 3, 3)
        assert seen.generation != done.generation, "the order is another one: viewers must begin anew"

    house(story)


def test_frames_of_few_collections_are_in_memory() -> None:
    async def story(one: House) -> None:
        entries = []
        for number in range(4):
            entry, work = await one.ask(Ask((f"/data/{number}.nxs",)))
            work.describe()
            work.finish()
            await one.until(entry, "done")
            entries.append(entry)
        assert [bool(entry.scans) for entry in entries] == [False, False, True, True]
        await one.service.with_cells(entries[0].id)
        assert [bool(entry.scans) for entry in entries] == [True, False, False, True]

    house(story, Terms(in_memory=2))


def test_those_that_ended_longest_ago_are_forgotten() -> None:
    async def story(one: House) -> None:
        running, _ = await one.ask()
        for number in range(4):
            entry, work = await one.ask(Ask((f"/data/{number}.nxs",)))
            work.describe()
            work.finish()
            await one.until(entry, "done")
        await settle()
        known = [entry.ask.masters[0] for entry in one.service.collections()]
        assert known == ["/data/3.nxs", "/data/2.nxs", running.ask.masters[0]]

    house(story, Terms(remembered=2))


def test_reprocessing_is_a_collection_beside_the_first() -> None:
    async def story(one: House) -> None:
        entry, work = await one.ask()
        asked = await one.service.reprocess(entry.id, replace(MASTER, parameters=("d_min=2",)))
        assert one.service.get(asked.id).ask.wait, "the first one still runs: there is more to come"
        work.describe()
        work.finish()
        await one.until(entry, "done")
        again = await one.service.reprocess(entry.id, replace(MASTER, parameters=("d_min=3",)))
        assert not one.service.get(again.id).ask.wait
        assert not (await one.service.reprocess(entry.id, replace(MASTER, parameters=("d_min=3",)))).new

    house(story)


def test_what_is_refused_is_not_remembered() -> None:
    async def story(one: House) -> None:
        one.works.refused = Forbidden("/etc/passwd is outside")
        with pytest.raises(Forbidden):
            await one.service.ask(MASTER)
        assert one.registry.rows == {}
        for what in (one.service.cancel, one.service.end, one.service.with_cells):
            with pytest.raises(Unknown):
                await what("nobody")

    house(story)


def test_an_id_alone_is_nothing_where_nobody_looks_ids_up() -> None:
    async def story(one: House) -> None:
        with pytest.raises(Refused, match="data collection 7: this daemon looks no ids up"):
            await one.service.ask(Ask(dcids=(7,)))
        assert one.registry.rows == {}
        # asked for when it did, and started again without the database
        one.registry.rows["old"] = Kept("old", Ask(dcids=(8,)), "2026-01-01T00:00:00", "queued")
        await one.restart()
        old = one.service.get("old")
        await one.until(old, "failed")
        assert old.reason is not None
        assert "give the master file" in old.reason

    house(story)


def test_the_end_is_passed_on_also_to_what_has_not_begun_and_after_a_restart() -> None:
    async def story(one: House) -> None:
        entry, work = await one.ask()
        await one.service.end(entry.id)
        assert work.stopped
        early = await one.service.ask(Ask(("/data/2.nxs",)))
        await one.service.end(early.id)
        await settle()
        assert one.works.made[early.id].stopped
        await one.restart()
        assert [one.works.made[name].stopped for name in (entry.id, early.id)] == [True, True]

    house(story)


@pytest.mark.parametrize("first", [7, 8])
def test_two_halves_of_a_pair_asked_for_before_either_is_known_are_one_collection(first: int) -> None:
    database = Pair()

    async def story(one: House) -> None:
        entries = {dcid: one.service.get((await one.service.ask(Ask(dcids=(dcid,)))).id) for dcid in (7, 8, 9)}
        stays, goes = entries.pop(first), entries.pop(15 - first)
        await one.service.end(goes.id)
        database.there[first].set()
        await settle()
        assert list(one.works.made) == [stays.id]
        for event in database.there.values():
            event.set()
        await settle()
        assert set(one.works.made) == {stays.id, entries[9].id}, "nobody else reads the files of the pair"
        assert (goes.state, goes.same_as, goes.kept.summary["same_as"]) == ("cancelled", stays.id, stays.id)
        assert goes.reason == f"it is collection {stays.id}, which has data collections 7, 8 already: look there"
        assert one.works.made[stays.id].stopped, "what was said of the other half is heard here"
        assert [words for name, words in one.diary.heard if name == goes.id][-1] == "ended cancelled False"
        for dcid in (7, 8):
            assert (await one.service.ask(Ask(dcids=(dcid,)))).id == stays.id
        await one.restart()
        assert one.service.get(goes.id).same_as == stays.id
        assert stays.id in one.works.made

    house(story, resolver=database)


def test_two_halves_that_were_both_known_when_the_daemon_died_are_one_collection() -> None:
    database = Pair()

    async def story(one: House) -> None:
        asked = [(await one.service.ask(Ask(dcids=(dcid,)))).id for dcid in (7, 8)]
        pair = ("/data/7.nxs", "/data/8.nxs")
        for name in asked:  # on disk just before either could be ended
            one.registry.rows[name] = replace(one.registry.rows[name], ask=Ask(pair, dcids=(7, 8)))
        for event in database.there.values():
            event.set()
        await one.restart()
        states = [one.service.get(name).state for name in asked]
        assert sorted(states) == ["cancelled", "waiting"]

    house(story, resolver=database)


def test_grids_by_hand_are_kept_with_the_collection_and_told_to_all() -> None:
    by_hand = Grid(1, 3, snaked=True, orientation="vertical", start="bottom-left")
    words = {"columns": 1, "rows": 3, "orientation": "vertical", "snaked": True, "start": "bottom-left"}

    async def story(one: House) -> None:
        entry, work = await one.ask()
        # nothing is known of its length yet
        await one.service.lay_out(entry.id, [Grid(40, 20, snaked=False)])
        with pytest.raises(Refused, match=r"2 grids, and collection .* has 1 scans: one for each"):
            await one.service.lay_out(entry.id, [by_hand, by_hand])
        work.describe()
        with pytest.raises(Refused, match="a grid of 2x2 has 4 cells, and scan 0 has 3 frames"):
            await one.service.lay_out(entry.id, [Grid(2, 2, snaked=True)])
        rung = entry.bell.rung
        await one.service.lay_out(entry.id, [by_hand])
        assert entry.bell.rung > rung
        assert one.service.summary(entry)["grids_by_hand"] == [words]
        await one.restart()
        entry = one.service.get(entry.id)
        assert one.service.summary(entry)["grids_by_hand"] == [words]
        work = one.works.made[entry.id]
        work.describe()
        work.finish()
        await one.until(entry, "done")
        # also of one that has ended, whose frames are in no memory
        for grids, told in (([by_hand], [words]), ([None], []), ([], [])):
            await one.service.lay_out(entry.id, grids)
            await one.restart()
            entry = one.service.get(entry.id)
            assert one.service.summary(entry)["grids_by_hand"] == told
        with pytest.raises(Refused, match="3 frames"):
            await one.service.lay_out(entry.id, [Grid(2, 2, snaked=True)])
        with pytest.raises(Unknown):
            await one.service.lay_out("nobody", [])

    house(story)
