"""The child process: the only place where libhdf5 runs; it can be killed at any time.

It talks over one pipe. Out: lists of observations, an empty one as a heartbeat, or an error as the last word. In:
`(file, row)` to be reported again. It ends when the pipe does.
"""

from __future__ import annotations

import os
import signal
import time
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from filewatcher.errors import Broken, NotReady, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection

    import numpy as np
    from numpy.typing import NDArray

    from filewatcher.edges.swmr.reader import MasterReader
    from filewatcher.edges.swmr.request import Request

HEARTBEAT = 0.5
"""Seconds: it is never silent for longer unless it hangs."""
GAP = 0.001
"""Seconds after a hint before the disk is asked: events come in bursts."""


def main(pipe: Connection, request: Request, seen: Mapping[int, NDArray[np.bool_]]) -> None:
    """Watch one collection until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which closes the pipe
    try:
        pipe.send([])
        _watch(pipe, request, seen)
    except (BrokenPipeError, ConnectionResetError, EOFError):
        return
    except (Broken, Refused) as error:
        last: Exception = error
    except Exception as error:  # noqa: BLE001  the boundary of the process: its last word is why it died
        last = NotReady(f"the reader of {request.master} died: {type(error).__name__}: {error}")
    try:
        pipe.send(last)
    except OSError:
        return


def _watch(pipe: Connection, request: Request, seen: Mapping[int, NDArray[np.bool_]]) -> None:
    # here, not above: the parent imports this module to start the child, and must not load libhdf5
    from filewatcher.edges.swmr.hints import Hints  # noqa: PLC0415
    from filewatcher.edges.swmr.reader import MasterReader  # noqa: PLC0415

    spoke = time.monotonic()

    def alive() -> None:
        nonlocal spoke
        if time.monotonic() >= spoke + HEARTBEAT:
            pipe.send([])
            spoke = time.monotonic()

    reader = MasterReader(request, seen, alive)
    with Hints() as hints:
        hints.watch({os.path.dirname(master) for master in request.masters})  # noqa: PTH120  of a string that stays one
        while True:
            news = reader.step(time.monotonic())
            now = time.monotonic()
            if news or now >= spoke + HEARTBEAT:
                pipe.send(news)
                spoke = now
            if reader.poller is not None:
                hints.watch(reader.poller.folders)
            pause = min(reader.wait(now), spoke + HEARTBEAT - now)
            ready = wait([pipe, hints.fd], max(0.0, pause))
            if hints.fd in ready:
                hints.clear()
                time.sleep(GAP)
                if reader.poller is not None:
                    reader.poller.wake()
            if pipe in ready:
                _obey(pipe, reader)


def _obey(pipe: Connection, reader: MasterReader) -> None:
    file, row = pipe.recv()
    reader.forget(file, row)
