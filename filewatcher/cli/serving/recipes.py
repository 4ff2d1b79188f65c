"""Joins a daemon to zocalo, where that is installed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from filewatcher.config import read_settings
from filewatcher.edges.journal import RUNS, JournalReader
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from filewatcher.edges.zocalo import Broker, Zocalo
    from filewatcher.serveconfig import Zocalo as Section
    from filewatcher.service import Service

log = logging.getLogger(__name__)


def join_zocalo(section: Section, service: Service, state: Path) -> Zocalo:
    """Make a follower of the service; it is not connected yet. Raises `Refused`."""
    needs_extra()
    from filewatcher.edges.zocalo import Zocalo  # noqa: PLC0415  an extra

    def journal(collection: str) -> JournalReader | None:
        key = service.get(collection).key
        return None if key is None else JournalReader(state / RUNS / key)

    def say(sentence: str) -> None:
        log.warning("%s", sentence)

    return Zocalo(broker_of(section), section.queue, service, journal, state, say, frozenset(section.replaces))


def needs_extra() -> None:
    """Raise `Refused` where zocalo is not installed."""
    try:
        import filewatcher.edges.zocalo  # noqa: F401, PLC0415
    except ImportError as error:
        raise Refused(f"zocalo: {error.name} is not installed here: pip install 'filewatcher[zocalo]'") from error


def broker_of(section: Section) -> Broker:
    """Return the broker of a configuration, or else of the environment. Raises `Refused`."""
    from filewatcher.edges.zocalo import Broker  # noqa: PLC0415  an extra

    return Broker.find(section.broker.get_secret_value() if section.broker else broker_words())


def broker_words() -> str | None:
    """Where RabbitMQ is, as the environment says; None = zocalo's configuration knows."""
    return read_settings().filewatcher_zocalo_broker
