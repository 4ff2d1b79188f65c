"""Which problems of files are worth a sentence while a collection is waited for: those that last.

Every file is unreadable for some milliseconds while its writer creates it; what a person must hear of does not pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LASTING = 3.0
"""Seconds after which a problem is told."""


class Troubles:
    """Remembers since when each problem has lasted; tells each sentence once."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._told: set[str] = set()

    def lasting(self, problems: Sequence[str], now: float) -> list[str]:
        """Of these, the problems there are now (a sentence each), those that are to be told now."""
        self._since = {problem: self._since.get(problem, now) for problem in problems}
        new = [p for p, since in self._since.items() if now - since >= LASTING and p not in self._told]
        self._told.update(new)
        return new
