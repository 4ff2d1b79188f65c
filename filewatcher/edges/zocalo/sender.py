"""Sends messages in transactions, so that after a lost connection it is known which of them were taken.

With the last message of a transaction goes a *token* to a queue of our own, which says how far the telling was. The
broker keeps the last one. When a connection breaks in the middle of a commit, the token tells whether it was done: so
each message is sent once, to consumers that count (production's X-ray centring does).

The token is asked for only when the broker has done with the connection before: what is still on its way through that
one would be taken later. So each connection holds a queue that is exclusive to it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pika
import pika.exceptions

from filewatcher.edges.zocalo.broker import LOST
from filewatcher.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pika.adapters.blocking_connection import BlockingChannel

    from filewatcher.core.recipes import Outgoing
    from filewatcher.edges.zocalo.broker import Broker

HEADERS = {"workflows-recipe": True}
PERSISTENT = 2
ABSENT = 404
"""What a broker answers where there is no exchange of that name."""
LOCKED = 405
"""What it answers while another connection holds an exclusive queue."""
DELAYED = "delayed"
"""The exchange for messages that the broker holds back."""


class Sender:
    """For one thread. `name`: of the ledger, and so of the token's queue; `say` what an operator should know."""

    def __init__(self, broker: Broker, name: str, say: Callable[[str], None]) -> None:
        self._broker, self._say = broker, say
        self.token_queue = f"filewatcher.{name}"
        self._connection: pika.BlockingConnection | None = None
        self._channel: BlockingChannel | None = None
        self._absent: set[str] = set()
        self._complained: set[str] = set()

    @property
    def connected(self) -> bool:
        """Whether messages can be sent, as far as is known."""
        return self._channel is not None

    def connect(self) -> Mapping[str, Any] | None:
        """Call the broker; returns the token of the last transaction that it did. Raises `Unreachable`."""
        try:
            self._connection = pika.BlockingConnection(self._broker.parameters())
            return self._open()
        except LOST as error:
            self.close()
            held = getattr(error, "reply_code", None) == LOCKED
            why = "it still holds an earlier connection of ours" if held else in_words(error)
            raise Unreachable(f"{self._broker}: {why}") from error

    def send(self, messages: Iterable[Outgoing], token: Mapping[str, Any]) -> None:
        """Send all or none, with what says that it was done. Raises `Unreachable`: the next token tells."""
        whole = list(messages)
        try:
            while not self._sent(whole, token):
                self._open()
        except LOST as error:
            self.close()
            raise Unreachable(f"{self._broker}: {in_words(error)}") from error

    def idle(self) -> None:
        """Let the broker know that we are there. Raises `Unreachable`."""
        try:
            if self._connection is not None:
                self._connection.process_data_events(0)
        except LOST as error:
            self.close()
            raise Unreachable(f"{self._broker}: {in_words(error)}") from error

    def close(self) -> None:
        """Hang up."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None and connection.is_open:
            try:
                connection.close()
            except LOST:
                return  # it is gone

    def _open(self) -> Mapping[str, Any] | None:
        assert self._connection is not None
        channel = self._connection.channel()
        channel.queue_declare(f"{self.token_queue}.sending", exclusive=True)
        channel.queue_declare(self.token_queue, durable=True, arguments={"x-max-length": 1, "x-overflow": "drop-head"})
        # read and left there: whoever reads it may end before it is noted
        method, _, body = channel.basic_get(self.token_queue)
        if method is not None:
            channel.basic_nack(method.delivery_tag, requeue=True)
        channel.tx_select()
        channel.add_on_return_callback(self._returned)
        self._channel = channel
        return None if method is None else dict(json.loads(body))

    def _sent(self, messages: Iterable[Outgoing], token: Mapping[str, Any]) -> bool:
        """Send a transaction; False if an exchange is not there: the channel is closed then, and nothing was sent."""
        assert self._channel is not None
        try:
            for message in messages:
                self._publish(self._channel, message)
            body = json.dumps(token).encode()
            self._channel.basic_publish("", self.token_queue, body, pika.BasicProperties(delivery_mode=PERSISTENT))
            self._channel.tx_commit()
        except pika.exceptions.ChannelClosedByBroker as error:
            exchange = error.reply_text.partition("'")[2].partition("'")[0]
            if error.reply_code != ABSENT or not exchange or exchange in self._absent:
                raise
            self._absent.add(exchange)
            self._complain(
                f"there is no exchange {exchange} on {self._broker}: messages for it are dropped; declare it"
            )
            return False
        return True

    def _publish(self, channel: BlockingChannel, message: Outgoing) -> None:
        headers: dict[str, Any] = dict(HEADERS)
        exchange, key = message.exchange or "", message.name
        if message.kind == "topic":
            exchange, key = message.name, ""
        elif message.delay:
            exchange, headers["x-delay"] = DELAYED, int(1000 * message.delay)
        if exchange not in self._absent:
            properties = pika.BasicProperties(headers=headers, delivery_mode=PERSISTENT)
            channel.basic_publish(exchange, key, json.dumps(message.body).encode(), properties, mandatory=True)

    def _returned(self, _channel: BlockingChannel, method: Any, _properties: Any, _body: bytes) -> None:
        # nobody needs to listen to a topic, and a delayed message has not been routed yet
        if method.routing_key and method.exchange != DELAYED:
            self._complain(
                f"there is no queue {method.routing_key} on {self._broker}: messages for it are dropped; declare it"
            )

    def _complain(self, sentence: str) -> None:
        if sentence not in self._complained:
            self._complained.add(sentence)
            self._say(sentence)


def in_words(error: Exception) -> str:
    """What a broker, or the way to it, complains of."""
    return next(_words(error), None) or str(error) or type(error).__name__


def _words(error: BaseException) -> Iterator[str]:
    """What an error of pika, or those that it came from, has to say."""
    if text := getattr(error, "reply_text", None) or (isinstance(error, OSError) and (error.strerror or str(error))):
        yield str(text)
    # pika keeps what a connector met as `exception`, and what all of them met as `exceptions`
    for one in (error.__cause__, getattr(error, "exception", None), *getattr(error, "exceptions", ()), *error.args):
        if isinstance(one, BaseException):
            yield from _words(one)
