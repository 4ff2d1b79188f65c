"""A private, real RabbitMQ on this machine: broker and Erlang's port mapper on loopback, all files in one folder.

It needs Debian's package `rabbitmq-server`, no service of it. Its own node name, port mapper and cookie keep it apart
from any other broker here; both processes are ended by their id.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pika
import pika.exceptions

from filewatcher.errors import Unreachable
from filewatcher.testing.servers import PrivateServer, end, free_ports, start, until_answers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pika.adapters.blocking_connection import BlockingChannel

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""The broker itself: Debian's command of the same name changes to a user of its own first."""
PATIENCE = 240.0
"""Seconds for the broker to come or to go."""


class PrivateRabbitMQ(PrivateServer):
    """A running broker with the user ``guest``. Raises `Unreachable` where it is not installed or does not come up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self._mapper_port, self._node_port = free_ports(3)
        self._mapper: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """How clients find it."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"

    def begin(self) -> None:
        """Start port mapper and broker."""
        self._start_mapper()
        self.start()

    def start(self) -> None:
        """Start the broker, with what it kept from last time; returns when it takes connections."""
        log = self.folder / "broker.out"
        self._server = start([SERVER], log, self._environment)
        until_answers(self._server, self._answers, PATIENCE, f"the private RabbitMQ did not start: see {log}")

    def stop(self) -> None:
        """End the broker; durable queues and persistent messages are kept."""
        end(self._server, PATIENCE)

    def close(self) -> None:
        """End the broker and the port mapper."""
        self.stop()
        end(self._mapper, PATIENCE)

    @contextlib.contextmanager
    def channel(self) -> Iterator[BlockingChannel]:
        """Talk to it."""
        connection = pika.BlockingConnection(pika.URLParameters(self.url))
        try:
            yield connection.channel()
        finally:
            connection.close()

    def declare(self, queues: Sequence[str]) -> None:
        """Make durable queues, or empty them where others have used them before."""
        with self.channel() as channel:
            for queue in queues:
                channel.queue_declare(queue, durable=True)
                channel.queue_purge(queue)

    def add_user(self, name: str, password: str, configure: str, write: str, read: str) -> str:
        """Make a user with these rights, as RabbitMQ's own command does; returns the URL."""
        for words in (("add_user", name, password), ("set_permissions", name, configure, write, read)):
            subprocess.run(
                [SERVER.with_name("rabbitmqctl"), *words],
                env=self._environment,
                check=True,
                capture_output=True,
                timeout=PATIENCE,
            )
        return f"amqp://{name}:{password}@127.0.0.1:{self.port}/%2F"

    @property
    def _environment(self) -> dict[str, str]:
        ours = {
            "HOME": self.folder,  # of the cookie
            "RABBITMQ_NODENAME": f"filewatcher-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": self.port,
            "RABBITMQ_DIST_PORT": self._node_port,
            "RABBITMQ_MNESIA_BASE": self.folder / "data",
            "RABBITMQ_LOG_BASE": self.folder / "log",
            "RABBITMQ_CONF_ENV_FILE": self.folder / "no-environment",
            "RABBITMQ_CONFIG_FILE": self.folder / "no-configuration",
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.folder / "no-plugins",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none",
            "ERL_EPMD_PORT": self._mapper_port,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        return {**os.environ, **{name: str(value) for name, value in ours.items()}}

    def _start_mapper(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            command = ["epmd", "-port", str(self._mapper_port), "-address", "127.0.0.1"]
            self._mapper = start(command, self.folder / "mapper.out", self._environment)
        except FileNotFoundError as error:
            raise Unreachable("no RabbitMQ here: apt-get install rabbitmq-server") from error
        if not SERVER.exists():
            raise Unreachable(f"no {SERVER} here: apt-get install rabbitmq-server")

    def _answers(self) -> bool:
        try:
            # it listens last of all; clients that are refused say much
            socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()
            with self.channel():
                return True
        except (OSError, pika.exceptions.AMQPError):
            return False
