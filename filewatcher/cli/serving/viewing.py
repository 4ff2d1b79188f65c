"""Single images for people: of collections that run a worker makes them, of those that have ended the `Easel`."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from filewatcher.cli.collecting.collect import order_of
from filewatcher.cli.serving.easel import Easel
from filewatcher.core.observations import DetectorRead, Writers
from filewatcher.core.places import Places
from filewatcher.edges.swmr import SwmrObserver
from filewatcher.errors import Broken, Unknown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from filewatcher.cli.collecting.wishes import Wishes
    from filewatcher.core.detector import Detector
    from filewatcher.core.messages import FrameReady
    from filewatcher.core.run import Job
    from filewatcher.roots import Roots

KEPT = 64 << 20
"""Bytes of images that are kept."""
OPEN = 2
"""Collections that have ended and whose frames are known, to show more of them at once."""
LOOKING = 120.0
"""Seconds for the files of a collection that has ended to say where its frames are."""


class Pictures:
    """The last ones, by their names; each is made once, however many ask for it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._making: dict[tuple[object, ...], asyncio.Task[bytes]] = {}
        self._size = 0

    async def get(self, name: tuple[object, ...], make: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return one."""
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        if name not in self._making:

            async def made() -> bytes:
                return await make()

            self._making[name] = asyncio.create_task(made())
            self._making[name].add_done_callback(lambda task: self._made(name, task))
        return await asyncio.shield(self._making[name])

    def _made(self, name: tuple[object, ...], task: asyncio.Task[bytes]) -> None:
        del self._making[name]
        if task.cancelled() or task.exception() is not None:
            return
        self._kept[name] = task.result()
        self._size += len(task.result())
        while self._size > KEPT:
            self._size -= len(self._kept.popitem(last=False)[1])


@dataclass(frozen=True, slots=True)
class Album:
    """A collection that has ended, whose files have said where its frames are."""

    job: Job
    places: Places


class Albums:
    """The last few that were looked at."""

    def __init__(self, roots: Roots) -> None:
        self._roots, self._easel = roots, Easel()
        self._open: OrderedDict[str, Album] = OrderedDict()
        self._opening = asyncio.Lock()

    async def view(self, name: str, wishes: Wishes, which: tuple[int, int], what: str, black: float | None) -> bytes:
        """Return an image, by (scan, frame). Raises `Unknown`, `Broken`, `Forbidden`, `Unreachable`."""
        async with self._opening:
            if name not in self._open:
                self._open[name] = await self._opened(name, wishes)
                while len(self._open) > OPEN:
                    self._open.popitem(last=False)
            self._open.move_to_end(name)
            album = self._open[name]
        return await self._easel.view(album.job, seen(album.places, *which), what, black)

    async def close(self) -> None:
        """Leave nothing running."""
        await self._easel.close()

    async def _opened(self, name: str, wishes: Wishes) -> Album:
        order, _ = await asyncio.to_thread(order_of, wishes)
        places = Places()
        try:
            detector = await asyncio.wait_for(self._look(wishes, places), LOOKING)
        except TimeoutError as error:
            raise Broken(f"the files of {wishes.master} did not answer in {LOOKING:g} s") from error
        return Album(replace(order, roots=self._roots.names).job(name, detector), places)

    async def _look(self, wishes: Wishes, places: Places) -> Detector:
        """Note where all frames are, in files that do not change any more."""
        detector: Detector | None = None
        scanned = False
        async with SwmrObserver(*wishes.masters, wait=False, frames=wishes.frames, roots=self._roots) as observer:
            while detector is None or not scanned:
                for news in await observer.observe():
                    places.note(news)
                    match news:
                        case DetectorRead():
                            detector = news.detector
                        case Writers():
                            scanned = scanned or news.full_scan
        return detector


def seen(places: Places, scan: int, frame: int) -> FrameReady:
    """Return where a frame is. Raises `Unknown`."""
    if (found := places.frame(scan, frame)) is None:
        raise Unknown(f"image {frame + 1} of scan {scan} is not on disk")
    return found
