"""A connection to a Dask scheduler."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import dask
from distributed import Client
from distributed.security import Security

from filewatcher.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from filewatcher.ports import Credentials, Door

SETTINGS = {
    # payloads that the client keeps for debugging: its memory must not grow with them
    "distributed.admin.low-level-log-length": 10,
}
LIMIT = 30.0
"""Seconds for the scheduler to answer."""


@asynccontextmanager
async def connected(door: Door) -> AsyncIterator[Client]:
    """Connect, and stay so if what is done first succeeds. Raises `Unreachable`."""
    dask.config.set(SETTINGS)
    for name in ("distributed", "distributed.client"):  # what a user has to know is said in a sentence
        logging.getLogger(name).setLevel(logging.CRITICAL)
    security = None if door.credentials is None else _security(door.credentials)
    client = Client(door.address, asynchronous=True, set_as_default=False, security=security, timeout=LIMIT)
    try:
        await client
        yield client
    except (OSError, RuntimeError, TimeoutError, TypeError, ValueError) as error:
        await client.close()
        raise Unreachable(f"the Dask scheduler at {door.address} did not answer as one: {error}") from error


def _security(credentials: Credentials) -> Security:
    return Security(
        tls_ca_file=credentials.certificate,
        tls_client_cert=credentials.certificate,
        tls_client_key=credentials.key,
        require_encryption=True,
    )
