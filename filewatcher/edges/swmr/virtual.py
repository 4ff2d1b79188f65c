"""The mapping of a virtual dataset, read without opening any of its sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from h5py import h5s

from filewatcher.core.mapping import ALL, Entry, Selection, Slab
from filewatcher.edges.swmr.tree import beside

if TYPE_CHECKING:
    import h5py

UNLIMITED = 2**64 - 1
"""``H5S_UNLIMITED``, as h5py gives it back."""


def entries_of(dataset: h5py.Dataset, file: str) -> list[Entry]:
    """Return the mapping of a virtual dataset of a file (absolute path), in the order it was written."""
    plist = dataset.id.get_create_plist()
    entries = []
    for i in range(plist.get_virtual_count()):
        name = plist.get_virtual_filename(i)
        entries.append(
            Entry(
                virtual=_selection(plist.get_virtual_vspace(i)),
                file=file if name == "." else beside(file, name),
                dataset=plist.get_virtual_dsetname(i),
                source=_selection(plist.get_virtual_srcspace(i)),
            )
        )
    return entries


def _selection(space: h5py.h5s.SpaceID) -> Selection:
    if space.get_select_type() == h5s.SEL_ALL:
        return ALL
    if space.get_select_type() == h5s.SEL_NONE:
        return Selection((tuple(Slab(0, 1, 0) for _ in space.shape),))
    if space.is_regular_hyperslab():
        return Selection((tuple(map(_slab, *space.get_regular_hyperslab())),))
    blocks = space.get_select_hyper_blocklist()
    return Selection(
        tuple(
            tuple(Slab(int(a), 1, 1, int(b - a + 1)) for a, b in zip(first, last, strict=True))
            for first, last in blocks
        )
    )


def _slab(start: int, stride: int, count: int, block: int) -> Slab:
    if block == UNLIMITED:  # one block without an end = blocks of one without an end
        return Slab(start, 1, None, 1)
    return Slab(start, stride, None if count == UNLIMITED else count, block)
