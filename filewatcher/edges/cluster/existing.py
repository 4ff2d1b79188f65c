"""A Dask scheduler that the site runs, with workers of its own: only its door is ours to find."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import urlsplit

from filewatcher.errors import Unreachable
from filewatcher.ports import Door

PATIENCE = 10.0
"""Seconds for the scheduler to answer."""


class ExistingScheduler:
    """Found by its address or by its scheduler file; credentials are those of Dask's own configuration."""

    def __init__(self, scheduler: str) -> None:
        self._scheduler = scheduler
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def start(self) -> Door:
        """See that something listens there. Raises `Unreachable`."""
        address = self._scheduler if "://" in self._scheduler else _address_in(self._scheduler)
        if self._connection is None:
            where = urlsplit(address)
            try:
                self._connection = await asyncio.wait_for(asyncio.open_connection(where.hostname, where.port), PATIENCE)
            except (OSError, TimeoutError, ValueError) as error:
                reason = str(error) or f"no answer in {PATIENCE:g} s"
                raise Unreachable(f"no Dask scheduler at {address}: {reason}; is it running?") from error
        return Door(address, None, 0)

    def want(self, workers: int) -> None:
        """Nothing: the site decides."""

    def judged(self, worker: str, *, fit: bool) -> None:
        """Nothing: its workers are the site's."""

    async def lost(self) -> str:
        """Wait until the scheduler closes our connection, which it does when it ends."""
        assert self._connection is not None
        reader, _ = self._connection
        try:
            while await reader.read(4096):
                pass  # what Dask says to a stranger
        except OSError:
            pass
        await self.close()
        return f"the Dask scheduler {self._scheduler} closed the connection"

    async def close(self) -> None:
        """Let go."""
        if self._connection is not None:
            self._connection[1].close()
            self._connection = None


def _address_in(file: str) -> str:
    path = Path(file).expanduser()
    try:
        return str(json.loads(path.read_text())["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it names no address"
        raise Unreachable(f"{path}: {reason}; dask scheduler --scheduler-file writes one") from error
