"""What is needed of a broker, tried before a night shift needs it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pika
import pika.exceptions

from filewatcher.edges.zocalo.broker import LOST
from filewatcher.edges.zocalo.sender import in_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pika.adapters.blocking_connection import BlockingChannel

    from filewatcher.edges.zocalo.broker import Broker


@dataclass(frozen=True, slots=True)
class Found:
    """One line about a broker."""

    ok: bool
    words: str
    """What was tried, and what to do where it failed."""


def examine(broker: Broker, listen_to: str, answer_to: Sequence[str] = ()) -> Iterator[Found]:
    """Log in, look at the queue that is listened to and at those that are answered to, and try our rights.

    Nothing is taken from a queue, and nothing is left behind.
    """
    try:
        connection = pika.BlockingConnection(broker.parameters())
    except LOST as error:
        yield Found(False, f"{broker} does not answer: {in_words(error)}; is it running, are user and password right?")
        return
    try:
        yield Found(True, f"{broker} answers")
        yield _queue(connection, listen_to, listen=True)
        for name in answer_to:
            yield _queue(connection, name, listen=False)
        yield _rights(connection)
    finally:
        connection.close()


def _queue(connection: pika.BlockingConnection, name: str, *, listen: bool) -> Found:
    channel = connection.channel()
    try:
        waiting = channel.queue_declare(name, passive=True).method.message_count
        if listen:
            # a browse: what it gets goes back at once
            _peek(channel, name)
    except pika.exceptions.ChannelClosedByBroker as error:
        what = f"cannot {'listen' if listen else 'answer'} to queue {name}"
        way = "declare it" if error.reply_code == 404 else f"give the user the right to {'read' if listen else 'write'}"
        return Found(False, f"{what}: {in_words(error)}; {way}")
    channel.close()
    return Found(True, f"queue {name} is there, {waiting} messages wait")


def _rights(connection: pika.BlockingConnection) -> Found:
    """Do what a transaction does, with a queue that ends with us."""
    channel, name = connection.channel(), f"filewatcher.check.{secrets.token_hex(4)}"
    try:
        channel.queue_declare(name, exclusive=True, auto_delete=True)
        channel.tx_select()
        channel.basic_publish("", name, b"{}", mandatory=True)
        channel.tx_commit()
        _peek(channel, name)
    except pika.exceptions.ChannelClosedByBroker as error:
        return Found(
            False,
            f"answers cannot be sent: {in_words(error)}; give the user the rights to configure, write and read "
            r"filewatcher\..*, and to write amq.default",
        )
    channel.close()
    return Found(True, "answers can be sent in transactions")


def _peek(channel: BlockingChannel, name: str) -> None:
    method, _, _ = channel.basic_get(name)
    if method is not None:
        channel.basic_nack(method.delivery_tag, requeue=True)
