"""How a task of Dask's reaches a worker: by name, at one worker and no other, under a key of its own.

For what is rare and takes long; batches take the `Lane`.
"""

from __future__ import annotations

import itertools
import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client, Future


class Tasks:
    """Submits to the scheduler that `client` is connected to."""

    def __init__(self, client: Client) -> None:
        self._client = client
        # a scheduler of the site has other clients, and keys are one for all of them
        self._whose = secrets.token_hex(4)
        self._sequence = itertools.count()

    def submit(self, address: str, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Have it run at a worker, when that has ended what it does, before any batch that waits there.

        The key never repeats; it is a tuple, because Dask keeps every prefix of a string for ever.
        """
        key = (function.__name__, self._whose, next(self._sequence))
        return self._client.submit(function, *args, key=key, pure=False, workers=[address], allow_other_workers=False)
