"""A detector writer like Odin, in processes of its own: SWMR files, one chunk per frame, flushed after every frame.

As odin-data and the Eiger plug-in do it: file format of HDF5 1.10, one dataset of fixed extent (frame count known) or
unlimited (not known), bitshuffle-LZ4 declared, ``H5Dwrite_chunk`` then ``H5Dflush`` per frame; the previous file
of a process stays open until the one after next is created; file locks as HDF5 takes them by default.

The chunks are no images but small and self-describing: run, frame, checksum, noise. So whoever reads one knows whether
it is whole and which it is; nothing here ever decompresses one.
"""

from __future__ import annotations

import os
import signal
import struct
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path

    from numpy.typing import NDArray

IMAGE = (256, 256)
"""Pixels that the master promises, (slow, fast)."""
LIBVER = ("v110", "v110")
HEAD = struct.Struct("<QQI")
"""Run, frame, crc32 of both and of the noise."""
NOISE = np.random.default_rng(0).bytes(2**16)


@dataclass(frozen=True, slots=True)
class Recording:
    """What is written, by whom and when."""

    folder: Path
    """Of the raw files; exists."""
    frames: int
    rate: float
    """Frames per second, all writers together; infinity = as fast as they can."""
    writers: int = 1
    per_file: int = 1000
    growing: bool = False
    """Unlimited datasets, one row added per frame."""
    payload: tuple[int, int] = (2_000, 6_000)
    """Bytes per chunk, from and to."""
    run: int = 1
    """Told apart in every chunk: two recordings over the same names have two numbers."""
    never: frozenset[int] = frozenset()
    """Frames that are not written."""
    shuffle: int = 1
    """Frames of one file are written out of order within windows of this many."""
    dies_at: int | None = None
    """Instead of writing this frame its writer is killed (as by kill -9)."""

    @property
    def master(self) -> Path:
        """The NeXus file that beamline software would write."""
        return self.folder / "scan.nxs"

    @property
    def blocks(self) -> int:
        """Data files."""
        return -(-self.frames // self.per_file)

    def data_file(self, block: int) -> Path:
        """Path of a data file, from 0; written by process ``block % writers``."""
        return self.folder / f"scan_{block + 1:06d}.h5"

    def rows(self, block: int) -> int:
        """Frames of a data file."""
        return min(self.per_file, self.frames - block * self.per_file)

    def due(self, block: int, row: int) -> float:
        """Seconds after the start at which a frame is due: `writers` files grow at once, each with its share."""
        group, place = divmod(block, self.writers)
        before = group * self.writers
        together = min(self.writers, self.blocks - before)
        return (before * self.per_file + row * together + place) / self.rate


def payload(recording: Recording, frame: int) -> bytes:
    """The chunk of a frame."""
    low, high = recording.payload
    noise = low - HEAD.size + (frame * 7919 + recording.run) % (high - low + 1)
    start = frame % (len(NOISE) - noise)
    body = NOISE[start : start + noise]
    return HEAD.pack(recording.run, frame, _checksum(recording.run, frame, body)) + body


def wrong_with(chunk: bytes, run: int, frame: int) -> str:
    """What is wrong with the bytes read for a frame; nothing if they are what the writer wrote."""
    if len(chunk) < HEAD.size:
        return f"{len(chunk)} bytes only"
    its_run, its_frame, checksum = HEAD.unpack_from(chunk)
    if (its_run, its_frame) != (run, frame):
        return f"they are frame {its_frame} of run {its_run}, not {frame} of run {run}"
    return "" if checksum == _checksum(run, frame, chunk[HEAD.size :]) else "the checksum is wrong"


def _checksum(run: int, frame: int, body: bytes) -> int:
    return zlib.crc32(body, run * 1_000_003 + frame & 0xFFFFFFFF)


# ---- what the writers note, in a file outside of the raw folder that all processes map --------------------------


class Notes:
    """Times of CLOCK_MONOTONIC (common to all processes), seconds; 0 = it has not happened."""

    def __init__(self, folder: Path, recording: Recording | None = None) -> None:
        """Open those in `folder`, or make them for a recording."""
        mode = "r+" if recording is None else "w+"
        frames = None if recording is None else (recording.frames, 2)
        files = None if recording is None else (recording.blocks, 2)
        at: Callable[..., Any] = np.lib.format.open_memmap
        self.frames: NDArray[np.float64] = at(folder / "frames.npy", mode, np.float64, frames)
        """Flush begun, flush returned: from then on the frame is visible. Shape (frames, 2)."""
        self.files: NDArray[np.float64] = at(folder / "files.npy", mode, np.float64, files)
        """Creation begun and ended, SWMR started. Shape (files, 2)."""

    @property
    def visible(self) -> NDArray[np.float64]:
        """When each frame became visible, shape (frames,)."""
        return self.frames[:, 1]

    def flushes(self) -> NDArray[np.float64]:
        """Seconds that each flush took."""
        done = self.frames[self.frames[:, 1] > 0]
        return done[:, 1] - done[:, 0]

    def creations(self) -> NDArray[np.float64]:
        """Seconds that each creation of a file took."""
        done = self.files[self.files[:, 1] > 0]
        return done[:, 1] - done[:, 0]


# ---- in the writers' processes -----------------------------------------------------------------------------------


def write_master(recording: Recording) -> None:
    """Write the master: a virtual dataset over all data files, before any of them exists."""
    import h5py  # noqa: PLC0415  only in processes that write

    from filewatcher.testing.tinyfiles import write_metadata  # noqa: PLC0415

    layout = h5py.VirtualLayout((recording.frames, *IMAGE), "<u2")
    for block in range(recording.blocks):
        rows, first = recording.rows(block), block * recording.per_file
        source = h5py.VirtualSource(recording.data_file(block).name, "data", (rows, *IMAGE))
        layout[first : first + rows] = source
    with h5py.File(recording.master, "w", libver=LIBVER) as file:
        write_metadata(file, recording.frames)
        file.create_virtual_dataset("entry/data/data", layout)


def write(recording: Recording, number: int, notes: Path, pipe: Connection) -> None:
    """Be writer `number`: says when it is ready, takes the start time from the pipe (seconds), then says how it went.

    Answers with the failures to create a file, in words. A file that could not be created is left out, as Odin does.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    files = _Files(recording, number, Notes(notes))
    try:
        files.first()
        pipe.send("ready")
        start = pipe.recv()
        for block, row in _turns(recording, number):
            _sleep_until(start + recording.due(block, row))
            if block * recording.per_file + row == recording.dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
            files.put(block, row)
        files.close()
        pipe.send(files.failures)
    except (EOFError, BrokenPipeError):
        return  # whoever started the recording has gone


def _turns(recording: Recording, number: int) -> Iterator[tuple[int, int]]:
    rng = np.random.default_rng([recording.run, number])
    for block in range(number, recording.blocks, recording.writers):
        rows = np.arange(recording.rows(block))
        for first in range(0, len(rows), recording.shuffle):
            window = rows[first : first + recording.shuffle]
            for row in rng.permutation(window).tolist() if recording.shuffle > 1 else window.tolist():
                if block * recording.per_file + row not in recording.never:
                    yield block, row


def _sleep_until(when: float) -> None:
    wait = when - time.monotonic()
    if wait > 0:
        time.sleep(wait)


class _Files:
    """The files of one writer; the first is there from the start, each other from its first frame on."""

    def __init__(self, recording: Recording, number: int, notes: Notes) -> None:
        self.failures: list[str] = []
        self._recording, self._number, self._notes = recording, number, notes
        self._open: dict[int, tuple[Any, Any]] = {}
        """Block -> file and dataset; both None where it could not be created."""

    def first(self) -> None:
        if self._number < self._recording.blocks:
            self._create(self._number)

    def put(self, block: int, row: int) -> None:
        if block not in self._open:
            self._create(block)
        _, images = self._open[block]
        if images is None:
            return
        frame = block * self._recording.per_file + row
        if self._recording.growing and row >= images.id.shape[0]:
            images.id.set_extent((row + 1, *IMAGE))
        images.id.write_direct_chunk((row, 0, 0), payload(self._recording, frame))
        begun = time.monotonic()
        images.id.flush()
        self._notes.frames[frame] = begun, time.monotonic()

    def close(self) -> None:
        for block in list(self._open):
            self._close(block)

    def _close(self, block: int) -> None:
        file, _ = self._open.pop(block)
        if file is not None:
            file.close()

    def _create(self, block: int) -> None:
        for old in [b for b in self._open if b < block - self._recording.writers]:
            self._close(old)
        begun = time.monotonic()
        try:
            self._open[block] = create(self._recording.data_file(block), self._recording, self._recording.rows(block))
        except (OSError, RuntimeError) as error:
            self.failures.append(str(error))
            self._open[block] = None, None
        else:
            self._notes.files[block] = begun, time.monotonic()


def create(path: Path, recording: Recording, rows: int) -> tuple[Any, Any]:
    """Create a data file and start SWMR; returns file and dataset. Raises what h5py raises."""
    import h5py  # noqa: PLC0415  only in processes that write
    import hdf5plugin  # noqa: PLC0415

    file = h5py.File(path, "w", libver=LIBVER)
    try:
        images = file.create_dataset(
            "data",
            (1 if recording.growing else rows, *IMAGE),
            "<u2",
            chunks=(1, *IMAGE),
            maxshape=(None, *IMAGE) if recording.growing else None,
            **hdf5plugin.Bitshuffle(cname="lz4"),
        )
        file.swmr_mode = True
    except (OSError, RuntimeError):
        file.close()
        raise
    return file, images
