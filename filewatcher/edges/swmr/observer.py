"""The parent's side of the child process: starts it, listens, and starts another one when it hangs or dies."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from filewatcher.core.observations import Described, OnDisk
from filewatcher.edges.swmr.effort import Budget, Effort
from filewatcher.edges.swmr.nursery import SILENCE, Child
from filewatcher.edges.swmr.request import Request
from filewatcher.errors import Broken, FilewatcherError, NotReady
from filewatcher.roots import ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray

    from filewatcher.core.observations import Observation
    from filewatcher.roots import Roots

LIVES = 5
"""Children that may die one after the other without news."""


class SwmrObserver:
    """What is on disk of one collection, as its child process reports it: of one master, or of several, one per scan.

    `wait`: False = analyse what is there now. `channel`: of several, by name. `frames`: how many to expect where the
    master does not say. `seen`: asked whenever a child is started: file number -> bitmap over the rows already known.
    `mask_wait`: seconds to wait for linked files of geometry and mask once frames are on disk.
    `direct`: False = leave every chunk index to libhdf5, which is slower in long files. `budget`: what this collection
    shares with others of the same process. `roots`: files outside are not read, whoever leads to them, now or later.

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
        direct: bool = True,
        budget: Budget | None = None,
        roots: Roots = ANYWHERE,
    ) -> None:
        path, *others = (str(Path(master).absolute()) for master in masters)
        self._request = Request(path, wait, channel, frames, mask_wait, direct, others=tuple(others), roots=roots)
        self._seen = seen
        self._budget = budget or Budget()
        self._spent = Effort()
        self._inodes: dict[int, int] = {}
        self._again: list[tuple[int, int]] = []
        self._child: Child | None = None
        self._starting: asyncio.Task[Child] | None = None
        self._tell: Callable[[list[Observation]], None] | None = None
        self._kept: list[list[Observation]] = []
        self._reporting: asyncio.Task[None] | None = None
        self._came = asyncio.Event()
        self._failures = 0
        self._error: Exception | None = None
        self._closed = False
        self._budget.join(self._grant)

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

    @property
    def effort(self) -> Effort:
        """What it has cost so far to look at the data files."""
        return self._spent + self._child.effort if self._child is not None else self._spent

    async def report(self, tell: Callable[[list[Observation]], None]) -> None:
        """Tell all news the moment that it comes, to one listener at a time; what comes meanwhile is kept for the next.

        Ends by raising `Broken` (or `Refused`, `Forbidden`) when there will be none: the master or its files are wrong
        for good, or what `tell` raises.
        """
        self._tell = tell
        try:
            while self._kept:
                tell(self._kept.pop(0))
            while self._error is None and not self._closed:
                child = self._child or await self._start()
                await self._lose_child(await child.last_word())
        finally:
            self._tell = None
        raise self._error or Broken(f"the observer of {self._request.master} is closed")

    async def observe(self) -> list[Observation]:
        """Wait for the next news, for whoever does not mind when exactly it comes. Raises what `report` raises."""
        if self._reporting is None:
            self._reporting = asyncio.create_task(self.report(self._keep))
            self._reporting.add_done_callback(lambda _: self._came.set())
        while not self._kept:
            if self._reporting.done():
                self._reporting.result()
            self._came.clear()
            await self._came.wait()
        return self._kept.pop(0)

    def look_again(self, file: int, row: int) -> None:
        """Forget that a row was reported, and report it anew: a worker could not read it."""
        if self._child is None or not self._child.tell((file, row)):
            self._again.append((file, row))

    async def close(self) -> None:
        """Leave no process, thread or descriptor behind."""
        self._closed = True
        self._budget.leave(self._grant)
        if self._reporting is not None:
            self._reporting.cancel()
            await asyncio.gather(self._reporting, return_exceptions=True)
        if self._starting is not None:
            self._child = await self._starting
        if self._child is not None:
            await self._bury(self._child)

    def _grant(self, share: float) -> None:
        self._request = replace(self._request, share=share)
        if self._child is not None:
            self._child.tell(share)

    async def _bury(self, child: Child) -> int | None:
        code = await child.end()
        if self._child is child:
            self._spent = self.effort
            self._child = None
        return code

    def _keep(self, news: list[Observation]) -> None:
        self._kept.append(news)
        self._came.set()

    def _hear(self, news: list[Observation]) -> None:
        for item in news:
            # what the next child must know: which files these are, so that it does not take others for them
            if isinstance(item, OnDisk):
                self._inodes[item.file] = item.inode
            elif isinstance(item, Described):
                self._request = replace(self._request, files=item.frame_map.files)
        if not isinstance(news[-1], Described):  # to describe a master over and over again is no progress
            self._failures = 0
        if self._again:
            self._ask_again()
        try:
            (self._tell or self._keep)(news)
        except Exception as error:  # noqa: BLE001  `report` raises it: the event loop would only log it
            self._error = error
            if self._child is not None:
                self._child.leave()

    async def _start(self) -> Child:
        if self._starting is None:
            seen = self._seen() if self._seen is not None else {}
            for file, row in self._again:
                if file in seen and row < len(seen[file]):
                    seen[file][row] = False
            self._again.clear()
            request = replace(self._request, inodes=tuple(self._inodes.items()))
            self._starting = asyncio.create_task(Child.start(request, seen, self._hear))
        # whoever waits may be cancelled; the child is started all the same, and must not be lost
        self._child = await asyncio.shield(self._starting)
        self._starting = None
        # what was asked for while it started
        self._child.tell(self._request.share)
        self._ask_again()
        return self._child

    def _ask_again(self) -> None:
        again, self._again = self._again, []
        for file, row in again:
            self.look_again(file, row)

    async def _lose_child(self, word: Exception | None) -> None:
        """It has ended, or is silent (None): end it, and say why if it was the last one."""
        if self._child is None:
            return  # closed meanwhile
        code = await self._bury(self._child)
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
