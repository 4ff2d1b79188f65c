"""Where RabbitMQ is, and how to log in: as an AMQP URL says, or zocalo's own configuration."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import pika
import pika.exceptions
import zocalo
import zocalo.configuration
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from workflows.transport.pika_transport import PikaTransport

from filewatcher.errors import Refused

log = logging.getLogger(__name__)

SILENCE = 10.0
"""Seconds that a broker may be silent when it is called."""
HEARTBEAT = 30
"""Seconds between two signs of life, of both: twice as long, and a connection that broke without a word is gone."""
LOST = (pika.exceptions.AMQPError, AMQPConnectorException, OSError)
"""What pika raises that has lost its broker, or does not reach it; one that is silent raises no `AMQPError`."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker, or several that stand in for each other."""

    hosts: tuple[str, ...]
    ports: tuple[int, ...]
    """One per host."""
    user: str
    password: str = field(repr=False)
    vhost: str

    @classmethod
    def find(cls, words: str | None) -> Broker:
        """Read ``amqp://user:password@host:port/vhost``, or the name of an environment of zocalo's configuration.

        None = the default environment of that configuration, which ``ZOCALO_CONFIG`` names. Raises `Refused`.
        """
        return cls._of_url(words) if words is not None and "://" in words else cls._of_zocalo(words)

    def __str__(self) -> str:
        """Return it without the password."""
        hosts = ",".join(f"{host}:{port}" for host, port in zip(self.hosts, self.ports, strict=True))
        return f"amqp://{self.user}@{hosts}/{self.vhost.strip('/')}"

    def transport(self) -> PikaTransport:
        """Make a transport of `workflows`; it is not connected yet."""
        transport = Transport()
        transport.config = {
            "--rabbit-host": ",".join(self.hosts),
            "--rabbit-port": ",".join(map(str, self.ports)),
            "--rabbit-user": self.user,
            "--rabbit-pass": self.password,
            "--rabbit-vhost": self.vhost,
        }
        return transport

    def parameters(self) -> list[pika.ConnectionParameters]:
        """Return what a connection needs to know, by broker."""
        login = pika.PlainCredentials(self.user, self.password)
        return [
            pika.ConnectionParameters(
                host,
                port,
                self.vhost,
                login,
                heartbeat=HEARTBEAT,
                socket_timeout=SILENCE,
                stack_timeout=SILENCE,
                blocked_connection_timeout=6 * SILENCE,
            )
            for host, port in zip(self.hosts, self.ports, strict=True)
        ]

    @classmethod
    def _of_url(cls, url: str) -> Broker:
        if not url.startswith("amqp://"):
            raise Refused(f"zocalo broker {_safe(url)}: workflows speaks AMQP without TLS only: write amqp://...")
        try:
            read = pika.URLParameters(url)
        except (ValueError, TypeError) as error:
            raise Refused(f"zocalo broker {_safe(url)}: {error}; write amqp://user:password@host:port/vhost") from error
        login = read.credentials
        return cls((read.host,), (read.port,), login.username, login.password, read.virtual_host)

    @classmethod
    def _of_zocalo(cls, environment: str | None) -> Broker:
        try:
            known = zocalo.configuration.from_file()
            active = known.activate(None if environment is None else [environment])
        except (OSError, ValueError, RuntimeError, zocalo.ConfigurationError) as error:
            raise Refused(f"zocalo's configuration (ZOCALO_CONFIG) cannot be used: {error}") from error
        if not active:
            have = f"; it has {', '.join(sorted(known.environments))}" if known.environments else ""
            raise Refused(
                f"zocalo's configuration (ZOCALO_CONFIG) has no default environment{have}: name one, or a broker as "
                "amqp://user:password@host:port/vhost"
            )
        said = PikaTransport.defaults
        hosts = tuple(str(said["--rabbit-host"]).split(","))
        ports = tuple(int(port) for port in str(said["--rabbit-port"]).split(","))
        ports = ports * len(hosts) if len(ports) == 1 else ports
        if len(ports) != len(hosts):
            raise Refused(f"zocalo's configuration has {len(hosts)} brokers and {len(ports)} ports: give one port each")
        login = str(said["--rabbit-user"]), str(said["--rabbit-pass"])
        return cls(hosts, ports, *login, str(said["--rabbit-vhost"]))


class Transport(PikaTransport):
    """That of `workflows`, which a message without headers does not stop."""

    def _call_message_callback(
        self, subscription_id: int, channel: Any, method: Any, properties: Any, body: bytes
    ) -> None:
        properties.headers = properties.headers or {}
        super()._call_message_callback(subscription_id, channel, method, properties, body)


def _safe(url: str) -> str:
    """A URL without its password."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
