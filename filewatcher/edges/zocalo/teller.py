"""The thread that answers recipes: it reads journals, builds messages and sends them, at the pace of the broker.

Nothing of it is on the way of a frame to its record: it is woken when there is something new to read. A broker that is
away costs nothing but the delay, because what is to be told stays in the journals.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from filewatcher.core.requests import read_request
from filewatcher.edges.zocalo.ledger import Ledger
from filewatcher.edges.zocalo.redial import Redial
from filewatcher.edges.zocalo.sender import Sender
from filewatcher.edges.zocalo.telling import Subject, Telling
from filewatcher.errors import FilewatcherError, Refused, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from filewatcher.core.requests import Request
    from filewatcher.edges.zocalo.broker import Broker
    from filewatcher.edges.zocalo.ledger import Task
    from filewatcher.edges.zocalo.telling import Batch, Known, Reader

log = logging.getLogger(__name__)

HEARTBEAT = 5.0
"""Seconds between two signs of life to the broker."""
FAREWELL = 5.0
"""Seconds that `Teller.close` waits for what can still be told."""


class Teller:
    """Answers recipes from a thread of its own; everything else may be called from any thread, and never waits.

    `open_journal` gives that of a collection, None if there is none; it raises `Broken`.
    """

    def __init__(
        self,
        broker: Broker,
        state_dir: Path,
        absorbed: frozenset[str],
        open_journal: Callable[[str], Reader | None],
        say: Callable[[str], None],
    ) -> None:
        self._broker, self._state_dir, self._absorbed = broker, state_dir, absorbed
        self._open_journal, self._say = open_journal, say
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._collections: dict[str, Subject] = {}
        self._requests: dict[int, Request] = {}
        self._troubled: set[str] = set()
        self._redial = Redial()
        self._next_look = 0.0
        self._stop_at: float | None = None
        self._ready: Future[list[Task]] = Future()
        self._ledger: Ledger
        self._sender: Sender
        self._thread = threading.Thread(target=self._run, name="zocalo", daemon=True)

    def start(self) -> list[Task]:
        """Begin; returns the steps that an earlier process did not answer to the end. Raises `Broken`."""
        self._thread.start()
        return self._ready.result()

    def take(self, request: Request, message: Mapping[str, Any]) -> Future[int | None]:
        """Have a step noted, for ever; gives its number, or None for a repetition. Raises `Broken` there."""

        def take() -> int | None:
            number = self._ledger.take(request, message)
            if number is not None:
                self._requests[number] = request
            return number

        return self._do(take)

    def assign(self, number: int, collection: str) -> Future[None]:
        """Say which collection a step is about."""

        def assign() -> None:
            self._ledger.assign(number, collection)
            self._add(number, collection, 0)

        return self._do(assign)

    def forget(self, number: int) -> Future[None]:
        """A step was refused."""
        return self._do(lambda: self._ledger.forget(number))

    def know(self, collection: str, known: Known) -> None:
        """Say what is known of a collection."""

        def know() -> None:
            one = self._collections.setdefault(collection, Subject())
            one.known, one.news = known, True
            if known.over and not one.tellings:
                self._drop(collection)

        self._inbox.put(know)

    def move(self, collection: str, other: str) -> None:
        """A collection was found to be another one: the steps about it are about that."""

        def move() -> None:
            one = self._collections.get(collection, Subject())
            for number, telling in one.tellings.items():
                self._add(number, other, telling.cursor)
            if one.tellings:
                self._drop(collection)
            for number in one.tellings:
                self._ledger.assign(number, other)

        self._do(move)

    def wake(self, collection: str) -> None:
        """There is something new in a journal."""

        def wake() -> None:
            if (one := self._collections.get(collection)) is not None:
                one.news = True

        self._inbox.put(wake)

    def close(self) -> None:
        """Tell what can be told at once, and end."""

        def stop() -> None:
            self._stop_at = time.monotonic() + FAREWELL

        self._inbox.put(stop)
        self._thread.join()

    def _do(self, what: Callable[[], Any]) -> Future[Any]:
        done: Future[Any] = Future()

        def work() -> None:
            try:
                done.set_result(what())
            except FilewatcherError as error:
                done.set_exception(error)

        self._inbox.put(work)
        return done

    # ---- the thread

    def _run(self) -> None:
        try:
            self._ledger = Ledger(self._state_dir)
            self._sender = Sender(self._broker, self._ledger.name, self._say)
            tasks = self._ledger.open_tasks()
            for task in tasks:
                self._resume(task)
        except FilewatcherError as error:
            self._ready.set_exception(error)
            return
        self._ready.set_result(tasks)
        try:
            while not self._ended():
                self._listen()
                self._work()
        finally:
            self._sender.close()
            for name in list(self._collections):
                self._drop(name)
            self._ledger.close()

    def _resume(self, task: Task) -> None:
        """Go on with a step of an earlier process."""
        try:
            request = read_request(task.message, recipe=True, absorbed=self._absorbed)
        except Refused as error:  # understood then, and not any more
            self._say(f"a step of a recipe is not answered any more: {error}")
            self._ledger.told(task.number, 0, over=True)
            return
        self._requests[task.number] = request
        if task.collection is not None:
            self._add(task.number, task.collection, task.cursor)

    def _ended(self) -> bool:
        if self._stop_at is None:
            return False
        nothing = not self._sender.connected or not any(one.news and one.tellings for one in self._collections.values())
        return nothing or time.monotonic() > self._stop_at

    def _listen(self) -> None:
        """Wait for a word, at most until something else is due, and hear all that have come."""
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + HEARTBEAT
            for name in self._troubled & self._collections.keys():
                self._collections[name].news = True
        busy = any(one.news and one.tellings for one in self._collections.values())
        due = HEARTBEAT if self._sender.connected else self._redial.wait()
        try:
            self._inbox.get(timeout=0.0 if busy and self._sender.connected else min(due, HEARTBEAT))()
            while True:
                self._inbox.get_nowait()()
        except queue.Empty:
            return

    def _work(self) -> None:
        try:
            if not self._sender.connected:
                self._call()
            if self._sender.connected:
                self._sender.idle()
                for name in [name for name, one in self._collections.items() if one.news and one.tellings]:
                    self._tell(name)
        except Unreachable as error:
            if not self._redial.failing:
                self._say(f"{error}: recipes are answered when it is back")
            self._redial.failed()
        except FilewatcherError as error:  # the ledger: without it nobody would know what has been told
            if not self._redial.failing:
                self._say(f"{error}: recipes are answered when that is mended")
            self._sender.close()
            self._redial.failed()
        except Exception:  # the boundary of the thread: whatever it is, it is tried again
            log.exception("this is a fault of filewatcher")
            self._sender.close()
            self._redial.failed()

    def _call(self) -> None:
        if self._redial.wait():
            return
        token = self._sender.connect()
        if token is not None:
            self._done(int(token["task"]), int(token["cursor"]), over=bool(token["over"]))
        if self._redial.failing:
            self._say(f"{self._broker} is back")
        self._redial.answered()

    def _done(self, number: int, cursor: int, *, over: bool) -> None:
        """The broker has taken a batch, as its token says: one that was in doubt is not sent again."""
        self._ledger.told(number, cursor, over=over)
        for name, one in list(self._collections.items()):
            telling = one.tellings.get(number)
            if telling is not None and cursor > telling.cursor:
                one.tellings[number] = Telling(self._requests[number], self._absorbed, cursor)
            if telling is not None and over:
                self._answered(number, name, one)

    def _add(self, number: int, collection: str, cursor: int) -> None:
        one = self._collections.setdefault(collection, Subject())
        one.tellings[number] = Telling(self._requests[number], self._absorbed, cursor)
        one.news = True

    def _tell(self, name: str) -> None:
        """Send one batch for each step about a collection."""
        one = self._collections[name]
        one.news = False
        if one.known is None:
            return
        try:
            if one.reader is None:
                one.reader = self._open_journal(name)
            for number, telling in list(one.tellings.items()):
                batch = telling.next(one.reader, one.known, time.time())
                if batch is not None:
                    one.news = True
                    self._send(number, telling, batch)
                    if batch.over:
                        self._answered(number, name, one)
        except Unreachable:
            one.news = True
            raise
        except FilewatcherError as error:  # a journal that cannot be read now: the others go on
            if name not in self._troubled:
                self._say(f"recipes about collection {name} cannot be answered: {error}")
            self._troubled.add(name)
            return
        self._troubled.discard(name)

    def _send(self, number: int, telling: Telling, batch: Batch) -> None:
        self._sender.send(batch.messages, {"task": number, "cursor": batch.cursor, "over": batch.over})
        telling.sent(batch)
        self._ledger.told(number, batch.cursor, over=batch.over)

    def _answered(self, number: int, name: str, one: Subject) -> None:
        """A step has been told all; so has its collection, if that was the last one."""
        del one.tellings[number], self._requests[number]
        if not one.tellings:
            self._drop(name)

    def _drop(self, name: str) -> None:
        one = self._collections.pop(name)
        if one.reader is not None:
            one.reader.close()
