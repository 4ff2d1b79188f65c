"""What a worker is asked for by the courier: one after the other, the most urgent first, each answered once."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import pickle
from typing import TYPE_CHECKING, Any, NamedTuple

from filewatcher.edges.dask_pool.courier import ANSWER, ASK, DONE, FAILED, TAKEN_BACK, WITHDRAW, lacking

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from distributed import Worker


class _Asked(NamedTuple):
    """What waits; sorts as it is its turn."""

    priority: int
    sequence: int
    client: str
    number: int
    function: str
    arguments: bytes


class Turns:
    """Lives in the worker's event loop; what is asked runs in the worker's thread, where Dask's own tasks run, too."""

    def __init__(self, worker: Worker, functions: Mapping[str, Callable[..., Any]]) -> None:
        lacking(worker, "stream_handlers", "batched_send", "executor")
        self._worker, self._functions = worker, functions
        self._waiting: list[_Asked] = []
        self._sequence = itertools.count()
        self.busy = False
        """Whether the thread has one of them."""
        worker.stream_handlers |= {ASK: self._ask, WITHDRAW: self._withdraw}

    def _ask(self, client: str, number: int, priority: int, function: str, arguments: bytes) -> None:
        heapq.heappush(self._waiting, _Asked(priority, next(self._sequence), client, number, function, arguments))
        self._next()

    def _withdraw(self, client: str, number: int) -> None:
        for asked in self._waiting:
            if (asked.client, asked.number) == (client, number):
                self._waiting.remove(asked)
                heapq.heapify(self._waiting)
                self._answer(asked, TAKEN_BACK, b"")
                return

    def _next(self) -> None:
        if self.busy or not self._waiting:
            return
        asked = heapq.heappop(self._waiting)
        thread, function = self._worker.executor, self._functions[asked.function]
        try:
            running = asyncio.get_running_loop().run_in_executor(thread, _call, function, asked.arguments)
        except RuntimeError:
            return  # the worker is being closed: its thread takes nothing any more
        self.busy = True
        running.add_done_callback(lambda done: self._ended(asked, done))

    def _ended(self, asked: _Asked, done: asyncio.Future[bytes]) -> None:
        self.busy = False
        if done.cancelled():
            return  # the worker is being closed
        self._next()
        if (error := done.exception()) is None:
            self._answer(asked, DONE, done.result())
        else:
            self._answer(asked, FAILED, pickle.dumps(f"{type(error).__name__}: {error}"))

    def _answer(self, asked: _Asked, how: str, what: bytes) -> None:
        answer = {"op": ANSWER, "client": asked.client, "number": asked.number, "how": how, "what": what}
        self._worker.batched_send(answer)


def _call(function: Callable[..., Any], arguments: bytes) -> bytes:
    return pickle.dumps(function(*pickle.loads(arguments)))  # noqa: S301  from our own client
