"""How workers are asked by the courier, from the client's side: a future for whatever is asked."""

from __future__ import annotations

import asyncio
import itertools
import pickle
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from distributed.comm.core import CommClosedError

from filewatcher.edges.dask_pool.courier import ANSWER, ASK, DONE, FAILED, NOT_THERE, TOGETHER, WITHDRAW, lacking

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client

CHECK = 1.0
"""Seconds between two looks at the connection: Dask makes another one without a word when it breaks."""


class Gone(Exception):
    """The worker was not there any more when it was asked, or went without an answer."""


class Failed(Exception):
    """What was asked raised an error; the message is its kind and its words."""


class Lane:
    """Through the connection that `client` has to its scheduler, where a `Courier` is."""

    def __init__(self, client: Client) -> None:
        lacking(client, "_stream_handlers", "scheduler_comm", "status")
        self._client = client
        self._connection = client.scheduler_comm
        assert self._connection is not None
        self._connection.interval = TOGETHER
        self._numbers = itertools.count()
        self._asked: dict[int, tuple[str, asyncio.Future[Any]]] = {}
        client._stream_handlers[ANSWER] = self._answered  # as Dask's own extensions do

    def ask(self, worker: str, priority: int, function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        """Have a worker call one of its `Turns`'s functions: the lowest `priority` first, then in order.

        Raises `Gone` or `Failed`. Cancel it, and it is taken back from a worker that has not begun with it.
        """
        number = next(self._numbers)
        answer = asyncio.get_running_loop().create_future()
        self._asked[number] = worker, answer
        answer.add_done_callback(lambda answer: self._settled(number, worker, answer))
        what = {"priority": priority, "function": function.__name__, "arguments": pickle.dumps(arguments)}
        self._send({"op": ASK, "worker": worker, "number": number, **what})
        return answer

    def gone(self, worker: str) -> None:
        """A worker went: it answers nothing any more."""
        for asked, answer in list(self._asked.values()):
            if asked == worker and not answer.done():
                answer.set_exception(Gone("its worker went"))

    async def broken(self) -> str:
        """Wait until the connection is not the one that it was: answers may have been lost."""
        while self._client.scheduler_comm in (None, self._connection) and self._client.status != "closed":  # noqa: ASYNC110
            await asyncio.sleep(CHECK)
        return "the connection to the Dask scheduler broke"

    def _settled(self, number: int, worker: str, answer: asyncio.Future[Any]) -> None:
        self._asked.pop(number, None)
        if answer.cancelled():
            self._send({"op": WITHDRAW, "worker": worker, "number": number})

    def _send(self, message: dict[str, Any]) -> None:
        if self._client.scheduler_comm is not None:
            with suppress(CommClosedError):  # `broken` tells, or whoever minds the scheduler
                self._client.scheduler_comm.send(message)

    def _answered(self, number: int, how: str, what: bytes = b"") -> None:
        _, answer = self._asked.get(number, ("", None))
        if answer is None or answer.done():
            return  # its worker was given up
        if how == DONE:
            answer.set_result(pickle.loads(what))  # noqa: S301  from our own worker
        elif how == FAILED:
            answer.set_exception(Failed(pickle.loads(what)))  # noqa: S301
        elif how == NOT_THERE:
            answer.set_exception(Gone("its worker was not there any more"))
