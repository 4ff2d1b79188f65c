from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.asks import Ask, GridWords, Priority, ask_from, ask_json, priority_of
from filewatcher.core.grid import Grid
from filewatcher.core.gridinfo import GridInfo, Snapshot
from filewatcher.errors import Refused

WORDS = st.none() | st.text(max_size=20)
NUMBERS = st.floats(0.001, 1000.0)
INFOS = st.builds(
    GridInfo,
    st.builds(
        Grid,
        st.integers(1, 500),
        st.integers(1, 500),
        snaked=st.booleans(),
        orientation=st.sampled_from(["horizontal", "vertical"]),
        start=st.sampled_from(["top-left", "top-right", "bottom-left", "bottom-right"]),
        step=st.none() | st.tuples(NUMBERS, NUMBERS),
        origin=st.none() | st.tuples(NUMBERS, NUMBERS),
    ),
    st.none() | st.builds(Snapshot, st.tuples(NUMBERS, NUMBERS), st.tuples(NUMBERS, NUMBERS)),
)


@st.composite
def asks(draw: st.DrawFn) -> Ask:
    masters = tuple(draw(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=3, unique=True)))
    return Ask(
        masters,
        draw(st.none() | st.integers(1, 10**6)) if len(masters) == 1 else None,
        draw(st.none() | st.builds(GridWords, WORDS, WORDS, st.none() | st.booleans(), WORDS)),
        tuple(draw(st.lists(INFOS, min_size=len(masters), max_size=len(masters)))) if draw(st.booleans()) else (),
        tuple(range(7, 7 + len(masters))) if draw(st.booleans()) else (),
        draw(WORDS),
        draw(WORDS),
        draw(WORDS),
        tuple(draw(st.lists(st.text(max_size=10), max_size=3))),
        draw(st.sampled_from(["auto", "native", "dials"])),
        draw(st.none() | st.sampled_from(Priority)),
        draw(st.none() | st.integers(1, 100)),
        draw(WORDS),
        draw(st.booleans()),
        draw(st.sampled_from(["http", "directory", "zocalo", "command"])),
    )


@given(asks())
def test_an_ask_survives_a_restart_whole(ask: Ask) -> None:
    assert ask_from(json.loads(json.dumps(ask_json(ask)))) == ask


@given(asks(), asks())
def test_to_be_alike_has_no_direction(one: Ask, other: Ask) -> None:
    assert one.alike(one)
    assert one.alike(other) == other.alike(one)


def test_the_same_collection_is_told_by_its_id_or_else_by_its_masters() -> None:
    assert Ask(dcids=(7,)).alike(Ask(("/data/m.nxs",), dcids=(7,)))
    assert not Ask(dcids=(7,)).alike(Ask(("/data/m.nxs",)))
    assert not Ask(("/data/m.nxs",)).alike(Ask(("/data/m.nxs",), parameters=("d_min=2",)))
    assert not Ask(("/data/m.nxs",)).alike(Ask(("/data/m.nxs",), reprocess_of="a"))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (Ask, "neither a master nor"),
        (lambda: Ask(("/a", "/a")), "given twice"),
        (lambda: Ask(("/a", "/b"), frames=3), "leave it out for 2"),
        (lambda: Ask(("/a", "/b"), dcids=(1,)), "1 dcids for 2 masters"),
        (lambda: Priority.parse("urgent"), "choose one of interactive, rotation, reprocess"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(wrong: object, words: str) -> None:
    assert callable(wrong)
    with pytest.raises(Refused, match=words):
        wrong()


def test_people_who_wait_come_first() -> None:
    grid = priority_of(Ask(("/a",)), grid=True)
    rotation = priority_of(Ask(("/a",)), grid=False)
    again = priority_of(Ask(("/a",), reprocess_of="x"), grid=True)
    assert grid < rotation < again
    assert priority_of(Ask(("/a",), priority=Priority.REPROCESS), grid=True) == Priority.REPROCESS
