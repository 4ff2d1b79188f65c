"""What goes over the wire comes out of it, however it is cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.messages import ChunkLayout, Filter
from filewatcher.core.observations import Observation, OnDisk, StoredChunk, Writer, Writers
from filewatcher.edges.swmr.effort import Effort
from filewatcher.edges.swmr.wire import Packer, Receiver, message

LAYOUTS = (ChunkLayout((4, 5), "<u2", ()), ChunkLayout((4, 5), "<u4", (Filter(32008, (0, 2)),)))
numbers = st.integers(0, 2**62)
chunks = st.lists(st.builds(StoredChunk, numbers, numbers, numbers, st.integers(0, 2**32 - 1)), max_size=5)
on_disk = st.builds(OnDisk, st.integers(0, 3), chunks, st.sampled_from(LAYOUTS), st.integers(0, 2**64 - 1))
writers = st.builds(Writers, st.tuples(st.sampled_from(Writer)), st.booleans())


@given(st.lists(st.text(max_size=300), max_size=8), st.data())
def test_messages_are_whole_however_the_stream_is_cut(words: list[str], data: st.DataObject) -> None:
    stream = b"".join(message(word) for word in words)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    receiver = Receiver()
    heard = []
    for first, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        heard += receiver.feed(stream[first:stop])
    assert heard == words


@given(st.lists(st.lists(st.one_of(on_disk, writers), max_size=4), max_size=4))
def test_news_comes_out_as_it_went_in(told: list[list[Observation]]) -> None:
    packer, receiver = Packer(), Receiver()
    for news in told:
        assert receiver.feed(packer.pack(news)) == [news]


def test_a_heartbeat_is_no_news() -> None:
    (word,) = Receiver().feed(message(Effort(1.0, 2.0, 3, 0.5)))
    assert word == Effort(1.0, 2.0, 3, 0.5)
