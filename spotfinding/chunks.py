"""From the stored bytes of one image to its pixels: the only input of a worker.

A worker never opens an HDF5 file of a running collection. It reads the bytes that the watcher pointed at with
`os.pread`, from a file opened anew for each frame (a kept descriptor would keep a stale view on a network file
system), and undoes the filter pipeline itself. What is visible to the watcher need not be visible here yet: every
doubt about the bytes is `NotReadable`, is tried again for a moment, and then goes back to the watcher.
"""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from spotfinding.buffers import KeptBuffer
from spotfinding.errors import NotReadable
from spotfinding.filters import SIZE_PRESERVING, packed, undo, why_unsupported

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from spotfinding.bitshuffle import Packed

T = TypeVar("T")

DTYPES: Final = ("u1", "u2", "u4", "i2", "i4", "f4")
"""Pixel types that detectors write, of either byte order."""

RETRY_DELAYS: Final = (0.002, 0.010, 0.050, 0.250)
"""Seconds before the second, third, ... attempt at reading a chunk."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the bytes of one image are stored: the same for every image of a data file."""

    shape: tuple[int, int]
    """Pixels, (slow, fast)."""
    dtype: str
    """numpy dtype with byte order, e.g. ``<u2``."""
    filters: tuple[tuple[int, tuple[int, ...]], ...] = ()
    """(registered HDF5 filter number, client data values), in the order in which the writer applied them."""

    @property
    def nbytes(self) -> int:
        """Bytes of one image, not compressed."""
        return self.shape[0] * self.shape[1] * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, slots=True)
class Chunk:
    """Where the bytes of one image are."""

    path: str
    """Data file, absolute."""
    offset: int
    """Bytes from the start of the file."""
    size: int
    """Stored bytes."""
    filter_mask: int = 0
    """Bit i set: filter i of the pipeline was skipped for this chunk."""
    roots: tuple[str, ...] = ()
    """Folders in which the file must be, wherever links on its path lead by now; none = anywhere."""


def unsupported(layout: Layout) -> str | None:
    """Say in one sentence why images stored like this cannot be read; None if they can.

    >>> unsupported(Layout((4362, 4148), "<u2", ((32008, (0, 3, 2, 0, 2)),)))
    >>> unsupported(Layout((4362, 4148), "<f8"))
    'the pixels are <f8; supported are u1, u2, u4, i2, i4, f4 (unsigned, signed, floating; bytes per pixel)'
    """
    try:
        kind = np.dtype(layout.dtype).str[1:]
    except TypeError:
        kind = ""
    if kind not in DTYPES:
        return (
            f"the pixels are {layout.dtype}; supported are {', '.join(DTYPES)} "
            "(unsigned, signed, floating; bytes per pixel)"
        )
    return why_unsupported(layout.filters)


