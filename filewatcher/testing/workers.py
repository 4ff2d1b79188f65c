"""Workers in this process that several collections share: threads, in place of Dask's processes."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, NamedTuple

from filewatcher.core.batching import BatchEnded, BatchLost
from filewatcher.core.placing import Placing, Portion
from filewatcher.testing.fakes import filter_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from filewatcher.core.batching import Batch, Unreadable
    from filewatcher.core.messages import ChunkLayout, FrameFailed, FrameReady, FrameResult
    from filewatcher.core.run import Job


IDLE = -1
"""Before every priority."""


class _Waiting(NamedTuple):
    """A batch that waits at a worker; sorts as the worker takes it."""

    priority: int
    ticket: int
    share: ThreadShare
    batch: Batch


class ThreadWorkers:
    """Each runs one batch at a time, the most urgent first; `analyse` None = it dies over that frame, another comes.

    `analyse` runs in a thread of its own, so it may wait. `each`: batches of one priority that a worker may have.
    """

    def __init__(
        self,
        analyse: Callable[[FrameReady, int], FrameResult | FrameFailed | Unreadable | None],
        workers: int = 1,
        each: int = 3,
    ) -> None:
        self.placing = Placing(each)
        self._analyse, self._wanted = analyse, workers
        self._shares: dict[int, ThreadShare] = {}
        self._queues: dict[str, asyncio.PriorityQueue[_Waiting]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._names = itertools.count()
        self._held: dict[int, _Waiting] = {}
        self._withdrawn: set[int] = set()
        self._busy: set[str] = set()

    def share(self, priority: int = 0) -> ThreadShare:
        """Make room for one more collection."""
        share = ThreadShare(self, priority)
        self._shares[share.number] = share
        return share

    def start(self) -> None:
        """Have workers; harmless if they are there."""
        while len(self._queues) < self._wanted:
            name = f"worker-{next(self._names)}"
            self._queues[name] = asyncio.PriorityQueue()
            task = asyncio.create_task(self._work(name))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            for share in self._shares.values():
                share.came(name)

    @property
    def names(self) -> list[str]:
        """Of those that are there."""
        return list(self._queues)

    def hand_out(self, share: ThreadShare, batch: Batch) -> None:
        """Queue a batch at a worker."""
        _, ticket = self.placing.hand_out(share.number, batch)
        self._held[ticket] = _Waiting(share.priority, ticket, share, batch)
        self._send()

    def withdraw(self, share: ThreadShare) -> None:
        """A share wants nothing any more."""
        del self._shares[share.number]
        self._withdrawn.update(self.placing.close(share.number))
        self._send()

    def _send(self) -> None:
        for name, ticket in self.placing.due():
            waiting = self._held.pop(ticket)
            # one that is idle takes it at once, whatever comes after
            self._queues[name].put_nowait(waiting if name in self._busy else waiting._replace(priority=IDLE))
            self._busy.add(name)

    async def close(self) -> None:
        """End them all; what runs must be able to end."""
        for share in list(self._shares.values()):
            await share.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self, name: str) -> None:
        while True:
            if self._queues[name].empty():
                self._busy.discard(name)
            _, ticket, share, batch = await self._queues[name].get()
            if ticket in self._withdrawn:
                continue
            outcomes = []
            for frame, attempts in zip(batch.frames, batch.attempts, strict=True):
                outcome = await asyncio.to_thread(self._analyse, frame, attempts)
                if outcome is None:
                    self._die(name)
                    return
                outcomes.append(outcome)
            if self.placing.came_back(ticket):
                share.back(BatchEnded(batch, tuple(outcomes), 0.001))
            self._send()

    def _die(self, name: str) -> None:
        del self._queues[name]
        for lost in self.placing.went(name):
            self._held.pop(lost.ticket, None)
            if lost.share in self._shares:
                reason = "its worker died" if lost.ran else "it was waiting at a worker that died"
                self._shares[lost.share].back(BatchLost(lost.batch, reason, blameless=not lost.ran))
        self.start()


class ThreadShare(Portion):
    """One loop's part of `ThreadWorkers`."""

    def __init__(self, workers: ThreadWorkers, priority: int) -> None:
        super().__init__(workers.placing, priority)
        self._workers = workers
        self._job: str | None = None
        self._back: asyncio.Queue[BatchEnded | BatchLost] = asyncio.Queue()

    def unsupported(self, layout: ChunkLayout) -> str | None:
        """As all fakes."""
        return filter_problem(layout)

    async def start(self) -> None:
        """Have workers."""
        self._workers.start()

    async def arm(self, job: Job) -> None:
        """Remember it."""
        self._job = job.name
        for name in self._workers.names:
            self.came(name)

    def came(self, worker: str) -> None:
        """A worker is there."""
        if self._job is not None:
            self._workers.placing.armed(worker, self.number)

    def submit(self, job: str, batch: Batch) -> None:
        """Hand it out."""
        assert job == self._job
        self._workers.hand_out(self, batch)

    async def ended(self) -> Sequence[BatchEnded | BatchLost]:
        """Wait for the next batch."""
        return [await self._back.get()]

    def back(self, what: BatchEnded | BatchLost) -> None:
        """A batch has come back."""
        self._back.put_nowait(what)

    async def close(self) -> None:
        """Give its places to others."""
        if not self.closed:
            self.closed = True
            self._workers.withdraw(self)
