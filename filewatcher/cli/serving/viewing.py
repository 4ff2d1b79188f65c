"""Single images for people: made on a worker, of collections that run and of those that have ended."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from filewatcher.cli.collecting.collect import order_of
from filewatcher.core.asks import Priority
from filewatcher.core.observations import DetectorRead, Writers
from filewatcher.core.places import Places
from filewatcher.edges.swmr import SwmrObserver
from filewatcher.errors import Broken, Unknown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from filewatcher.cli.collecting.wishes import Wishes
    from filewatcher.cli.serving.crew import Crew, Place
    from filewatcher.core.detector import Detector
    from filewatcher.core.messages import FrameReady
    from filewatcher.roots import Roots

KEPT = 64 << 20
"""Bytes of images that are kept."""
OPEN = 2
"""Collections that have ended and whose workers are kept ready to show images."""
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
    """A collection that has ended, opened to look at its images."""

    places: Places
    place: Place


class Albums:
    """The last few that were looked at."""

    def __init__(self, crew: Crew, roots: Roots) -> None:
        self._crew, self._roots = crew, roots
        self._open: OrderedDict[str, Album] = OrderedDict()
        self._opening = asyncio.Lock()

    async def view(self, name: str, wishes: Wishes, which: tuple[int, int], what: str, black: float | None) -> bytes:
        """Return an image, by (scan, frame). Raises `Unknown`, `Broken`, `Unreachable`."""
        async with self._opening:
            album = self._open.get(name)
            if album is None or not album.place.current:
                album = await self._opened(name, wishes)
                while len(self._open) > OPEN:
                    await self._open.popitem(last=False)[1].place.close()
            self._open.move_to_end(name)
        return await album.place.share.view(seen(album.places, *which), what, black)

    async def close(self) -> None:
        """Leave nothing running."""
        while self._open:
            await self._open.popitem()[1].place.close()

    async def _opened(self, name: str, wishes: Wishes) -> Album:
        order, _ = await asyncio.to_thread(order_of, wishes)
        order = replace(order, roots=self._roots.names)
        places = Places()
        try:
            detector = await asyncio.wait_for(self._look(wishes, places), LOOKING)
        except TimeoutError as error:
            raise Broken(f"the files of {wishes.master} did not answer in {LOOKING:g} s") from error
        async with AsyncExitStack() as house:
            place = self._crew.place(Priority.REPROCESS)
            house.push_async_callback(place.close)
            await place.share.start()
            await place.share.arm(order.job(f"view-{name}", detector))
            house.pop_all()
        album = self._open[name] = Album(places, place)
        return album

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
