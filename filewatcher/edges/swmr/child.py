"""The child process: the only place where libhdf5 runs; it can be killed at any time.

It talks over one socket (`wire`). Out: lists of observations, what they cost so far (`Effort`) as a heartbeat, or an
error as the last word. In: a (file, row) that is to be reported again, or the share of a core that it may take. It
ends when the socket does.
"""

from __future__ import annotations

import os
import select
import signal
import time
from typing import TYPE_CHECKING

from filewatcher.edges.swmr.effort import Effort
from filewatcher.edges.swmr.following import Line
from filewatcher.edges.swmr.wire import Packer, Receiver, message
from filewatcher.errors import Broken, NotReady, Refused

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from filewatcher.edges.swmr.hints import Hints
    from filewatcher.edges.swmr.reader import MasterReader
    from filewatcher.edges.swmr.request import Request

HEARTBEAT = 0.5
"""Seconds: it is never silent for longer unless it hangs."""
ORDERS = 1 << 16
"""Bytes of orders taken at a time."""


def main(parent: socket.socket, request: Request, seen: Mapping[int, NDArray[np.bool_]]) -> None:
    """Watch one collection until the socket closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which closes the socket
    parent.setblocking(True)
    try:
        watch = _Watch(parent, request, seen)  # loads libhdf5, which takes long on a busy machine: the first word may
        parent.sendall(message(Effort()))
        watch.run()
    except (BrokenPipeError, ConnectionResetError, EOFError):
        return
    except (Broken, Refused) as error:
        last: Exception = error
    except Exception as error:  # noqa: BLE001  the boundary of the process: its last word is why it died
        last = NotReady(f"the reader of {request.master} died: {type(error).__name__}: {error}")
    try:
        parent.sendall(message(last))
    except OSError:
        return


class _Watch:
    """Looks, tells, waits for the time, a hint or an order; again and again."""

    def __init__(self, parent: socket.socket, request: Request, seen: Mapping[int, NDArray[np.bool_]]) -> None:
        # here, not above: the parent imports this module to start the child, and must not load libhdf5
        from filewatcher.edges.swmr.reader import MasterReader  # noqa: PLC0415

        self._parent = parent
        self._packer, self._orders = Packer(), Receiver()
        self._spoke = time.monotonic()
        self._folders = {os.path.dirname(master) for master in request.masters}  # noqa: PTH120  strings that stay
        self._reader: MasterReader = MasterReader(request, seen, self._alive)

    def run(self) -> None:
        """Go on until the socket closes, which raises EOFError or BrokenPipeError."""
        from filewatcher.edges.swmr.hints import Hints  # noqa: PLC0415

        with Hints() as hints:
            wakers = select.poll()
            wakers.register(self._parent.fileno(), select.POLLIN)
            if hints.fd is not None:
                wakers.register(hints.fd, select.POLLIN)
            hints.watch(self._folders)
            while True:
                if news := self._reader.step(time.monotonic()):
                    self._parent.sendall(self._packer.pack(news))
                self._alive()
                if self._listen(hints):
                    continue  # what has grown before it was listened to
                line = Line(self._parent.fileno(), -1 if hints.fd is None else hints.fd, self._packer.has_told)
                self._reader.stay(line, self._spoke + HEARTBEAT)
                now = time.monotonic()
                pause = min(self._reader.wait(now), self._spoke + HEARTBEAT - now)
                for waker, _ in wakers.poll(max(0.0, 1000 * pause)):  # milliseconds
                    if waker == hints.fd:
                        hints.clear()
                        hints.growth(wanted=False)
                        self._reader.wake(time.monotonic())
                    else:
                        self._obey()

    def _listen(self, hints: Hints) -> bool:
        """Have hints of what is of interest now; True = files had better be looked at once more."""
        hints.watch(self._reader.folders)
        self._reader.hinted(hints.cover(self._reader.folders))
        return self._reader.idle and hints.growth(wanted=True)

    def _alive(self) -> None:
        now = time.monotonic()
        if now >= self._spoke + HEARTBEAT:
            self._parent.sendall(message(self._reader.effort))
            self._spoke = now

    def _obey(self) -> None:
        data = self._parent.recv(ORDERS)
        if not data:
            raise EOFError
        for order in self._orders.feed(data):
            if isinstance(order, float):
                self._reader.grant(order)
            else:
                self._reader.forget(*order)