def read_chunk(chunk: Chunk, into: KeptBuffer | None = None, *, cached: bool = True) -> memoryview:
    """Read the stored bytes of a chunk from a freshly opened file; `NotReadable` if they are not all there.

    They are read `into` a buffer, by default a new one. `cached` False: not what this machine remembers of the file;
    on a network file system that may be old.
    """
    try:
        data = (into or KeptBuffer()).first(chunk.size)
        descriptor = os.open(chunk.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if chunk.roots:
                _check_within(descriptor, chunk.roots)
            if not cached:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            there = os.preadv(descriptor, [data], chunk.offset)
            if there < chunk.size and not cached:
                os.fstat(descriptor)  # a read has changed the access time, so this asks the server, for the size too
            while there < chunk.size:  # one call may give less: at most 2 GiB, or what has arrived
                more = os.preadv(descriptor, [data[there:]], chunk.offset + there)
                if not more:
                    break
                there += more
        finally:
            os.close(descriptor)
    except OSError as error:
        raise NotReadable(error.strerror or str(error)) from error
    except MemoryError as error:
        raise NotReadable(str(error)) from error
    if there != chunk.size:
        raise NotReadable(f"only {there} of {chunk.size} bytes are there")
    return data


def _check_within(descriptor: int, roots: tuple[str, ...]) -> None:
    """Look where a file is that is open, which no link can change any more. Raises `NotReadable`."""
    real = Path(f"/proc/self/fd/{descriptor}").readlink()
    if not any(real.is_relative_to(os.path.realpath(root)) for root in roots):
        raise NotReadable("it now leads outside the folders that may be read")


class Decoder:
    """Turns the stored bytes of images of one layout into pixels.

    Buffers are kept from frame to frame: the pixels of one call are overwritten by the next.
    Raises `ValueError` for a layout that is `unsupported`.
    """

    def __init__(self, layout: Layout) -> None:
        reason = unsupported(layout)
        if reason is not None:
            raise ValueError(reason)
        self.layout = layout
        self._dtype = np.dtype(layout.dtype)
        self._nbytes = layout.nbytes
        self.stored = KeptBuffer()
        """Where `read_frame` reads to."""
        self._undone = KeptBuffer(), KeptBuffer()

    def decode(self, data: bytes | memoryview, filter_mask: int = 0) -> NDArray[np.generic]:
        """Return the pixels, shape (slow, fast), read-only or valid until the next call.

        Raises `NotReadable` if the bytes are not exactly one image.
        """
        used = self._used(filter_mask)
        # The length after undoing filter i is known while all filters before it only moved bytes.
        exact = [all(number in SIZE_PRESERVING for number, _ in used[:i]) for i in range(len(used))]
        for step, ((number, options), known) in enumerate(zip(reversed(used), reversed(exact), strict=True)):
            # in turns: what one filter has left is read while the next one writes
            data = undo(number, options, data, self._nbytes, known=known, into=self._undone[step % 2])
        if len(data) != self._nbytes:
            raise NotReadable(f"{len(data)} bytes of pixels, but an image has {self._nbytes}")
        return np.frombuffer(data, dtype=self._dtype).reshape(self.layout.shape)

    def packed(self, data: memoryview, filter_mask: int = 0) -> Packed | None:
        """Return the image as it is stored, if an engine can undo that while it looks at the pixels; else None.

        Raises `NotReadable` if that is seen not to be one image.
        """
        return packed(self._used(filter_mask), data, self.layout.shape, self._dtype)

    def _used(self, filter_mask: int) -> list[tuple[int, tuple[int, ...]]]:
        return [f for bit, f in enumerate(self.layout.filters) if not filter_mask >> bit & 1]


def read_frame(
    chunk: Chunk,
    decoder: Decoder,
    *,
    attempts: int = 5,
    patience: float = 0.0,
    sleep: Callable[[float], None] = time.sleep,
) -> NDArray[np.generic]:
    """Read and decode one image, shape (slow, fast); arguments and errors as for `read_and`."""
    return read_and(
        lambda data: decoder.decode(data, chunk.filter_mask),
        chunk,
        decoder,
        attempts=attempts,
        patience=patience,
        sleep=sleep,
    )


def read_and(
    use: Callable[[memoryview], T],
    chunk: Chunk,
    decoder: Decoder,
    *,
    attempts: int = 5,
    patience: float = 0.0,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Read the stored bytes of one image and return what `use` makes of them, with a few attempts 2 to 250 ms apart.

    `use` raises `NotReadable` where they are not whole. `patience`: seconds to try for, past this machine's cache,
    which may hide what another one has written: twice as long as it does. 0 = a file system that is coherent.
    Raises `NotReadable`, naming file and place, when the last attempt failed: the caller gives the frame back.
    """
    attempts += math.ceil(max(0.0, patience - sum(RETRY_DELAYS[: attempts - 1])) / RETRY_DELAYS[-1])
    for attempt in range(attempts):
        try:
            return use(read_chunk(chunk, decoder.stored, cached=not patience))
        except NotReadable as error:
            if attempt + 1 == attempts:
                raise NotReadable(
                    f"{chunk.path}: {error} ({chunk.size} bytes at {chunk.offset}, read {attempts} times)"
                ) from error
        sleep(RETRY_DELAYS[min(attempt, len(RETRY_DELAYS) - 1)])
    raise ValueError(f"attempts={attempts}: at least one is needed")
