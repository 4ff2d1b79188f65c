"""Joins a daemon to zocalo, where that is installed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from filewatcher.config import read_settings
from filewatcher.edges.journal import RUNS, JournalReader
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from filewatcher.edges.zocalo import Zocalo
    from filewatcher.serveconfig import Zocalo as Section
    from filewatcher.service import Service

log = logging.getLogger(__name__)


def join_zocalo(section: Section, service: Service, state: Path) -> Zocalo:
    """Make a follower of the service; it is not connected yet. Raises `Refused`."""
    try:
        from filewatcher.edges.zocalo import Broker, Zocalo  # noqa: PLC0415  an extra
    except ImportError as error:
        raise Refused(f"zocalo: {error.name} is not installed here: pip install 'filewatcher[zocalo]'") from error

    def journal(collection: str) -> JournalReader | None:
        key = service.get(collection).key
        return None if key is None else JournalReader(state / RUNS / key)

    broker = Broker.find(section.broker.get_secret_value() if section.broker else broker_words())
    return Zocalo(
        broker, section.queue, service, journal, state, lambda one: log.warning("%s", one), frozenset(section.replaces)
    )


def broker_words() -> str | None:
    """Where RabbitMQ is, as the environment says; None = zocalo's configuration knows."""
    return read_settings().filewatcher_zocalo_broker
