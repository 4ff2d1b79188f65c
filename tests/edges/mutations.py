"""Thousands of damaged chunks, in a process of its own: what reads or writes where it must not ends it by SIGSEGV.

The bytes of a chunk and the pixels made of them each end where a page begins that nobody may touch. Prints how many
chunks were refused and how many gave the image that the detector maker's library makes of them.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import sys
from collections import Counter
from typing import Any

import h5py
import hdf5plugin
import numpy as np
from dectris.compression import decompress
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from spotfinding import bitshuffle
from spotfinding.bitshuffle import INSTRUCTION_SETS
from spotfinding.chunks import Decoder, Layout
from spotfinding.errors import NotReadable

PAGE = mmap.PAGESIZE
SHAPE = (83, 97)  # neither a whole number of blocks nor of eights
PIPELINES: dict[str, dict[str, Any]] = {
    "bslz4": dict(hdf5plugin.Bitshuffle(cname="lz4")),
    "bslz4_small_blocks": dict(hdf5plugin.Bitshuffle(nelems=264, cname="lz4")),
    "bszstd": dict(hdf5plugin.Bitshuffle(cname="zstd")),
    "lz4": dict(hdf5plugin.LZ4(nbytes=500)),
    "shuffle_gzip": {"compression": "gzip", "shuffle": True},
}
DTYPES = ("<u1", "<u2", "<u4")


def fenced(nbytes: int) -> memoryview:
    """Writable bytes, at whose end the process ends."""
    whole = -(-nbytes // PAGE) * PAGE
    pages = mmap.mmap(-1, whole + PAGE)
    libc = ctypes.CDLL(None, use_errno=True)
    address = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    if libc.mprotect(ctypes.c_void_p(address + whole), ctypes.c_size_t(PAGE), 0):
        raise OSError(ctypes.get_errno(), "mprotect")
    return memoryview(pages)[whole - nbytes : whole]


def stored(pipeline: str, dtype: str) -> tuple[bytes, Layout]:
    """What HDF5 stores for an image with gaps, spots and background, and how."""
    rng = np.random.default_rng(3)
    image = rng.poisson(0.8, SHAPE).astype(dtype)
    image[40:46] = np.iinfo(dtype).max
    image[rng.random(SHAPE) < 0.01] += 100
    with h5py.File("hostile", "w", driver="core", backing_store=False) as file:
        data = file.create_dataset("data", data=image, chunks=SHAPE, **PIPELINES[pipeline])
        plist = data.id.get_create_plist()
        filters = tuple((f[0], tuple(f[2])) for f in map(plist.get_filter, range(plist.get_nfilters())))
        return bytes(data.id.read_direct_chunk((0, 0))[1]), Layout(SHAPE, dtype, filters)


SOURCES = [(pipeline, *stored(pipeline, dtype)) for pipeline in PIPELINES for dtype in DTYPES]
TARGETS = {dtype: fenced(SHAPE[0] * SHAPE[1] * np.dtype(dtype).itemsize) for dtype in DTYPES}
INPUT = fenced(64 * PAGE)

NUMBERS = st.sampled_from([0, 1, 7, 255, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 4, 2**32 - 1]) | st.integers(0, 20000)


def flip(draw: st.DrawFn, data: bytearray, at: int, _: int) -> None:
    data[at : at + 1] = bytes(byte ^ 1 << draw(st.integers(0, 7)) for byte in data[at : at + 1])


def junk(draw: st.DrawFn, data: bytearray, at: int, length: int) -> None:
    data[at : at + length] = draw(st.binary(min_size=length, max_size=length))


def cut(_: st.DrawFn, data: bytearray, at: int, __: int) -> None:
    del data[at:]


def hole(_: st.DrawFn, data: bytearray, at: int, __: int) -> None:
    data[at:] = bytes(len(data) - at)


def drop(_: st.DrawFn, data: bytearray, at: int, length: int) -> None:
    del data[at : at + length]


def repeat(_: st.DrawFn, data: bytearray, at: int, length: int) -> None:
    data[at:at] = data[at : at + length]


def lie(draw: st.DrawFn, data: bytearray, _: int, __: int) -> None:
    """Of all bytes, of a block's, of the first block's compressed ones."""
    first, end = draw(st.sampled_from([(0, 8), (8, 12), (12, 16)]))
    data[first:end] = draw(NUMBERS).to_bytes(end - first, "big")


def append(draw: st.DrawFn, data: bytearray, _: int, length: int) -> None:
    data += draw(st.binary(min_size=length, max_size=length))


@st.composite
def damage(draw: st.DrawFn, data: bytes) -> bytes:
    """The bytes, changed in one to four ways."""
    changed = bytearray(data)
    for how in draw(
        st.lists(st.sampled_from([flip, junk, cut, hole, drop, repeat, lie, append]), min_size=1, max_size=4)
    ):
        how(draw, changed, draw(st.integers(0, max(0, len(changed) - 1))), draw(st.integers(1, 40)))
    return bytes(changed)


def by_decoder(data: memoryview, layout: Layout) -> bytes | None:
    """The pixels, None if refused."""
    try:
        return Decoder(layout).decode(data).tobytes()
    except NotReadable:
        return None


def by_blocks(data: memoryview, layout: Layout, instruction_set: str) -> bytes | None:
    """The pixels from right before a fence, by one instruction set."""
    target = TARGETS[layout.dtype]
    block, width = int.from_bytes(data[8:12], "big"), layout.filters[0][1][2]
    try:
        bitshuffle.undo(data[12:], block, width, target, instruction_set)
    except ValueError:
        return None
    return target.tobytes()


def by_maker(data: memoryview, layout: Layout) -> bytes | None:
    """What the detector maker's library makes of it; None if it refuses, or gives something else than an image."""
    try:
        answer: bytes = decompress(data, "bslz4", elem_size=np.dtype(layout.dtype).itemsize)
    except (RuntimeError, ValueError, MemoryError, SystemError):
        return None
    return answer if len(answer) == layout.nbytes else None


def main(cases: int) -> Counter[str]:
    """Try so many damaged chunks."""
    count: Counter[str] = Counter()

    @seed(4)
    @settings(max_examples=cases, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=st.sampled_from(SOURCES).flatmap(lambda s: st.tuples(st.just(s), damage(s[1]))))
    def try_one(case: tuple[tuple[str, bytes, Layout], bytes]) -> None:
        (pipeline, _, layout), damaged = case
        data = INPUT[len(INPUT) - len(damaged) :]
        data[:] = damaged
        found = by_decoder(data, layout)
        count["refused" if found is None else "decoded"] += 1
        if not pipeline.startswith("bslz4"):
            return
        ends_in_zeros = damaged.endswith(bytes(128))  # which the maker's library takes for pixels
        assert found == by_maker(data, layout) or (ends_in_zeros and found is None)
        # the header is the decoder's business: the blocks are tried behind any that is for an image of this size
        if len(damaged) >= 12 and int.from_bytes(damaged[:8], "big") == layout.nbytes:
            for instruction_set in INSTRUCTION_SETS:
                pixels = by_blocks(data, layout, instruction_set)
                assert found is None or pixels == found
                count["compared"] += 1

    try_one()
    return count


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(int(sys.argv[1]))))
