"""New masters in folders: the kernel wakes the look at them where it can, a timer does everywhere.

A file is new when its name was not there, or is another file's now, or has become shorter; a master that only grows is
the one that it was. Network file systems send no events, so the timer alone must be enough.
"""

from __future__ import annotations

import asyncio
import fnmatch
import logging
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from watchdog.events import FileSystemEventHandler
from watchdog.observers import Observer

from filewatcher.mounts import file_system

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from watchdog.events import FileSystemEvent
    from watchdog.observers.api import BaseObserver

log = logging.getLogger(__name__)

RECENT = 600.0
"""Seconds: a master that is not older at the start may have come while nobody looked."""
SAFE = 10.0
"""Seconds between two looks where the kernel tells what happens; and 2 where it does not."""
NETWORK = 2.0
SETTLE = 0.05
"""Seconds after an event: several come at once."""
OURS = "-filewatcher"
"""How folders with results are called in the end: nothing in them is raw."""


@dataclass(frozen=True, slots=True)
class Watch:
    """One folder, and what masters in it are called."""

    folder: Path
    patterns: tuple[str, ...]
    depth: int
    """Folders below it that count too."""
    poll: float | None
    """Seconds between two looks; None = as the file system needs."""


class Directory:
    """Calls `found` with the path of every new master, at each look until it returns True."""

    def __init__(self, watch: Watch, found: Callable[[str], Awaitable[bool]]) -> None:
        self._watch, self._found = watch, found
        network = file_system(watch.folder).shared
        self._kernel = not network and watch.poll is None
        self._pause = watch.poll or (NETWORK if network else SAFE)
        self._seen: dict[str, tuple[int, int]] = {}
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Look until cancelled."""
        observer = self._listen() if self._kernel else None
        first = True
        try:
            while True:
                self._woken.clear()
                for path, modified in await asyncio.to_thread(lambda: list(self._look())):
                    old = first and time.time() - modified >= RECENT
                    if not old and not await self._found(path):
                        del self._seen[path]
                first = False
                await self._pause_or_event()
        finally:
            if observer is not None:
                observer.stop()
                await asyncio.to_thread(observer.join)

    async def _pause_or_event(self) -> None:
        try:
            await asyncio.wait_for(self._woken.wait(), self._pause)
        except TimeoutError:
            return
        await asyncio.sleep(SETTLE)

    def _listen(self) -> BaseObserver | None:
        observer = Observer()
        waker = _Waker(asyncio.get_running_loop(), self._woken, self._watch.patterns)
        try:
            observer.schedule(waker, str(self._watch.folder), recursive=self._watch.depth > 0)
            observer.start()
        except OSError as error:  # no more inotify watches: the timer is enough
            log.warning("%s: the kernel does not tell what happens there (%s)", self._watch.folder, error.strerror)
            self._pause = NETWORK
            return None
        return observer

    def _look(self) -> Iterator[tuple[str, float]]:
        """Yield (path, time of change) of what is new; runs in a thread."""
        now: dict[str, tuple[int, int]] = {}
        for entry in _files(str(self._watch.folder), self._watch.depth):
            if not any(fnmatch.fnmatch(entry.name, pattern) for pattern in self._watch.patterns):
                continue
            try:
                status = entry.stat()
            except OSError:
                continue  # gone again
            inode, size = now[entry.path] = status.st_ino, status.st_size
            before = self._seen.get(entry.path)
            if before is None or before[0] != inode or size < before[1]:
                yield entry.path, status.st_mtime
        self._seen = now


class _Waker(FileSystemEventHandler):
    """Runs in watchdog's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, woken: asyncio.Event, patterns: tuple[str, ...]) -> None:
        self._loop, self._woken, self._patterns = loop, woken, patterns

    def on_any_event(self, event: FileSystemEvent) -> None:
        names = [os.path.basename(os.fsdecode(path)) for path in (event.src_path, event.dest_path) if path]  # noqa: PTH119
        mine = any(fnmatch.fnmatch(name, pattern) for name in names for pattern in self._patterns)
        if mine and event.event_type in {"created", "moved", "deleted"}:
            self._loop.call_soon_threadsafe(self._woken.set)


def _files(folder: str, depth: int) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            listed = list(entries)
    except OSError:
        return  # not there, or not ours
    for entry in listed:
        if entry.name.startswith("."):
            continue
        try:
            is_folder = entry.is_dir(follow_symlinks=False)
        except OSError:
            continue
        if not is_folder:
            yield entry
        elif depth and not entry.name.rstrip("0123456789-").endswith(OURS):
            yield from _files(entry.path, depth - 1)
