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


class LocalWorkers:
    """Worker processes of one thread (DIALS holds the GIL), named ``local-0``, ``local-1``, ...

    `keywords` are those of a profile: memory of each, environment, scratch folder.
    """

    def __init__(self, scheduler: str, security: Security, count: int, keywords: Mapping[str, Any]) -> None:
        self._scheduler, self._security = scheduler, security
        self._count, self._keywords = count, keywords
        self._nannies: list[Nanny] = []

    async def start(self) -> None:
        """Start them all. Raises `OSError`, `RuntimeError` or `TimeoutError`."""
        self._nannies = [
            Nanny(
                self._scheduler,
                nthreads=1,
                name=f"local-{i}",
                security=self._security,
                silence_logs="CRITICAL",
                **self._keywords,
            )
            for i in range(self._count)
        ]
        await asyncio.wait_for(asyncio.gather(*self._nannies), START_LIMIT)

    async def close(self) -> None:
        """End them all."""
        nannies, self._nannies = self._nannies, []
        await asyncio.gather(*(nanny.close() for nanny in nannies), return_exceptions=True)
