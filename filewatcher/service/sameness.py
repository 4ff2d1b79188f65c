"""Whether a collection is what another one is already: when it is asked for, and once it is looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from filewatcher.core.asks import Ask
    from filewatcher.service.entry import Entry

GONE = frozenset({"failed", "cancelled"})
"""States of what may be asked for again."""


class SameAsAnotherError(Exception):
    """What was looked up is another collection's already; `id`: of that one."""

    def __init__(self, ask: Ask, other: str) -> None:
        """In words."""
        which = ", ".join(map(str, ask.dcids))
        super().__init__(f"it is collection {other}, which has data collections {which} already: look there")
        self.id = other


def asked_before(ask: Ask, entries: Iterable[Entry], age: Callable[[Sequence[str]], str]) -> Entry | None:
    """Return the collection that is already what is asked for; `age` tells masters from others of their names."""
    for entry in entries:
        if not _stands(entry) or not entry.ask.alike(ask):
            continue
        if ask.dcids and entry.ask.dcids:
            return entry
        # the name alone: it may have been written over since
        if not entry.over or entry.age == age(ask.masters):
            return entry
    return None


def check_still_new(entry: Entry, entries: Iterable[Entry]) -> None:
    """Raise `SameAsAnotherError` if another collection has all that this one was found to be.

    Two triggers may name one half each of what was armed as one, before either is known to be a half. The one that is
    looked up first stays: call it before anything else can happen.
    """
    wanted = set(entry.ask.dcids)
    for other in entries if wanted else ():
        if other is not entry and _stands(other) and wanted <= set(other.ask.dcids) and other.ask.alike(entry.ask):
            entry.same_as = other.id
            raise SameAsAnotherError(entry.ask, other.id)


def _stands(entry: Entry) -> bool:
    return entry.state not in GONE and not entry.cancelling and entry.same_as is None
