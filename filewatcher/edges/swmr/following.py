"""Files that grow as they mostly do, all looked at in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filewatcher.core.observations import OnDisk
from filewatcher.edges.swmr.index import look_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from filewatcher.edges.swmr.datafile import ImageFile
    from filewatcher.edges.swmr.index import Tail


def follow(files: Sequence[ImageFile], numbers: Iterable[int]) -> tuple[list[OnDisk], list[int]]:
    """Return what is new of those files (by number) that have a tail, and the others: these have to be looked at."""
    followed: list[int] = []
    tails: list[Tail] = []
    others: list[int] = []
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
        else:
            assert file.layout is not None
            news.append(OnDisk(number, found, file.layout, file.inode))
    return news, others
