"""What a database says completes an ask and never overrules it."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.asks import Ask, GridWords
from filewatcher.core.grid import Grid
from filewatcher.core.gridinfo import GridInfo
from filewatcher.core.lookedup import LookedUp, completed

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

INFOS = [None, GridInfo(Grid(9, 7, snaked=True)), GridInfo(Grid(9, 5, snaked=False))]
WORDS = st.sampled_from([None, "i24", "mx1-2"])


@st.composite
def looked_up(draw: DrawFn) -> LookedUp:
    count = draw(st.integers(1, 2))
    return LookedUp(
        tuple(range(10, 10 + count)),
        tuple(f"/data/{n}.nxs" for n in range(count)),
        draw(st.tuples(*[st.sampled_from([None, 63])] * count)),
        draw(st.tuples(*[st.sampled_from(INFOS)] * count)),
        draw(WORDS),
        draw(WORDS),
        draw(WORDS),
    )


@st.composite
def asks(draw: DrawFn) -> Ask:
    masters = draw(st.sampled_from([(), ("/mine/m.nxs",)]))
    return Ask(
        masters,
        grid=draw(st.sampled_from([None, GridWords("3x21")])),
        dcids=(10,),
        visit=draw(WORDS),
        beamline=draw(WORDS),
        snapshot=draw(WORDS),
    )


@given(asks(), looked_up())
def test_what_an_ask_says_stays_and_the_rest_is_filled_in(ask: Ask, found: LookedUp) -> None:
    whole = completed(ask, found)
    for field in fields(ask):
        said = getattr(ask, field.name)
        if said and field.name != "dcids":
            assert getattr(whole, field.name) == said
    assert len(whole.masters) == len(whole.dcids)
    assert set(ask.dcids) <= set(whole.dcids)
    assert len(whole.gridinfos) in {0, len(whole.masters)}
    assert completed(whole, found) == whole
    if not ask.masters:
        assert (whole.masters, whole.dcids) == (found.masters, found.dcids)


@given(looked_up())
def test_grids_are_those_of_the_masters_or_none(found: LookedUp) -> None:
    both = completed(Ask(dcids=(10,)), found).gridinfos
    assert both == (() if None in found.gridinfos else found.gridinfos)
    one = completed(Ask(("/mine/m.nxs",), dcids=(10,)), found).gridinfos
    assert one == (() if found.gridinfos[0] is None else found.gridinfos[:1])
    assert completed(Ask(dcids=(10,), grid=GridWords("3x21")), found).gridinfos == ()
