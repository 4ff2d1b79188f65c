"""ISPyB in: from a data collection id to what a collection needs, in a real database with the least rights."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from filewatcher.core.asks import Ask, GridWords
from filewatcher.core.gridinfo import Snapshot
from filewatcher.edges.ispyb import Database, IspybResolver, look, read_credentials
from filewatcher.edges.ispyb.database import Denied
from filewatcher.errors import NotReady, Refused, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filewatcher.core.lookedup import LookedUp
    from tests.ispyb_database import IspybDatabase

MASTER = Path("/data/mx23694-7/grid_1.nxs")


@contextmanager
def logged_in(credentials: Path) -> Iterator[Database]:
    database = Database(read_credentials(credentials))
    yield database
    database.close()


def found(ispyb: IspybDatabase, *dcids: int) -> LookedUp:
    with logged_in(ispyb.credentials) as database:
        return look(database, dcids)


def test_an_id_says_where_what_how_and_who(ispyb_database: IspybDatabase) -> None:
    dcid = ispyb_database.collection(ispyb_database.group(), MASTER)
    ispyb_database.grid(collection=dcid)
    seen = found(ispyb_database, dcid)
    assert (seen.dcids, seen.masters, seen.frames) == ((dcid,), (str(MASTER),), (63,))
    assert (seen.visit, seen.beamline, seen.snapshot) == ("mx23694-7", "i24", "/data/mx23694-7/camera.png")
    (info,) = seen.gridinfos
    assert info is not None
    assert (str(info.grid), info.grid.snaked, info.grid.step) == ("9x7", True, (0.02, 0.02))
    assert info.snapshot == Snapshot((100.5, 50.25), (0.8, 0.8))
    assert not seen.grid_to_come
    assert not seen.problems


def test_a_grid_of_the_group_counts_where_the_collection_has_none(ispyb_database: IspybDatabase) -> None:
    group = ispyb_database.group()
    own, other = (ispyb_database.collection(group, MASTER.with_name(f"{n}.nxs")) for n in "ab")
    ispyb_database.grid(collection=own, group=group, steps_x=7.0, steps_y=9.0)
    assert found(ispyb_database, other).gridinfos == (None,)  # that is the first one's
    ispyb_database.grid(group=group)
    grids = [str(info.grid) for dcid in (own, other) for info in found(ispyb_database, dcid).gridinfos if info]
    assert grids == ["7x9", "9x7"]


def test_the_two_grids_of_one_arming_are_a_pair_whichever_is_asked_for(ispyb_database: IspybDatabase) -> None:
    group = ispyb_database.group("Mesh3D")
    first = ispyb_database.collection(group, MASTER)
    assert found(ispyb_database, first).dcids == (first,)
    second = ispyb_database.collection(group, MASTER.with_name("grid_2.nxs"), 45)
    ispyb_database.grid(collection=first)
    assert found(ispyb_database, second).grid_to_come
    ispyb_database.grid(collection=second, steps_y=5.0)
    assert found(ispyb_database, first) == found(ispyb_database, second)
    seen = found(ispyb_database, second)
    assert (seen.dcids, seen.masters) == ((first, second), (str(MASTER), "/data/mx23694-7/grid_2.nxs"))
    assert [str(info.grid) for info in seen.gridinfos if info] == ["9x7", "9x5"]


def test_two_collections_of_a_group_that_were_armed_each_by_itself_are_no_pair(ispyb_database: IspybDatabase) -> None:
    group = ispyb_database.group("Mesh")
    first = ispyb_database.collection(group, MASTER)
    ispyb_database.collection(group, MASTER.with_name("grid_2.nxs"))
    assert found(ispyb_database, first).dcids == (first,)


def test_floats_as_counts_and_words_as_flags_make_a_grid(ispyb_database: IspybDatabase) -> None:
    ispyb_database.do("alter table GridInfo modify snaked varchar(10), modify steps_x varchar(10)")
    try:
        dcid = ispyb_database.collection(ispyb_database.group(), MASTER)
        ispyb_database.grid(collection=dcid, steps_x="'9.0'", snaked="'true'")
        (info,) = found(ispyb_database, dcid).gridinfos
    finally:
        ispyb_database.do("update GridInfo set snaked = '1' where snaked = 'true'")
        ispyb_database.do("alter table GridInfo modify snaked tinyint(1) default 0, modify steps_x double")
    assert info is not None
    assert (info.grid.columns, info.grid.rows, info.grid.snaked) == (9, 7, True)


def test_a_row_that_makes_no_grid_is_said_and_stops_nothing(ispyb_database: IspybDatabase) -> None:
    dcid = ispyb_database.collection(ispyb_database.group(), MASTER)
    ispyb_database.grid(collection=dcid, steps_x=9.5)
    seen = found(ispyb_database, dcid)
    assert seen.gridinfos == (None,)
    assert not seen.grid_to_come
    assert seen.problems == (
        f"GridInfo of data collection {dcid}: steps_x is 9.5: expected a whole number from 1; this grid is not used",
    )


def test_images_that_are_no_hdf5_are_refused(ispyb_database: IspybDatabase) -> None:
    dcid = ispyb_database.collection(ispyb_database.group("SAD"), Path("/data/a_1_####.cbf"))
    with pytest.raises(Refused, match=rf"data collection {dcid}: its images are /data/a_1_####.cbf, no HDF5 master"):
        found(ispyb_database, dcid)


def test_a_user_without_the_right_is_told_which(ispyb_database: IspybDatabase, tmp_path: Path) -> None:
    mine = ispyb_database.user(tmp_path, "grant select on Proposal to 'filewatcher'@'%'")
    with (
        logged_in(mine) as database,
        pytest.raises(Denied, match=r"may not look up .*SELECT .*denied .*DataCollection"),
    ):
        look(database, [1])
    text = mine.read_text()
    mine.write_text(text.replace("password = ", "password = x"))
    with logged_in(mine) as database, pytest.raises(Refused, match=r"refuses its user other\d+: Access denied"):
        look(database, [1])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", r"No section: .*it has a section \[ispyb_sqlalchemy\]"),
        ("[ispyb_sqlalchemy]\nusername = me\nport = 3306", "does not say host, database"),
        ("[ispyb_sqlalchemy]\nusername = a\nhost = h\nport = many\ndatabase = d", "port is 'many'"),
    ],
)
def test_credentials_are_checked(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "ispyb.cfg"
    with pytest.raises(Refused, match=r"cannot be read: No such file or directory; check ISPYB_CREDENTIALS"):
        read_credentials(file)
    file.write_text(text)
    with pytest.raises(Refused, match=problem):
        read_credentials(file)


# ---- the resolver


class Desk:
    """A resolver at a real database; what it says, in order."""

    def __init__(self, database: Database, patience: float = 30.0) -> None:
        self.said: list[str] = []
        self.heard = threading.Event()

        async def once(dcids: tuple[int, ...]) -> LookedUp:
            return await asyncio.to_thread(look, database, dcids)

        self.resolver = IspybResolver(once, self._say, time.monotonic, patience)

    def _say(self, sentence: str) -> None:
        self.said.append(sentence)
        self.heard.set()

    def resolve(self, ask: Ask) -> Ask:
        return asyncio.run(self.resolver.resolve(ask))


def test_a_message_before_its_rows_waits_for_them(ispyb_database: IspybDatabase) -> None:
    group = ispyb_database.group()
    coming = ispyb_database.collection(group, MASTER) + 1  # the next id that the database will give

    def later() -> None:
        desk.heard.wait()
        desk.heard.clear()
        assert ispyb_database.collection(group, MASTER.with_name("late.nxs")) == coming
        desk.heard.wait()
        ispyb_database.grid(collection=coming)

    with logged_in(ispyb_database.credentials) as database:
        desk = Desk(database)
        writer = threading.Thread(target=later)
        writer.start()
        ask = desk.resolve(Ask(dcids=(coming,)))
        writer.join()
    assert ask.masters == ("/data/mx23694-7/late.nxs",)
    assert [str(info.grid) for info in ask.gridinfos] == ["9x7"]
    assert desk.said == [
        f"data collection {coming} is not in ISPyB yet; waiting for it",
        f"the grid of data collection {coming} is not in ISPyB yet; waiting for it",
    ]


def test_what_an_ask_says_itself_wins(ispyb_database: IspybDatabase) -> None:
    group = ispyb_database.group("Mesh3D")
    first = ispyb_database.collection(group, MASTER)
    second = ispyb_database.collection(group, MASTER.with_name("grid_2.nxs"))
    for dcid in (first, second):
        ispyb_database.grid(collection=dcid)
    with logged_in(ispyb_database.credentials) as database:
        desk = Desk(database)
        named = desk.resolve(Ask(("/elsewhere/m.nxs",), dcids=(second,), beamline="i04"))
        words = desk.resolve(Ask(dcids=(first,), grid=GridWords("3x21")))
        nothing = desk.resolve(Ask(("/elsewhere/m.nxs",)))
    assert (named.masters, named.dcids, len(named.gridinfos)) == (("/elsewhere/m.nxs",), (second,), 1)
    assert (named.beamline, named.visit) == ("i04", "mx23694-7")
    assert (words.dcids, words.gridinfos, words.grid) == ((first, second), (), GridWords("3x21"))
    assert nothing == Ask(("/elsewhere/m.nxs",))


def test_a_database_that_is_down_stops_nothing_that_has_a_path(ispyb_database: IspybDatabase) -> None:
    dcid = ispyb_database.collection(ispyb_database.group(), MASTER)
    ask = Ask((str(MASTER),), dcids=(dcid,))
    ispyb_database.server.stop()
    try:
        with logged_in(ispyb_database.credentials) as database:
            desk = Desk(database, patience=1.0)
            begun = time.monotonic()
            assert desk.resolve(ask) == ask
            assert time.monotonic() - begun < 2.0
            assert len(desk.said) == 1
            assert desk.said[0].endswith("going on without what it says")
            with pytest.raises(Unreachable, match=r"ISPyB at 127\.0\.0\.1:\d+/ispyb does not answer"):
                desk.resolve(Ask(dcids=(dcid,)))
    finally:
        ispyb_database.server.start()
    with logged_in(ispyb_database.credentials) as database:
        assert found(ispyb_database, dcid).grid_to_come
        desk = Desk(database)
        assert desk.resolve(Ask(dcids=(dcid,), grid=GridWords("9x7"))).masters == (str(MASTER),)
        assert desk.said == [], "who says the grid does not wait for that of the database"


def test_an_id_that_never_comes_is_named(ispyb_database: IspybDatabase) -> None:
    with (
        logged_in(ispyb_database.credentials) as database,
        pytest.raises(NotReady, match="data collection 99999999 is not in ISPyB yet"),
    ):
        Desk(database, patience=0.5).resolve(Ask(dcids=(99999999,)))
