"""Where the images of a master are: from its links and virtual datasets to a `FrameMap`.

They are looked for in this order, in ``/entry`` and then in any other NXentry:

1. ``data/data``: a virtual dataset, a dataset in the master, or a link to either;
2. ``data/data_000001``, ``data/data_000002``, ...: DECTRIS, one link per data file, whether it exists yet or not;
3. the signal of an NXdata group, the default one first;
4. ``instrument/detector/data``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.framemap import DataFile, FrameMap
from filewatcher.core.joining import Part, compose, end_to_end, rename
from filewatcher.core.mapping import place, reach
from filewatcher.core.observations import Writer
from filewatcher.edges.swmr.libhdf5 import peek
from filewatcher.edges.swmr.tree import number, text
from filewatcher.edges.swmr.virtual import entries_of
from filewatcher.errors import Broken, NotReady, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import h5py

    from filewatcher.edges.swmr.tree import Node, Tree

LINK = re.compile(r"data_\d+$")
DEPTH = 8
"""Virtual datasets of virtual datasets before they are taken to go round in circles."""


@dataclass(frozen=True)
class Images:
    """The images of a master, as far as it and the files that exist now tell."""

    frame_map: FrameMap
    where: str
    """Dataset or group in the master."""
    shape: tuple[int, int] | None
    """Pixels, (slow, fast); None = not known before the first data file is there."""
    dtype: str | None
    """As the master's dataset says: of a virtual dataset it need not be that of the data."""
    virtual: bool
    channel: str | None = None
    """Name of the channel chosen, of several."""

    @cached_property
    def final(self) -> bool:
        """Whether nothing more can become known of the map; asked at every poll."""
        return not self.frame_map.open_ended and bool((self.frame_map.file >= 0).all())


def entries(tree: Tree) -> list[str]:
    """Absolute names of the NXentry groups, ``/entry`` first."""
    found = tree.children("/", "NXentry")
    if tree.find("/entry").group is not None and "/entry" not in found:
        found.append("/entry")
    return sorted(found, key=lambda name: name != "/entry")


def frame_count(tree: Tree, entry: str) -> int | None:
    """Frames that an entry announces, nimages x ntrigger; None = it does not. Raises `NotReady` if that is awaited."""
    specific = f"{entry}/instrument/detector/detectorSpecific"
    images = number(tree.value(f"{specific}/nimages"))
    triggers = number(tree.value(f"{specific}/ntrigger"))
    return None if images is None else int(images) * int(1 if triggers is None else triggers)


def find_images(tree: Tree, channel: str | None = None, frames: int | None = None) -> Images:
    """Return where the images are.

    `channel`: of a dataset ``[image, channel, slow, fast]``, by name; default the first. `frames`: how many to
    expect where the master does not say. Raises `NotReady` if the master is not whole, `Broken` if it has no
    images, `Refused` for a wrong channel.
    """
    finder = _Finder(tree, channel, frames)
    for entry in entries(tree):
        for found in finder.candidates(entry):
            if len(found.frame_map) or found.frame_map.open_ended:
                return found
    raise Broken(
        f"{tree.path} has no images: no /entry/data/data, no /entry/data/data_000001 and no NXdata with a signal of "
        "three dimensions; give the master file of a collection"
    )


