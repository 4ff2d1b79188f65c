"""Subscribes to a queue by `workflows`, again and again: its transport ends with a connection that is lost."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import workflows

from filewatcher.edges.zocalo.broker import LOST
from filewatcher.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workflows.transport.pika_transport import PikaTransport

    from filewatcher.edges.zocalo.broker import Broker

TOGETHER = 50
"""Messages that may be under way here, not acknowledged yet."""
LOOK = 0.5
"""Seconds between two looks at a connection, which does not say when it is lost."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds between two calls of a broker that does not answer; doubled from one to the next."""
GONE = (workflows.Error, *LOST, RuntimeError, KeyError)
"""What a transport raises that has lost its broker, or never had it."""
RECIPE = "workflows-recipe"
"""The header of a message that is a step of a recipe."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that is to be acknowledged, or rejected."""

    body: Any
    """As it was decoded; not checked."""
    recipe: bool
    """Whether it says that it is a step of a recipe."""
    header: Mapping[str, Any]
    transport: PikaTransport

    def acknowledge(self) -> None:
        """It is safe here. One whose connection is lost comes once more."""
        self._answer(self.transport.ack)

    def reject(self) -> None:
        """It will never be understood: the broker puts it where the site keeps such messages, or drops it."""
        self._answer(lambda header: self.transport.nack(header, requeue=False))

    def _answer(self, answer: Callable[[Mapping[str, Any]], object]) -> None:
        try:
            answer(self.header)
        except GONE:
            return


class Subscription:
    """Listens until it is closed; calls `deliver` in the event loop's thread."""

    def __init__(
        self, broker: Broker, name: str, deliver: Callable[[Delivery], None], say: Callable[[str], None]
    ) -> None:
        self._broker, self._name, self._deliver, self._say = broker, name, deliver, say
        self._transport: PikaTransport | None = None
        self._lost = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        for noisy in ("pika", "workflows.transport.pika_transport"):  # a broker that is away is said once, here
            logging.getLogger(noisy).setLevel(logging.CRITICAL)

    async def run(self) -> None:
        """Subscribe, and once more whenever the connection is lost; until it is cancelled."""
        self._loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        while True:
            try:
                await asyncio.to_thread(self._subscribe)
            except Unreachable as error:
                self._complain(str(error))
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            if self._lost:
                self._say(f"{self._broker}: listening to {self._name} again")
            self._lost, pause = "", FIRST_PAUSE
            while self._transport is not None and self._transport.is_connected():  # noqa: ASYNC110  it tells nobody
                await asyncio.sleep(LOOK)
            self._complain(f"{self._broker}: the connection is lost")

    async def close(self) -> None:
        """Hang up: what was not acknowledged is delivered to the next one."""
        await asyncio.to_thread(self._hang_up)

    def _subscribe(self) -> None:
        self._hang_up()
        loop, transport = self._loop, self._broker.transport()
        assert loop is not None

        def called(header: Mapping[str, Any], body: Any) -> None:
            # in the transport's thread, which must not wait: to send from here would wait for ever
            recipe = str(header.get(RECIPE)).lower() in {"true", "1"}
            try:
                loop.call_soon_threadsafe(self._deliver, Delivery(body, recipe, header, transport))
            except RuntimeError:
                return  # the loop has ended; the message was not acknowledged

        try:
            connected = transport.connect()
            self._transport = transport
            if connected:
                transport.subscribe(self._name, called, acknowledgement=True, prefetch_count=TOGETHER)
        except GONE as error:
            raise Unreachable(f"{self._broker}: cannot listen to {self._name}: {str(error) or 'no answer'}") from error

    def _hang_up(self) -> None:
        transport, self._transport = self._transport, None
        try:
            if transport is not None and transport.is_connected():
                transport.disconnect()
        except GONE:
            return

    def _complain(self, sentence: str) -> None:
        if not self._lost:
            self._say(sentence)
        self._lost = sentence
