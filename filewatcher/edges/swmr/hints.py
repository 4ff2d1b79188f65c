"""Hints from the kernel that something has happened in a folder; nothing is wrong if none ever comes.

Network file systems send none, and the kernel drops some: correctness never depends on them. Only what
happens once per file is asked for (created, renamed, closed by its writer): growth comes thousands of times a second,
and our own opening and closing would wake us for ever.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

from watchdog.events import FileClosedEvent, FileCreatedEvent, FileMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

if TYPE_CHECKING:
    from types import TracebackType

    from watchdog.observers.api import BaseObserver


class Hints(FileSystemEventHandler):
    """A file descriptor that becomes readable when something happens in a watched folder."""

    def __init__(self) -> None:
        self.fd, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._watched: set[str] = set()
        self._observer: BaseObserver | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
        os.close(self._write)
        os.close(self.fd)

    def watch(self, folders: set[str]) -> None:
        """Watch these folders too; one that is not there (yet), or cannot be watched, is left out."""
        for folder in folders - self._watched:
            try:
                if not Path(folder).is_dir():
                    continue
                self._watched.add(folder)
                if self._observer is None:
                    self._observer = Observer()
                    self._observer.start()
                self._observer.schedule(self, folder, event_filter=[FileCreatedEvent, FileMovedEvent, FileClosedEvent])
            except OSError:  # no inotify here, no watch left, or a folder that gives errors: polling is enough
                continue

    def clear(self) -> None:
        """Take note of what has come."""
        try:
            os.read(self.fd, 4096)
        except BlockingIOError:
            return

    def on_any_event(self, event: FileSystemEvent) -> None:  # noqa: ARG002  that it came is all
        """Called by watchdog's thread."""
        try:
            os.write(self._write, b".")
        except BlockingIOError:  # full of hints already
            return
