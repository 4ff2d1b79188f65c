"""Frame maps made of other things than one virtual dataset: files end to end, maps of maps, a map that has grown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.framemap import DataFile, FrameMap
from filewatcher.core.mapping import in_order
from filewatcher.errors import Broken

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Part:
    """One of several data files that follow each other (DECTRIS: ``data_000001``, ``data_000002``, ...)."""

    file: DataFile
    rows: int | None
    """Images in it; None = not known yet."""
    first: int | None = None
    """Logical frame of row 0, where the file says it; None = it follows the file before it."""
    final: bool = True
    """No image will be added."""


def end_to_end(parts: Sequence[Part], frames: int | None) -> FrameMap:
    """Return the map of files that follow each other; a file whose place is not known yet holds no frame.

    `frames`: how many there will be; None = not known, then there are as many as the files hold now.

    >>> a, b = DataFile("/a.h5", "data"), DataFile("/b.h5", "data")
    >>> end_to_end([Part(a, rows=3), Part(b, rows=None)], frames=5).file.tolist()
    [0, 0, 0, -1, -1]
    >>> end_to_end([Part(a, rows=None), Part(b, rows=2, first=3)], frames=5).file.tolist()
    [-1, -1, -1, 1, 1]
    """
    starts: list[int | None] = []
    position: int | None = 0
    for part in parts:
        start = part.first if part.first is not None else position
        starts.append(start)
        position = start + part.rows if start is not None and part.rows is not None and part.final else None
    ends = [s + p.rows for s, p in zip(starts, parts, strict=True) if s is not None and p.rows is not None]
    total = frames if frames is not None else max(ends, default=0)
    file = np.full(total, -1, np.int32)
    row = np.full(total, -1, np.int64)
    for index, (start, part) in enumerate(zip(starts, parts, strict=True)):
        if start is not None and part.rows is not None:
            stop = min(start + part.rows, total)
            file[start:stop] = index
            row[start:stop] = np.arange(max(0, stop - start))
    return FrameMap(tuple(part.file for part in parts), file, row, open_ended=frames is None)


def compose(outer: FrameMap, inner: Mapping[DataFile, FrameMap], *, where: str) -> FrameMap:
    """Return the map through sources that are virtual themselves (`inner`: their own maps, composed already).

    Raises `Broken` if a frame lies beyond the end of such a source.
    """
    if not any(source in inner for source in outer.files):
        return outer
    files: dict[DataFile, int] = {}
    file = np.full(len(outer), -1, np.int32)
    row = np.full(len(outer), -1, np.int64)
    for index, source in enumerate(outer.files):
        frames = np.flatnonzero(outer.file == index)
        rows = outer.row[frames]
        if source not in inner:
            file[frames], row[frames] = files.setdefault(source, len(files)), rows
            continue
        through = inner[source]
        if len(rows) and rows.max() >= len(through):
            raise Broken(
                f"{where} leaves frames without a source, the first is {frames[rows >= len(through)][0]} (counted "
                f"from 0): {source.path}:{source.dataset} holds {len(through)} images; the master was written wrongly"
            )
        place = np.array([files.setdefault(target, len(files)) for target in through.files], np.int32)
        known = through.file[rows] >= 0
        file[frames[known]] = place[through.file[rows[known]]]
        row[frames] = through.row[rows]
    grown = in_order(tuple(files), file, row)
    return FrameMap(grown.files, grown.file, grown.row, open_ended=outer.open_ended)


def keep_numbers(old: FrameMap, new: FrameMap) -> FrameMap:
    """Return the new map with the file numbers of the old one: what was said of file 3 must stay true of file 3.

    Files that only the new map has come after those of the old one, which stay even if they hold no frame any more.
    """
    numbers = {source: index for index, source in enumerate(old.files)}
    for source in new.files:
        numbers.setdefault(source, len(numbers))
    place = np.array([*(numbers[source] for source in new.files), -1], np.int32)
    return FrameMap(tuple(numbers), place[new.file], new.row, open_ended=new.open_ended)


def side_by_side(maps: Sequence[FrameMap], files: tuple[DataFile, ...] = ()) -> list[FrameMap]:
    """Return the maps of several scans with one numbering of their data files, that of `files` first.

    >>> a, b = DataFile("/a.h5", "data"), DataFile("/b.h5", "data")
    >>> first = FrameMap((a,), np.zeros(2, np.int32), np.array([0, 1]))
    >>> second = FrameMap((b, a), np.array([1, 0], np.int32), np.array([2, 0]))
    >>> [one.file.tolist() for one in side_by_side([first, second])]
    [[0, 0], [0, 1]]
    """
    numbered = []
    for one in maps:
        numbered.append(keep_numbers(FrameMap(files, one.file[:0], one.row[:0]), one))
        files = numbered[-1].files
    return [FrameMap(files, one.file, one.row, open_ended=one.open_ended) for one in numbered]


def together(maps: Sequence[FrameMap]) -> FrameMap:
    """Return all the rows of several scans as one map, for whoever reads files and asks for no scan."""
    (files,) = {one.files for one in maps}
    file = np.concatenate([one.file for one in maps])
    row = np.concatenate([one.row for one in maps])
    return FrameMap(files, file, row, open_ended=any(one.open_ended for one in maps))


def one_series(first: FrameMap, other: FrameMap) -> bool:
    """Whether two maps are over one set of data files: they share one, or their names differ in a running number.

    Grids that end where a data file ends share none: ``xtal_1_000001.h5`` and ``xtal_1_000002.h5`` are one series.
    """
    return (
        bool({file.path for file in first.files} & {file.path for file in other.files})
        or len({re.sub(r"\d+(\.\w+)?$", r"\1", file.path) for file in (*first.files, *other.files)}) == 1
    )


def rename(old: FrameMap, files: Sequence[DataFile]) -> FrameMap:
    """Return the map with other names for its files (one for each); files of the same name become one."""
    numbers: dict[DataFile, int] = {}
    place = np.array([*(numbers.setdefault(source, len(numbers)) for source in files), -1], np.int32)
    return FrameMap(tuple(numbers), place[old.file], old.row, open_ended=old.open_ended)
