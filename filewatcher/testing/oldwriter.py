"""Write a data file with nothing but h5py and numpy of any age: run as a script, also by another Python.

``python oldwriter.py PATH`` reads what `write` is to do as JSON: Debian's own h5py is one of 2022, on HDF5 1.10.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def write(path: str, recipe: dict[str, Any]) -> None:
    """Write chunks of 12 bytes as they are given.

    `libver`: low and high; `rows`; `growing`; `filtered`; `channels` (0 = none); `chunks`: list of
    (row, channel, bytes as hex, filter mask), in the order of writing; `attributes`: how many to add after the chunks,
    so that the object header goes on elsewhere.
    """
    import h5py  # noqa: PLC0415  of the Python that runs this

    lead = [recipe["rows"]] + ([recipe["channels"]] if recipe["channels"] else [])
    with h5py.File(path, "w", libver=tuple(recipe["libver"])) as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((*(1 for _ in lead), 2, 3))
        if recipe["filtered"]:
            plist.set_shuffle()
            plist.set_deflate(1)
        top = (h5py.h5s.UNLIMITED, *lead[1:], 2, 3) if recipe["growing"] else (*lead, 2, 3)
        space = h5py.h5s.create_simple((*lead, 2, 3), top)
        images = h5py.h5d.create(file.id, b"data", h5py.h5t.STD_U16LE, space, plist)
        for row, channel, content, mask in recipe["chunks"]:
            place = (row, channel, 0, 0) if recipe["channels"] else (row, 0, 0)
            images.write_direct_chunk(place, bytes.fromhex(content), mask)
        for number in range(recipe["attributes"]):
            file["data"].attrs[f"note {number}"] = "x" * 100


if __name__ == "__main__":
    write(sys.argv[1], json.load(sys.stdin))
