"""The collections that a daemon tells of: the last so many that have ended, few of them with their frames in memory."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from filewatcher.errors import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filewatcher.service.entry import Entry
    from filewatcher.service.ports import Terms


class Shelf:
    """Entries in the order of asking, as many as the `terms` allow: a daemon that is up for a month must not grow."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._entries: dict[str, Entry] = {}
        self._loaded: list[str] = []

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def add(self, entry: Entry) -> Entry:
        """Tell of one more; returns it."""
        self._entries[entry.id] = entry
        return entry

    def get(self, collection: str) -> Entry:
        """Return one. Raises `Unknown`."""
        try:
            return self._entries[collection]
        except KeyError:
            raise Unknown(f"there is no collection {collection[:40]!r}: GET /api/collections lists them") from None

    def latest_first(self) -> list[Entry]:
        """Return all."""
        return list(reversed(self._entries.values()))

    def counts(self) -> dict[str, int]:
        """How many there are in each state."""
        return dict(Counter(entry.state for entry in self))

    def looked_at(self, entry: Entry) -> None:
        """Keep the frames of one that has ended, and let go of those that nobody has looked at for longest."""
        self._loaded = [one for one in self._loaded if one != entry.id] + [entry.id]
        while len(self._loaded) > self._terms.in_memory:
            self._entries[self._loaded.pop(0)].scans = []

    def forget(self) -> None:
        """Tell no more of those that ended longest ago."""
        over = [entry.id for entry in self if entry.over]
        for one in over[: max(0, len(over) - self._terms.remembered)]:
            del self._entries[one]
        self._loaded = [one for one in self._loaded if one in self._entries]
