"""Carries what is asked of workers, and what they answer, between clients and workers of one scheduler.

Through the connections that Dask keeps and guards, but past its tasks: a task takes twice as many messages, and a
scheduler that follows the life of each costs more than most of the way (docs/explanations/decisions/0012).
"""

from __future__ import annotations

from collections import Counter
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from distributed.diagnostics.plugin import SchedulerPlugin

from filewatcher.ports import COURIER

if TYPE_CHECKING:
    from distributed import Scheduler

ASK, WITHDRAW, ANSWER = "filewatcher-ask", "filewatcher-withdraw", "filewatcher-answer"
"""Names of the messages; each has the ``number`` that the client gave to what is asked."""
DONE, FAILED, TAKEN_BACK, NOT_THERE = "done", "failed", "taken back", "not there"
"""How an answer may be."""
TOGETHER = 0.002
"""Seconds in which messages go together: a lone one goes at once, the next one is late with Dask's 0.005 and 0.01."""


def lacking(thing: object, *names: str) -> None:
    """Raise `TypeError` where a release of distributed has other names than those that we need."""
    for name in names:
        if not hasattr(thing, name):
            has = f"distributed {version('distributed')} has no {type(thing).__name__}.{name}"
            raise TypeError(f"{has}, which batches need: install the release that filewatcher was made for")


class Courier(SchedulerPlugin):
    """Lives in the scheduler; one is enough for all clients. Whatever is asked is answered once, or its worker went."""

    name = COURIER
    idempotent = True

    def __init__(self) -> None:
        self.in_hand: Counter[str] = Counter()
        """By worker: how much it has not answered yet."""

    async def start(self, scheduler: Scheduler) -> None:
        """Listen to clients and workers."""
        lacking(scheduler, "stream_handlers", "stream_comms", "worker_send", "client_send")
        self._scheduler = scheduler
        scheduler.stream_handlers |= {ASK: self._ask, WITHDRAW: self._withdraw, ANSWER: self._answer}
        for worker in scheduler.workers:
            self.add_worker(scheduler, worker)

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        """Send to it at once."""
        scheduler.stream_comms[worker].interval = TOGETHER

    def remove_worker(self, scheduler: Scheduler, worker: str, **_: object) -> None:  # noqa: ARG002  Dask's signature
        """Forget it; who had asked something of it hears that it went."""
        self.in_hand.pop(worker, None)

    def _ask(self, client: str, worker: str, **message: Any) -> None:
        if worker not in self._scheduler.stream_comms:
            self._scheduler.client_send(client, {"op": ANSWER, "number": message["number"], "how": NOT_THERE})
            return
        self.in_hand[worker] += 1
        self._scheduler.worker_send(worker, {"op": ASK, "client": client, **message})

    def _withdraw(self, client: str, worker: str, number: int) -> None:
        if worker in self._scheduler.stream_comms:
            self._scheduler.worker_send(worker, {"op": WITHDRAW, "client": client, "number": number})

    def _answer(self, worker: str, client: str, **message: Any) -> None:
        self.in_hand[worker] -= 1
        self._scheduler.client_send(client, {"op": ANSWER, **message})
