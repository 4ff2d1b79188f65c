"""A reader written the usual way, to compare with: opens as soon as a file exists, refreshes for every frame.

HDF5's defaults throughout: file locks, 100 attempts at a wrong checksum. As the readers that synchrotrons run, it asks
the library for each frame in turn (dlstbx, fast-feedback-service).
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

PAUSE = 0.001
"""Seconds between two rounds over all files without a frame."""
AHEAD = 4
"""Files that are tried before they exist."""


def read(paths: Sequence[str], pipe: Connection) -> None:
    """Read every frame of these files (dataset ``data``) until the pipe says something; then answers how many."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import h5py  # noqa: PLC0415,F401  its time to load is not part of the comparison
    import hdf5plugin  # noqa: PLC0415,F401

    pipe.send("ready")
    waiting, reading, frames = list(paths), list[_Reading](), 0
    while not pipe.poll(0 if frames else PAUSE / 10):
        for path in [p for p in waiting[:AHEAD] if Path(p).exists()]:
            if (opened := _open(path)) is not None:
                waiting.remove(path)
                reading.append(opened)
        if len(waiting) > AHEAD and Path(waiting[AHEAD]).exists():
            waiting.pop(0)  # its creation has failed
        found = sum(each.next_frame() for each in reading)
        frames += found
        for done in [each for each in reading if each.complete]:
            done.file.close()
            reading.remove(done)
        if not found and reading and pipe.poll(PAUSE):
            break
    pipe.send(frames)


def _open(path: str) -> _Reading | None:
    import h5py  # noqa: PLC0415

    try:
        return _Reading(h5py.File(path, "r", swmr=True))
    except (OSError, RuntimeError, KeyError):  # the writer is not that far yet: again at once
        return None


class _Reading:
    def __init__(self, file: Any) -> None:
        self.file, self._images, self._next = file, file["data"], 0

    @property
    def complete(self) -> bool:
        """Its last frame has been read."""
        return self._next >= self._images.id.shape[0] and self._images.maxshape[0] is not None

    def next_frame(self) -> int:
        """Refresh, and read the next frame if it is there; how many that were."""
        self._images.id.refresh()
        if self._next >= self._images.id.shape[0]:
            return 0
        if not self._images.id.get_chunk_info_by_coord((self._next, 0, 0)).size:
            return 0
        self._images.id.read_direct_chunk((self._next, 0, 0))
        self._next += 1
        return 1
