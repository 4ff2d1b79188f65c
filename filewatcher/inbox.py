"""What a loop has been told and has not handled yet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")


class Inbox(Generic[T]):
    """Many may put, one takes; on one event loop. Waiting costs a future and a timer, where a queue takes a task."""

    def __init__(self) -> None:
        self._messages: list[T] = []
        self._waiting: asyncio.Future[None] | None = None

    def put(self, messages: Iterable[T]) -> None:
        """Tell; whoever waits goes on."""
        self._messages += messages
        self._wake()

    async def take(self, seconds: float) -> list[T]:
        """Return all that has come; if that is nothing, wait so long at most for the next."""
        if not self._messages:
            loop = asyncio.get_running_loop()
            self._waiting = loop.create_future()
            timer = loop.call_later(seconds, self._wake)
            try:
                await self._waiting
            finally:
                timer.cancel()
        messages, self._messages = self._messages, []
        return messages

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
