"""The workers of a daemon: shared by its collections; when their scheduler is gone for good, others are hired."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filewatcher.cli.collecting.capacity import CapacityKeeper
from filewatcher.cli.collecting.collect import cluster_of, limits_of
from filewatcher.edges.dask_pool import DaskPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from filewatcher.cli.collecting.capacity import Need
    from filewatcher.core.asks import Priority
    from filewatcher.edges.dask_pool import Share
    from filewatcher.profiles import Profile


@dataclass(frozen=True, slots=True)
class Place:
    """What one collection has of the workers."""

    pool: DaskPool
    share: Share
    need: Need
    """Told of its progress, it asks for workers."""

    async def close(self) -> None:
        """Leave all to the others."""
        self.need.close()
        await self.share.close()


class Crew:
    """Workers as `profile` has them; `say` is told what an administrator should know."""

    def __init__(self, profile: Profile, say: Callable[[str], None]) -> None:
        self._profile, self._say = profile, say
        self._pool: DaskPool | None = None
        self._keeper: CapacityKeeper | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> int:
        """Workers that take frames."""
        return 0 if self._pool is None else self._pool.ready

    @property
    def busy(self) -> int:
        """Workers that have frames."""
        return 0 if self._pool is None else self._pool.placing.busy

    def place(self, priority: Priority) -> Place:
        """Make room for one more collection."""
        if self._pool is None or self._keeper is None:
            cluster = cluster_of(self._profile, self._say)
            limits = limits_of(self._profile)
            self._pool = DaskPool(cluster, limits, self._profile.limits.frame_timeout, say=self._say)
            self._keeper = CapacityKeeper(cluster, self._pool, self._say, time.monotonic)
        return Place(self._pool, self._pool.share(priority), self._keeper.collection())

    def give_up(self, pool: DaskPool) -> None:
        """Nobody answers there: the next place is with others."""
        if pool is self._pool:
            self._pool = self._keeper = None
            task = asyncio.create_task(pool.close())
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def close(self) -> None:
        """Leave nothing running."""
        if self._pool is not None:
            await self._pool.close()
        await asyncio.gather(*self._leaving, return_exceptions=True)