class _Finder:
    def __init__(self, tree: Tree, channel: str | None, frames: int | None) -> None:
        self.tree, self.channel, self.frames = tree, channel, frames

    def candidates(self, entry: str) -> Iterator[Images]:
        """Yield what could be the images, best first."""
        if found := self._dataset(entry, f"{entry}/data/data"):
            yield found
        if found := self._links(entry):
            yield found
        for name in [*self._signals(entry), f"{entry}/instrument/detector/data"]:
            if found := self._dataset(entry, name):
                yield found

    def _signals(self, entry: str) -> list[str]:
        group = self.tree.find(entry).group
        default = text(group.attrs.get("default")) if group is not None else ""
        names = sorted(self.tree.children(entry, "NXdata"), key=lambda name: name != f"{entry}/{default}")
        found = []
        for name in names:
            data = self.tree.find(name).group
            if data is not None and (signal := text(data.attrs.get("signal"))):
                found.append(f"{name}/{signal}")
        return found

    def _expected(self, entry: str) -> int | None:
        count = frame_count(self.tree, entry)
        return count if count is not None else self.frames

    def _dataset(self, entry: str, name: str) -> Images | None:
        node = self.tree.find(name)
        if node.awaited:  # a link to the one data file, which is not there: its rows in order
            n = self._expected(entry)
            if n is None:
                raise NotReady(
                    f"{node.file} does not exist yet, and {self.tree.path} does not say how many frames come"
                )
            part = Part(DataFile(node.file, node.name), rows=n)
            return Images(end_to_end([part], n), name, None, None, virtual=False)
        dataset = node.dataset
        if dataset is None or dataset.ndim not in (3, 4):
            return None
        chosen = self._channel(entry, name, dataset)
        frame_map = self._map(node, chosen[0] if chosen else None, lambda: self._expected(entry))
        return Images(
            frame_map,
            name,
            (int(dataset.shape[-2]), int(dataset.shape[-1])),
            dataset.dtype.str,
            virtual=bool(dataset.is_virtual),
            channel=chosen[1] if chosen else None,
        )

    # ---- datasets

    def _map(self, node: Node, channel: int | None, expected: Callable[[], int | None], depth: int = 0) -> FrameMap:
        """Map a dataset that is there: a virtual one through its sources, another one onto itself."""
        dataset = node.dataset
        assert dataset is not None
        if depth > DEPTH:
            raise Broken(f"{self.tree.path}: the virtual datasets of {node.file}:{node.name} go round in circles")
        open_end = dataset.maxshape[0] is None
        n = expected() if open_end else int(dataset.shape[0])
        if not dataset.is_virtual:
            rows = int(dataset.shape[0]) if n is None else n
            return end_to_end([Part(DataFile(node.file, node.name, channel), rows=rows)], n)
        mapping = entries_of(dataset, node.file)
        total = reach(mapping, self._rows) if n is None else n
        where = f"{node.file}:{node.name}"
        placed = place(mapping, (total, *dataset.shape[1:]), channel or 0, where=where)
        placed = replace(placed, open_ended=n is None)
        return self._through(placed, where, depth)

    def _through(self, placed: FrameMap, where: str, depth: int) -> FrameMap:
        """Follow the sources of a map: through links, and through those that are virtual themselves."""
        inner: dict[DataFile, FrameMap] = {}
        files = []
        for source in placed.files:
            node = self.tree.find(source.dataset, source.path)
            target = DataFile(node.file, node.name, source.channel)
            files.append(target)
            if node.object is None and not node.awaited:
                self._refuse_dangling(node, where)
            if node.dataset is not None and node.dataset.is_virtual and target not in inner:
                inner[target] = self._map(node, source.channel, lambda: None, depth + 1)
            self.tree.release(node.file)
        return compose(rename(placed, files), inner, where=where)

    def _refuse_dangling(self, node: Node, where: str) -> None:
        """A source is not in its file: in a file that is still written it may come."""
        seen = peek(node.file, self.tree.roots)
        if node.file == self.tree.path or (seen is not None and seen.writer is Writer.CLOSED):
            raise Broken(f"{where} has images in {node.file}:{node.name}, which does not exist")

    def _rows(self, file: str, dataset: str) -> int | None:
        node = self.tree.find(dataset, file)
        rows = None if node.dataset is None else int(node.dataset.shape[0])
        self.tree.release(node.file)
        return rows

    # ---- DECTRIS: links to files that follow each other

    def _links(self, entry: str) -> Images | None:
        names = [name for name in self.tree.names(f"{entry}/data") if LINK.match(name)]
        if not names:
            return None
        shape, dtype, chosen = None, None, None
        parts = []
        inner: dict[DataFile, FrameMap] = {}
        for name in names:
            node = self.tree.find(f"{entry}/data/{name}")
            dataset = node.dataset
            if dataset is not None and dataset.ndim in (3, 4):
                shape, dtype = (int(dataset.shape[-2]), int(dataset.shape[-1])), dataset.dtype.str
                chosen = self._channel(entry, f"{entry}/data/data", dataset)
            parts.append(self._part(node, chosen[0] if chosen else None))
            if dataset is not None and dataset.is_virtual:
                inner[parts[-1].file] = self._map(node, parts[-1].file.channel, lambda: None, 1)
            self.tree.release(node.file)
        frame_map = end_to_end(_counted_from_zero(parts), self._expected(entry))
        frame_map = compose(frame_map, inner, where=f"{self.tree.path}:{entry}/data") if inner else frame_map
        return Images(frame_map, f"{entry}/data", shape, dtype, virtual=False, channel=chosen[1] if chosen else None)

    def _part(self, node: Node, channel: int | None) -> Part:
        file = DataFile(node.file, node.name, channel)
        dataset = node.dataset
        if dataset is None or dataset.ndim not in (3, 4):
            return Part(file, rows=None)
        low = number(dataset.attrs.get("image_nr_low"))
        high = number(dataset.attrs.get("image_nr_high"))
        rows = int(dataset.shape[0])
        if low is not None and high is not None and high >= low:
            rows = min(rows, int(high - low) + 1)
        seen = peek(node.file, self.tree.roots)
        final = dataset.maxshape[0] is not None or (seen is not None and seen.writer is Writer.CLOSED)
        return Part(file, rows, None if low is None else int(low), final)

    # ---- channels

    def _channel(self, entry: str, name: str, dataset: h5py.Dataset) -> tuple[int, str | None] | None:
        """Index and name of the channel to be read; None for images without channels."""
        if dataset.ndim == 3:
            if self.channel is not None:
                raise Refused(f"{self.tree.path}:{name} has no channels, so there is no {self.channel!r}: leave it out")
            return None
        names = self._channel_names(entry, name)
        if self.channel is None:
            return 0, names[0] if names else None
        if self.channel not in names[: dataset.shape[1]]:
            known = ", ".join(names) or "no names"
            raise Refused(f"{self.tree.path}:{name} has no channel {self.channel!r}: it has {known}")
        return names.index(self.channel), self.channel

    def _channel_names(self, entry: str, name: str) -> list[str]:
        """Names along the second axis: ``channel`` beside the images (DECTRIS filewriter, NXdata)."""
        beside_it = self.tree.find(f"{name.rpartition('/')[0]}/channel").dataset
        if beside_it is None:
            beside_it = self.tree.find(f"{entry}/data/channel").dataset
        return [] if beside_it is None else [text(value) for value in np.asarray(self.tree.read(beside_it)).reshape(-1)]


def _counted_from_zero(parts: list[Part]) -> list[Part]:
    """Image numbers of DECTRIS start at 1 or, where it was set so, at ``image_nr_start``: the first file's first."""
    base = parts[0].first if parts[0].first is not None else 1
    return [replace(part, first=None if part.first is None else part.first - base) for part in parts]
