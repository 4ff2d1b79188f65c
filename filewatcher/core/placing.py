"""Workers that come and go, and who wants them, in; which worker gets the next batch, and what went with one, out.

Several collections share the workers: each has a *share*. The more urgent one is served first, those that are alike get
alike; nobody waits for more of a less urgent one than the batch that runs, because a worker runs its most urgent batch
next, the oldest first.
A *wary* batch may be the end of its worker, and with it of answers that are on their way: it stays here until its
worker has answered all that it was sent before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filewatcher.core.batching import Batch


class Lost(NamedTuple):
    """A batch that a worker had when it went."""

    ticket: int
    share: int
    batch: Batch
    ran: bool
    """The worker was busy with it; the others were waiting for their turn."""


@dataclass(slots=True)
class _Held:
    """A batch that a worker has."""

    share: int
    batch: Batch
    priority: int
    sent: bool = False
    """To the worker; else it waits here for answers."""


@dataclass(slots=True)
class _Worker:
    """One worker that has been armed."""

    leaving: bool = False
    dead: bool = False
    """What it has told may still be on its way."""
    shares: set[int] = field(default_factory=set)
    """For which it is armed."""
    in_hand: dict[int, _Held] = field(default_factory=dict)
    """By ticket, in the order in which they were handed out."""
    running: int | None = None
    """Ticket of the batch that it is busy with."""

    def ahead(self, priority: int) -> int:
        """Batches that a new one of this priority comes after."""
        return sum(held.priority <= priority for held in self.in_hand.values())

    def send(self) -> list[int]:
        """Choose what may go to it now, the next one first; what is behind one that must wait waits, too."""
        sending = []
        answered = not any(held.sent for held in self.in_hand.values())
        for ticket in sorted((t for t, held in self.in_hand.items() if not held.sent), key=self._turn):
            held = self.in_hand[ticket]
            if held.batch.wary and not answered:
                break
            held.sent, answered = True, False
            sending.append(ticket)
        if self.running is None:
            sent = (ticket for ticket, held in self.in_hand.items() if held.sent)
            self.running = min(sent, key=self._turn, default=None)
        return sending

    def _turn(self, ticket: int) -> tuple[int, int]:
        return self.in_hand[ticket].priority, ticket


@dataclass(slots=True)
class _Share:
    """What one collection has of the workers."""

    priority: int
    in_hand: int = 0


class Placing:
    """Hands each batch to the worker where it is next, so that it is known what was lost with a worker.

    A worker is ready for a share once it is armed for it; one that is leaving ends what it has and gets nothing new.
    `each`: batches of one priority that a worker may have, the one that runs included.
    """

    def __init__(self, each: int) -> None:
        self._each = each
        self._workers: dict[str, _Worker] = {}
        self._shares: dict[int, _Share] = {}
        self._holders: dict[int, str] = {}
        self._given_up: set[int] = set()
        self._due: list[tuple[str, int]] = []
        self._tickets = self._opened = 0

    # ---- shares

    def open(self, priority: int) -> int:
        """Make room for a collection; returns the number of its share. The lowest priority is served first."""
        self._opened += 1
        self._shares[self._opened] = _Share(priority)
        return self._opened

    def prioritize(self, share: int, priority: int) -> None:
        """Serve it sooner or later from now on; what has been handed out stays as it is."""
        self._shares[share].priority = priority

    def close(self, share: int) -> list[int]:
        """Take a share away; returns the tickets of its batches that wait at workers, to be taken back from there.

        One that runs is left to end: what comes of it does not count.
        """
        del self._shares[share]
        waiting = []
        for name, worker in self._workers.items():
            worker.shares.discard(share)
            for ticket in [ticket for ticket, held in worker.in_hand.items() if held.share == share]:
                if ticket == worker.running:
                    self._given_up.add(ticket)
                else:
                    del worker.in_hand[ticket], self._holders[ticket]
                    waiting.append(ticket)
            self._send(name)
        return waiting

    def ready(self, share: int | None = None) -> int:
        """Workers that take batches of a share, or of any."""
        return sum(1 for _ in self._takers(share))

    def places(self, share: int) -> int:
        """How many more batches of a share can be handed out.

        As many as its workers have room for beside what is as urgent or more so; and always its fair part of the room
        that shares of its priority have, which one that came first may have filled.
        """
        mine = self._shares[share]
        takers = list(self._takers(share))
        room = sum(max(0, self._each - worker.ahead(mine.priority)) for worker in takers)
        alike = sum(other.priority == mine.priority for other in self._shares.values())
        return max(room, math.ceil(self._each * len(takers) / alike) - mine.in_hand)

    # ---- workers

    @property
    def busy(self) -> int:
        """Workers that have a batch, wanted or not."""
        return sum(bool(worker.in_hand) for worker in self._workers.values())

    def armed(self, worker: str, share: int) -> None:
        """A worker can analyse what a share is for."""
        if share in self._shares:
            self._workers.setdefault(worker, _Worker()).shares.add(share)

    def has(self, worker: str) -> bool:
        """Whether a worker is armed for any share."""
        return worker in self._workers

    def leaves(self, worker: str) -> None:
        """A worker is to get nothing new."""
        if worker in self._workers:
            self._workers[worker].leaving = True

    def dies(self, worker: str) -> None:
        """A worker is gone, and gets nothing new, but has not `went` yet: what it has told still counts."""
        if worker in self._workers:
            self._workers[worker].dead = True

    def is_leaving(self, worker: str) -> bool:
        """Whether it was known that this worker would go."""
        return worker in self._workers and self._workers[worker].leaving

    def went(self, worker: str) -> list[Lost]:
        """A worker is gone: all that it had, given up or not, the oldest first."""
        gone = self._workers.pop(worker, _Worker())
        lost = [Lost(t, held.share, held.batch, t == gone.running) for t, held in gone.in_hand.items()]
        for one in lost:
            self._let_go(one.ticket, one.share)
        return lost

    # ---- batches

    def hand_out(self, share: int, batch: Batch) -> tuple[str, int]:
        """Choose a worker for a batch; returns it, and a ticket. There must be a place. See `due`."""
        mine = self._shares[share]
        takers = {name: worker for name, worker in self._workers.items() if self._takes(worker, share)}
        name = min(takers, key=lambda name: (takers[name].ahead(mine.priority), len(takers[name].in_hand)))
        self._tickets += 1
        worker = takers[name]
        worker.in_hand[self._tickets] = _Held(share, batch, mine.priority)
        self._holders[self._tickets] = name
        mine.in_hand += 1
        self._send(name)
        return name, self._tickets

    def due(self) -> list[tuple[str, int]]:
        """Worker and ticket of what is to be sent now, in order; to be asked after every change."""
        due, self._due = self._due, []
        return [(worker, ticket) for worker, ticket in due if self._holders.get(ticket) == worker]

    def came_back(self, ticket: int) -> bool:
        """A batch has ended; False = it had been given up, and its outcome does not count."""
        name = self._holders.get(ticket)
        if name is None:
            return False
        worker = self._workers[name]
        share = worker.in_hand.pop(ticket).share
        if worker.running == ticket:
            worker.running = None
        self._send(name)
        return self._let_go(ticket, share)

    def _send(self, name: str) -> None:
        self._due += [(name, ticket) for ticket in self._workers[name].send()]

    def _let_go(self, ticket: int, share: int) -> bool:
        del self._holders[ticket]
        if ticket in self._given_up:
            self._given_up.remove(ticket)
            return False
        self._shares[share].in_hand -= 1
        return True

    def _takers(self, share: int | None) -> Iterator[_Worker]:
        return (worker for worker in self._workers.values() if self._takes(worker, share))

    @staticmethod
    def _takes(worker: _Worker, share: int | None) -> bool:
        alive = not (worker.leaving or worker.dead)
        return alive and (share in worker.shares or (share is None and bool(worker.shares)))


class Portion:
    """A share, under `number`, for whoever hands out its batches, until that one sets `closed` and closes it."""

    def __init__(self, placing: Placing, priority: int) -> None:
        self.number = placing.open(priority)
        self.closed = False
        self._placing, self._priority = placing, priority

    @property
    def priority(self) -> int:
        """The lowest is served first; may be set once it is known what the collection is."""
        return self._priority

    @priority.setter
    def priority(self, priority: int) -> None:
        self._priority = priority
        if not self.closed:
            self._placing.prioritize(self.number, priority)

    @property
    def places(self) -> int:
        """How many more batches to hand out now."""
        return 0 if self.closed else self._placing.places(self.number)
