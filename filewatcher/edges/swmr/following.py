"""Files that grow as they mostly do, all looked at in one call, or from look to look with no Python in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from filewatcher.core.observations import OnDisk
from filewatcher.edges.swmr.index import follow, look_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from filewatcher.core.messages import ChunkLayout
    from filewatcher.edges.swmr.datafile import ImageFile
    from filewatcher.edges.swmr.index import Tail
    from filewatcher.edges.swmr.rhythm import Rhythm


class Line(NamedTuple):
    """Where to tell what is new, and what may want an answer meanwhile."""

    parent: int
    """Descriptor of the socket: news goes out, orders come in."""
    hints: int
    """Descriptor; -1 = none are given."""
    has_told: Callable[[int, int, ChunkLayout | None], bool]
    """Whether the parent knows the number, inode and layout of a file."""


def news_of(files: Sequence[ImageFile], numbers: Iterable[int]) -> tuple[list[OnDisk], list[int], set[int]]:
    """Return what is new of those files (by number) that have a tail, and the others, which have to be looked at.

    Last come those among them that a tail has left: whether they are still the same has to be checked.
    """
    followed: list[int] = []
    tails: list[Tail] = []
    others: list[int] = []
    left: set[int] = set()
    for number in numbers:
        tail = files[number].memory.tail
        if tail is None:
            others.append(number)
        else:
            followed.append(number)
            tails.append(tail)
    news: list[OnDisk] = []
    for place, found in look_at(tails):
        number = followed[place]
        file = files[number]
        if found is None:
            others.append(number)
            left.add(number)
        else:
            assert file.layout is not None
            news.append(OnDisk(number, found, file.layout, file.inode))
    return news, others, left


def stay_with(files: Sequence[ImageFile], numbers: Sequence[int], rhythm: Rhythm, line: Line, until: float) -> None:
    """Follow those files (by number) in this rhythm and tell what is new, while all of them grow as they mostly do.

    Ends when something else is to be done, by `until` at the latest (monotonic, seconds), or at once.
    """
    tails: list[Tail] = []
    for number in numbers:
        file = files[number]
        if file.memory.tail is None or not line.has_told(number, file.inode, file.layout):
            return
        tails.append(file.memory.tail)
    if tails and rhythm.busy:
        begun = rhythm.begun_at
        why, looks, begun, gap = follow(tails, numbers, line.parent, line.hints, begun, rhythm.due() - begun, until)
        if looks:
            rhythm.followed(looks, begun, gap)
            rhythm.end(begun, news=why != "nothing")
            if why == "other":
                rhythm.at_once()
