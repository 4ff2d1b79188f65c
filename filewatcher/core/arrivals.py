"""Which frames of a scan have come: from rows of data files to logical frames, each announced once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from filewatcher.core.messages import FrameReady

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filewatcher.core.framemap import FrameMap
    from filewatcher.core.messages import Event
    from filewatcher.core.observations import OnDisk


class _Usual(NamedTuple):
    """A file whose rows follow each other as their frames do: from `first` to `stop`, `shift` to the frame."""

    path: str
    rows: bytearray
    """Those seen."""
    first: int
    stop: int
    shift: int


class Arrivals:
    """The frames of one scan; a frame that was given back is announced again.

    Its bitmaps are bytearrays of 0 and 1: a frame at a time, they cost no numpy. What is asked for after every word is
    kept, not counted.
    """

    def __init__(self, scan: int) -> None:
        self.scan = scan
        self.expected = self.seen = 0
        """Selected frames, and those of them that have been on disk."""
        self.left = 0
        """Selected frames that were not announced."""
        self.given_back: dict[int, float] = {}
        """Frame -> since when it has been looked up anew."""
        self.progress_at: float | None = None
        """When a row of this scan came last."""
        self.over = False
        """Set when the scan has ended: what comes later has been called missing."""
        self._frame_map: FrameMap | None = None
        self._selected = bytearray()
        self._announced = bytearray()
        self._rows: dict[int, bytearray] = {}
        self._usual: dict[int, _Usual] = {}

    @property
    def selected(self) -> NDArray[np.int64]:
        """Logical frames to be analysed, ascending."""
        return np.flatnonzero(np.frombuffer(self._selected, bool))

    @property
    def missing(self) -> list[int]:
        """Selected frames that were not announced, ascending."""
        both = zip(self._selected, self._announced, strict=True)
        return [frame for frame, (selected, announced) in enumerate(both) if selected and not announced]

    def rows_seen(self) -> dict[int, NDArray[np.bool_]]:
        """File index -> bitmap over its rows."""
        return {file: np.array(rows, bool) for file, rows in self._rows.items()}

    def expect(self, selected: NDArray[np.bool_], frame_map: FrameMap | None) -> None:
        """Know the frames to be analysed (bitmap over all), and where they will be; again when the map has grown."""
        announced = self._announced[: len(selected)].ljust(len(selected), b"\0")
        known = np.frombuffer(announced, bool)
        self.expected, self.seen = int(np.count_nonzero(selected)), int(np.count_nonzero(known))
        self.left = int(np.count_nonzero(selected & ~known))
        self._selected, self._announced = bytearray(selected.tobytes()), bytearray(announced)
        self._frame_map = frame_map
        self._usual.clear()

    def give_back(self, frame: int, now: float) -> tuple[int, int]:
        """Announce a frame again once it comes again; returns its (file, row)."""
        assert self._frame_map is not None
        file, row = int(self._frame_map.file[frame]), int(self._frame_map.row[frame])
        self._rows[file][row] = 0
        self.given_back[frame] = now
        return file, row

    def overdue(self, now: float, limit: float) -> list[int]:
        """Give up frames that were given back more than so many seconds ago; returns them."""
        overdue = [frame for frame, since in self.given_back.items() if now - since >= limit]
        for frame in overdue:
            del self.given_back[frame]
        return overdue

    def take(self, what: OnDisk, now: float) -> list[Event]:
        """Return the frames among those rows that are to be announced."""
        file, chunks, layout, _ = what
        usual = self._usual.get(file)
        if usual is None or self.given_back or self.over:
            return self._take_any(what, now)
        # as `_take_any` does it, with few objects and no call for each frame: for most that comes, a hundred times a
        # second, everything has to be fetched from memory anew
        path, rows, first, stop, shift = usual
        scan, announced, selected = self.scan, self._announced, self._selected
        events: list[Event] = []
        for row, offset, size, mask in chunks:
            if row >= len(rows):
                rows.extend(bytes(row + 1 - len(rows)))
            rows[row] = 1
            if first <= row < stop:
                self.progress_at = now
                frame = row + shift
                if selected[frame] and not announced[frame]:
                    announced[frame] = 1
                    # without the __new__ of a named tuple, which is a function of Python
                    events.append(tuple.__new__(FrameReady, (scan, frame, path, offset, size, mask, layout, row)))
        self.seen += len(events)
        self.left -= len(events)
        return events

    def _take_any(self, what: OnDisk, now: float) -> list[Event]:
        assert self._frame_map is not None
        file, chunks, layout, _ = what
        path, straight = self._frame_map.files[file].path, self._frame_map.straight(file)
        rows = self._rows.setdefault(file, bytearray())
        if straight is not None:
            rows.extend(bytes(max(0, straight.stop - len(rows))))  # not one by one
            self._usual[file] = _Usual(path, rows, *straight)
        events: list[Event] = []
        for row, offset, size, mask in chunks:
            if row >= len(rows):
                rows.extend(bytes(row + 1 - len(rows)))
            rows[row] = 1
            for frame in self._frame_map.frames_of(file, row):
                self.progress_at = now
                if self._is_new(frame):
                    events.append(FrameReady(self.scan, frame, path, offset, size, mask, layout, row))
        return events

    def _is_new(self, frame: int) -> bool:
        """Whether a frame on disk is to be announced; it is not new any more then."""
        if frame in self.given_back:
            del self.given_back[frame]
        elif self.over or self._announced[frame] or not self._selected[frame]:
            return False  # it was called missing; it was announced; nobody asked for it
        if not self._announced[frame]:
            self._announced[frame] = 1
            self.seen += 1
            self.left -= 1
        return True
