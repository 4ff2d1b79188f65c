"""Workers on this machine: a nanny each, in the scheduler's process, that starts its worker again when it dies."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from distributed import Nanny

if TYPE_CHECKING:
    from collections.abc import Mapping

    from distributed.security import Security

START_LIMIT = 120.0
"""Seconds for the workers to come up."""
TRIES = 3
"""To start one: it may be killed before it is there."""
PAUSE = 5.0
"""Seconds between two rounds of tries for one that is to be replaced."""


class LocalWorkers:
    """Worker processes of one thread (DIALS holds the GIL), named ``local-0``, ``local-1``, ...

    `keywords` are those of a profile: memory of each, environment, scratch folder.
    """

    def __init__(self, scheduler: str, security: Security, count: int, keywords: Mapping[str, Any]) -> None:
        self._scheduler, self._security = scheduler, security
        self._count, self._keywords = count, keywords
        self._nannies: dict[int, Nanny] = {}
        self._keeping: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start them all, and keep them. Raises `OSError`, `RuntimeError` or `TimeoutError`."""
        numbers = range(self._count)
        await asyncio.wait_for(asyncio.gather(*(self._start(number) for number in numbers)), START_LIMIT)
        self._keeping = [asyncio.create_task(self._keep(number)) for number in numbers]

    def let_go(self) -> None:
        """Replace nobody any more: they are about to leave."""
        for task in self._keeping:
            task.cancel()

    async def close(self) -> None:
        """End them all."""
        self.let_go()
        keeping, self._keeping = self._keeping, []
        await asyncio.gather(*keeping, return_exceptions=True)
        nannies, self._nannies = self._nannies, {}
        await asyncio.gather(*(nanny.close() for nanny in nannies.values()), return_exceptions=True)

    async def _start(self, number: int) -> None:
        for tries_left in reversed(range(TRIES)):
            self._nannies[number] = nanny = Nanny(
                self._scheduler,
                nthreads=1,
                name=f"local-{number}",
                security=self._security,
                silence_logs="CRITICAL",
                **self._keywords,
            )
            try:
                await nanny
            except (OSError, RuntimeError):
                if not tries_left:
                    raise
            else:
                return

    async def _keep(self, number: int) -> None:
        """Have another nanny when one has ended: it gives up when its worker cannot be started again."""
        while True:
            await self._nannies[number].finished()
            try:
                await self._start(number)
            except (OSError, RuntimeError):
                await asyncio.sleep(PAUSE)
