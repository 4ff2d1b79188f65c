"""The parent's side of the child process: starts it, listens, and starts another one when it hangs or dies."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from filewatcher.core.observations import Described, OnDisk
from filewatcher.edges.swmr import child
from filewatcher.edges.swmr.request import Request
from filewatcher.errors import Broken, FilewatcherError, NotReady

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray

    from filewatcher.core.observations import Observation

SILENCE = 5.0
"""Seconds without a heartbeat after which a child is taken to hang in libhdf5, and killed."""
START = 60.0
"""Seconds that a child may take to say its first word: a loaded machine imports slowly."""
LIVES = 5
"""Children that may die one after the other without news."""


class SwmrObserver:
    """What is on disk of one collection, as its child process reports it: of one master, or of several, one per scan.

    `wait`: False = analyse what is there now. `channel`: of several, by name. `frames`: how many to expect where the
    master does not say. `seen`: asked whenever a child is started: file number -> bitmap over the rows already known.
    `mask_wait`: seconds to wait for linked files of geometry and mask once frames are on disk.

    Use `close` (or ``async with``) in the end; nothing is left behind.
    """

    def __init__(
        self,
        *masters: Path,
        wait: bool = True,
        channel: str | None = None,
        frames: int | None = None,
        seen: Callable[[], dict[int, NDArray[np.bool_]]] | None = None,
        mask_wait: float = 10.0,
    ) -> None:
        path, *others = (str(Path(master).absolute()) for master in masters)
        self._request = Request(path, wait, channel, frames, mask_wait, others=tuple(others))
        self._seen = seen
        self._inodes: dict[int, int] = {}
        self._again: list[tuple[int, int]] = []
        self._child: _Child | None = None
        self._starting: asyncio.Task[_Child] | None = None
        self._failures = 0
        self._error: FilewatcherError | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the child; None while there is none."""
        return self._child.pid if self._child is not None else None

    async def observe(self) -> list[Observation]:
        """Wait for the next news.

        Raises `Broken` (or `Refused`) when there will be none: the master or its files are wrong for good.
        """
        while self._error is None and not self._closed:
            word = await (self._child or await self._start()).word()
            if isinstance(word, list):
                # to describe a master over and over again is no progress
                if not all(isinstance(item, Described) for item in word):
                    self._failures = 0
                for item in word:
                    self._remember(item)
                return word
            await self._lose_child(word)
        raise self._error or Broken(f"the observer of {self._request.master} is closed")

    async def look_again(self, file: int, row: int) -> None:
        """Forget that a row was reported, and report it anew: a worker could not read it."""
        if self._child is None or not self._child.tell(file, row):
            self._again.append((file, row))

    async def close(self) -> None:
        """Leave no process, thread or descriptor behind."""
        self._closed = True
        if self._starting is not None:
            self._child = await self._starting
        if self._child is not None:
            await self._child.end()
            self._child = None

    def _remember(self, item: Observation) -> None:
        """What the next child must know: which files these are, so that it does not take others for them."""
        if isinstance(item, Described):
            self._request = replace(self._request, files=item.frame_map.files)
        elif isinstance(item, OnDisk):
            self._inodes[item.file] = item.inode

    async def _start(self) -> _Child:
        if self._starting is None:
            seen = self._seen() if self._seen is not None else {}
            for file, row in self._again:
                if file in seen and row < len(seen[file]):
                    seen[file][row] = False
            self._again.clear()
            request = replace(self._request, inodes=tuple(self._inodes.items()))
            start = asyncio.to_thread(_Child, request, seen, asyncio.get_running_loop())
            self._starting = asyncio.create_task(start)
        # whoever waits may be cancelled; the child is started all the same, and must not be lost
        self._child = await asyncio.shield(self._starting)
        self._starting = None
        # what was asked for while it started
        again, self._again = self._again, []
        for file, row in again:
            await self.look_again(file, row)
        return self._child

    async def _lose_child(self, word: Exception | None) -> None:
        """It has ended, or is silent (None): end it, and say why if it was the last one."""
        if self._child is None:
            return  # closed meanwhile
        code = await self._child.end()
        self._child = None
        if isinstance(word, FilewatcherError) and not isinstance(word, NotReady):
            self._error = word
            return
        self._failures += 1
        if self._failures >= LIVES:
            why = str(word) if word is not None else f"exit code {code}; -9 = it was silent for {SILENCE:g} s"
            self._error = Broken(
                f"the reader of {self._request.master} died {LIVES} times in a row ({why}): if its files can be read "
                "with h5dump, report this"
            )


class _Child:
    """One process, and the thread that listens to it."""

    def __init__(self, request: Request, seen: dict[int, NDArray[np.bool_]], loop: asyncio.AbstractEventLoop) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe(duplex=True)
        self._process: SpawnProcess = context.Process(
            target=child.main, args=(theirs, request, seen), name=f"swmr {Path(request.master).name}", daemon=True
        )
        self._process.start()
        self.pid = self._process.pid
        theirs.close()  # or the pipe would never end
        self._loop = loop
        self._words: asyncio.Queue[list[Observation] | Exception | None] = asyncio.Queue()
        self._heard = time.monotonic()
        self._awake = False
        self._ending: asyncio.Task[int | None] | None = None
        self._thread = threading.Thread(target=self._listen, args=(self._pipe,), name="swmr listener", daemon=True)
        self._thread.start()

    def _listen(self, pipe: Connection) -> None:
        """Pass on what comes, until the pipe ends; a thread, because a hanging child may stop in half a message."""
        while True:
            try:
                word = pipe.recv()
            except (EOFError, OSError):
                word = None
            self._heard, self._awake = time.monotonic(), True
            if word != []:
                try:
                    self._loop.call_soon_threadsafe(self._words.put_nowait, word)
                except RuntimeError:  # the loop is closed: nobody listens any more
                    return
            if word is None:
                return

    async def word(self) -> list[Observation] | Exception | None:
        """The next news, or the last word of a child that ends; None = it has ended, or is silent, without one."""
        while True:
            patience = SILENCE if self._awake else START
            try:
                async with asyncio.timeout(max(0.0, self._heard + patience - time.monotonic())):
                    return await self._words.get()
            except TimeoutError:
                if time.monotonic() >= self._heard + patience and self._words.empty():
                    return None

    def tell(self, file: int, row: int) -> bool:
        """Ask for a row again; False = it is dead."""
        try:
            self._pipe.send((file, row))
        except OSError:
            return False
        return True

    async def end(self) -> int | None:
        """Kill it and wait until nothing of it is left; returns its exit code."""
        if self._ending is None:
            self._process.kill()
            self._ending = asyncio.create_task(asyncio.to_thread(self._bury))
        return await asyncio.shield(self._ending)

    def _bury(self) -> int | None:
        self._thread.join()
        self._process.join()
        code = self._process.exitcode
        self._process.close()
        self._pipe.close()
        return code
