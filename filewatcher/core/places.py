"""Where the bytes of every frame are that was seen on disk, and since when, for whoever wants to know later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.messages import FrameReady
from filewatcher.core.observations import Described, OnDisk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filewatcher.core.framemap import FrameMap
    from filewatcher.core.messages import ChunkLayout
    from filewatcher.core.observations import Observation

OFFSET, SIZE, MASK, SEEN = range(4)


class Places:
    """Filled with what the watcher's child says; 32 bytes per frame."""

    def __init__(self) -> None:
        self._maps: dict[int, FrameMap] = {}
        self._rows: dict[int, NDArray[np.int64]] = {}
        """File -> shape (rows, 4); size 0 = not seen; the time in microseconds."""
        self._layouts: dict[int, ChunkLayout] = {}

    def note(self, what: Observation, now: float = 0.0) -> None:
        """Take in what the disk says."""
        if isinstance(what, Described):
            self._maps[what.scan] = what.frame_map
        elif isinstance(what, OnDisk) and what.chunks:
            chunks = np.array(what.chunks, np.int64)
            known = self._room(what.file, int(chunks[:, 0].max()) + 1)
            known[chunks[:, 0], :SEEN] = chunks[:, 1:]
            known[chunks[:, 0], SEEN] = int(now * 1e6)
            self._layouts[what.file] = what.layout

    def frame(self, scan: int, frame: int) -> FrameReady | None:
        """Return where a logical frame is; None if it was not seen."""
        if (place := self._place(scan, frame)) is None:
            return None
        frame_map, file, row = self._maps[scan], *place
        offset, size, mask, _ = self._rows[file][row].tolist()
        return FrameReady(scan, frame, frame_map.files[file].path, offset, size, mask, self._layouts[file], row)

    def seen_at(self, scan: int, frame: int) -> float | None:
        """Return when a logical frame was seen, in seconds; None if it was not."""
        place = self._place(scan, frame)
        return None if place is None else float(self._rows[place[0]][place[1], SEEN]) / 1e6

    def _place(self, scan: int, frame: int) -> tuple[int, int] | None:
        """(file, row) of a frame that was seen."""
        frame_map = self._maps.get(scan)
        if frame_map is None or not 0 <= frame < len(frame_map) or (file := int(frame_map.file[frame])) < 0:
            return None
        row, rows = int(frame_map.row[frame]), self._rows.get(file)
        return None if rows is None or row >= len(rows) or not rows[row, SIZE] else (file, row)

    def _room(self, file: int, rows: int) -> NDArray[np.int64]:
        known = self._rows.get(file, np.zeros((0, 4), np.int64))
        if len(known) < rows:
            known = np.concatenate([known, np.zeros((max(rows, 2 * len(known)) - len(known), 4), np.int64)])
            self._rows[file] = known
        return known
