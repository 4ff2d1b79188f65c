"""Workers that come and go in; which one gets the next batch, and what was lost with one that went, out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filewatcher.core.batching import Batch


@dataclass(slots=True)
class _Worker:
    """One worker that has been armed."""

    leaving: bool = False
    in_hand: dict[int, Batch] = field(default_factory=dict)
    """By ticket, in the order in which they were handed out; the worker runs them in that order."""


class Placing:
    """Hands each batch to the worker with the least in hand, so that it is known what was lost with a worker.

    A worker is ready once it is armed; one that is leaving ends what it has and gets nothing new.
    """

    def __init__(self, in_flight_per_worker: int) -> None:
        self._each = in_flight_per_worker
        self._workers: dict[str, _Worker] = {}
        self._holders: dict[int, str] = {}
        self._tickets = 0

    @property
    def ready(self) -> int:
        """Workers that take batches."""
        return sum(not worker.leaving for worker in self._workers.values())

    @property
    def places(self) -> int:
        """How many more batches can be handed out."""
        return sum(max(0, self._each - len(w.in_hand)) for w in self._workers.values() if not w.leaving)

    def came(self, worker: str) -> None:
        """A worker is armed."""
        self._workers.setdefault(worker, _Worker())

    def has(self, worker: str) -> bool:
        """Whether a worker is armed."""
        return worker in self._workers

    def leaves(self, worker: str) -> None:
        """A worker is to get nothing new."""
        if worker in self._workers:
            self._workers[worker].leaving = True

    def is_leaving(self, worker: str) -> bool:
        """Whether it was known that this worker would go."""
        return worker in self._workers and self._workers[worker].leaving

    def hand_out(self, batch: Batch) -> tuple[str, int]:
        """Choose a worker for a batch; returns it, and a ticket. There must be a place."""
        takers = {name: worker for name, worker in self._workers.items() if not worker.leaving}
        name = min(takers, key=lambda name: len(takers[name].in_hand))
        self._tickets += 1
        takers[name].in_hand[self._tickets] = batch
        self._holders[self._tickets] = name
        return name, self._tickets

    def came_back(self, ticket: int) -> bool:
        """A batch has ended; False = it had been given up, and its outcome does not count."""
        name = self._holders.pop(ticket, None)
        return name is not None and self._workers[name].in_hand.pop(ticket, None) is not None

    def went(self, worker: str) -> list[tuple[int, Batch]]:
        """A worker is gone: what it had in hand, the oldest first, which is the one that it ran."""
        lost = list(self._workers.pop(worker, _Worker()).in_hand.items())
        for ticket, _ in lost:
            del self._holders[ticket]
        return lost
