"""How often libhdf5 may walk over the whole index of a growing file: that costs more the longer the file is."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARE = 0.005
"""Of a core, per file."""


class Referee:
    """The pace of the walks over one file; `now` is any clock in seconds that does not go back."""

    def __init__(self) -> None:
        self._due_at = float("-inf")

    def due(self, now: float) -> bool:
        """Whether a walk keeps within its share."""
        return now >= self._due_at

    @contextmanager
    def at_work(self, now: float) -> Iterator[None]:
        """Time a walk that starts now."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._due_at = now + (time.perf_counter() - start) / SHARE
