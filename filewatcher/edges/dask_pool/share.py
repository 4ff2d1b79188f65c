"""What one collection has of the workers: the `Pool` that its loop sees."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from filewatcher.core.placing import Portion
from filewatcher.edges.dask_pool import worker
from filewatcher.edges.dask_pool.arming import Arming
from filewatcher.edges.dask_pool.lane import Failed, Gone
from filewatcher.edges.dask_pool.parcels import parcel, plain
from filewatcher.errors import Broken, FilewatcherError, Unreachable
from spotfinding.chunks import Layout, unsupported

if TYPE_CHECKING:
    from filewatcher.core.batching import Batch, BatchEnded, BatchLost
    from filewatcher.core.messages import ChunkLayout, FrameReady
    from filewatcher.core.run import Job
    from filewatcher.edges.dask_pool.pool import DaskPool

LAST = 100
"""Priority of what may wait for all else."""


class Share(Portion):
    """One loop's part of a `DaskPool`; what the loop hands out comes back here and nowhere else."""

    def __init__(self, pool: DaskPool, priority: int) -> None:
        super().__init__(pool.placing, priority)
        self.name = ""
        """What workers know its collection by: no other share's, however often the same run comes."""
        self.arming: Arming | None = None
        self._pool = pool
        self._job: Job | None = None
        self._back: asyncio.Queue[BatchEnded | BatchLost | FilewatcherError] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._armed: list[str] = []
        """Addresses of workers that know its collection; some may be gone."""

    @property
    def ready(self) -> int:
        """Workers that take its frames."""
        return self._pool.placing.ready(self.number)

    def unsupported(self, layout: ChunkLayout) -> str | None:
        """Why images stored like this cannot be read; None = they can."""
        return unsupported(Layout(*plain(layout)))

    async def start(self) -> None:
        """Have workers; harmless if they are there. Raises `Unreachable`."""
        await self._pool.start()

    async def arm(self, job: Job) -> None:
        """Have every worker, also those to come, build what the collection needs; returns when the first has.

        Raises `Broken` if the collection cannot be analysed, `Unreachable` if there is nobody to do it.
        """
        self._job, self.name = job, f"{job.name}-{secrets.token_hex(4)}"
        arming = Arming(job, self.name, self._pool.analysis, self._pool.say, self._pool.judged)
        await arming.prepare()
        self.arming = arming
        for address in self._pool.workers:
            self.came(address)
        await arming.first(self._pool.workers_at_first)

    def came(self, address: str) -> None:
        """A worker is there: arm it, if it is known for what."""
        if self.arming is not None and not self.closed:
            self._tasks.append(asyncio.create_task(self._arm(self.arming, address)))
            self._tasks = [task for task in self._tasks if not task.done()]

    async def _arm(self, arming: Arming, address: str) -> None:
        workers = self._pool.workers
        if await arming.arm(self._pool.tasks, address, workers[address]) and address in workers and not self.closed:
            self._pool.placing.armed(address, self.number)
            self._armed.append(address)

    def submit(self, job: str, batch: Batch) -> None:
        """Hand out a batch; it comes back by `ended`."""
        assert self._job is not None
        assert job == self._job.name
        self._pool.hand_out(self, batch, parcel(batch, self._job.verify))

    async def view(self, frame: FrameReady, what: str, black: float | None = None) -> bytes:
        """Have a worker make a frame into something for a person, when no batch waits; see `worker.view`.

        Raises `Unreachable` while no worker is armed, `Broken` for a frame that cannot be shown.
        """
        self._armed = [address for address in self._armed if address in self._pool.workers]
        if self.closed or not self._armed:
            raise Unreachable("no worker is ready to show an image: try again in a moment")
        self._armed.append(self._armed.pop(0))  # one after the other
        place = (frame.path, frame.offset, frame.size, frame.filter_mask)
        asked = self.name, plain(frame.layout), place, what, black
        try:
            state, found = await self._pool.lane.ask(self._armed[0], LAST, worker.view, *asked)
        except Gone as error:
            raise Unreachable(f"the worker that was to show image {frame.frame + 1} is gone: try again") from error
        except Failed as error:
            raise Broken(f"image {frame.frame + 1} cannot be shown: {error}") from error
        if state != "done":
            raise Broken(f"image {frame.frame + 1} cannot be shown: {found}")
        return bytes(found)

    async def ended(self) -> list[BatchEnded | BatchLost]:
        """Wait for batches to come back; all that have. Raises `Unreachable` when there is no scheduler any more."""
        ended = []
        waiting: BatchEnded | BatchLost | FilewatcherError = await self._back.get()
        while True:
            if isinstance(waiting, FilewatcherError):
                raise waiting
            ended.append(waiting)
            if self._back.empty():
                return ended
            waiting = self._back.get_nowait()

    def back(self, what: BatchEnded | BatchLost | FilewatcherError) -> None:
        """A batch has come back, or nothing will any more."""
        self._back.put_nowait(what)

    async def close(self) -> None:
        """Give its places to others: what waits at workers is taken back, what runs there is left to end."""
        if self.closed:
            return
        self.closed = True
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._pool.withdraw(self)
