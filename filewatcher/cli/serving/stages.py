"""Stands between a loop and its edges and looks at the clock: how long each stage of a frame's life takes.

``seen_submitted``: from the watcher's word to a worker; ``submitted_done``: there and back, waiting included;
``analysis``: the worker's own time. Of each batch, that of its first frame.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from filewatcher.core.batching import BatchEnded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from filewatcher.core.batching import Batch, BatchLost
    from filewatcher.core.messages import ChunkLayout
    from filewatcher.core.observations import Observation
    from filewatcher.core.places import Places
    from filewatcher.core.run import Job
    from filewatcher.ports import Observer, Pool


class Noting:
    """An observer that notes where frames are, and when they were seen."""

    def __init__(self, observer: Observer, places: Places) -> None:
        self._observer, self._places = observer, places

    async def report(self, tell: Callable[[Sequence[Observation]], None]) -> None:
        """Tell all news the moment that it comes."""

        def note(news: Sequence[Observation]) -> None:
            now = time.monotonic()
            for one in news:
                self._places.note(one, now)
            tell(news)

        await self._observer.report(note)

    def look_again(self, file: int, row: int) -> None:
        """Report a row anew."""
        self._observer.look_again(file, row)

    async def close(self) -> None:
        """Leave nothing running."""
        await self._observer.close()


class Timed:
    """A pool whose batches are timed; `stage` is told (name, seconds)."""

    def __init__(self, pool: Pool, places: Places, stage: Callable[[str, float], None]) -> None:
        self._pool, self._places, self._stage = pool, places, stage
        self._submitted: dict[int, float] = {}
        """Identity of a batch that is out -> when it went."""

    @property
    def places(self) -> int:
        """How many more batches to hand out now."""
        return self._pool.places

    def unsupported(self, layout: ChunkLayout) -> str | None:
        """Why images stored like this cannot be read; None = they can."""
        return self._pool.unsupported(layout)

    async def start(self) -> None:
        """Have workers."""
        await self._pool.start()

    async def arm(self, job: Job) -> None:
        """Make every worker ready for this collection."""
        await self._pool.arm(job)

    def submit(self, job: str, batch: Batch) -> None:
        """Hand out a batch."""
        now, first = time.monotonic(), batch.frames[0]
        if batch.attempts[0] == 1 and (seen := self._places.seen_at(first.scan, first.frame)) is not None:
            self._stage("seen_submitted", now - seen)
        self._submitted[id(batch)] = now
        self._pool.submit(job, batch)

    async def ended(self) -> Sequence[BatchEnded | BatchLost]:
        """Wait for batches to come back."""
        ended = await self._pool.ended()
        now = time.monotonic()
        for one in ended:
            since = self._submitted.pop(id(one.batch), None)
            if since is not None and isinstance(one, BatchEnded):
                self._stage("submitted_done", now - since)
                self._stage("analysis", one.seconds / len(one.outcomes))
        return ended

    async def close(self) -> None:
        """Leave nothing running."""
        await self._pool.close()
