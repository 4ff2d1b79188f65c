"""Images of collections that have ended, made on the daemon's own machine: nobody waits for a worker to look at one.

One process, at the lowest priority, makes one after the other, as a worker does. It is started for the first image,
ended when there was none for a while, and replaced when it dies or hangs (a file system that does not answer).
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from filewatcher.errors import Broken, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection

    from filewatcher.core.messages import FrameReady
    from filewatcher.core.run import Job
    from spotfinding.analysis import Analysis

LIMIT = 50.0
"""Seconds for one image and the building of its engine: less than a page waits."""
IDLE = 600.0
"""Seconds without an image after which the process is ended."""
NICE = 19
"""The readers of running collections come first."""
KEPT = 2
"""Collections whose engine is kept: each has hundreds of MB of a large detector."""


class _Asked(NamedTuple):
    """What the process is asked: names and numbers."""

    collection: str
    detector: Mapping[str, Any]
    parameters: Mapping[str, Any]
    engine: str
    place: tuple[Any, ...]
    """Those of a `Chunk`."""
    layout: tuple[Any, ...]
    """Those of a `Layout`."""
    what: str
    black: float | None


class Easel:
    """Makes images; use `close` in the end."""

    def __init__(self) -> None:
        self._child: tuple[Any, Connection] | None = None
        self._turn = threading.Lock()
        self._idle: asyncio.TimerHandle | None = None
        self._closed = False

    async def view(self, job: Job, frame: FrameReady, what: str, black: float | None) -> bytes:
        """Make a frame into something for a person: `what` is ``image`` (PNG) or ``notes`` (JSON).

        Raises `Broken` for a frame that cannot be shown, `Unreachable` if the process died or took too long.
        """
        layout = (frame.layout.shape, frame.layout.dtype, tuple((f.id, f.options) for f in frame.layout.filters))
        place = (frame.path, frame.offset, frame.size, frame.filter_mask, job.roots)
        detector = {name: getattr(job.detector, name) for name in job.detector.__dataclass_fields__}
        asked = _Asked(job.name, detector, dict(job.parameters), job.engine, place, layout, what, black)
        found = await asyncio.to_thread(self._ask, asked)
        if self._idle is not None:
            self._idle.cancel()
        if not self._closed:
            self._idle = asyncio.get_running_loop().call_later(IDLE, self._rest)
        if isinstance(found, str):
            raise Broken(f"image {frame.frame + 1} cannot be shown: {found}")
        return found

    async def close(self) -> None:
        """Leave nothing running, also in the middle of an image."""
        self._closed = True
        if self._idle is not None:
            self._idle.cancel()
        if (child := self._child) is not None:
            child[0].kill()
        await asyncio.to_thread(self._end_in_turn)

    # ---- how; in threads, one at a time

    def _ask(self, asked: _Asked) -> bytes | str:
        """Return what the process answers; why there is nothing to be shown is a string."""
        with self._turn:
            if self._closed:
                raise Unreachable("the daemon stops: try again later")
            process, pipe = self._child or self._start()
            try:
                pipe.send(asked)
                if pipe.poll(LIMIT):
                    answer: bytes | str = pipe.recv()
                    return answer
                why = f"it took longer than {LIMIT:g} s: does its file system answer?"
            except (EOFError, OSError):
                process.join(1.0)
                why = f"the process that makes images ended with {process.exitcode}: try again"
            self._end()
            raise Unreachable(f"the image cannot be shown now, {why}")

    def _start(self) -> tuple[Any, Connection]:
        context = multiprocessing.get_context("spawn")
        pipe, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs,), daemon=True, name="filewatcher-easel")
        process.start()
        theirs.close()
        self._child = process, pipe
        return self._child

    def _end(self) -> None:
        if self._child is not None:
            (process, pipe), self._child = self._child, None
            process.kill()
            process.join()
            process.close()
            pipe.close()

    def _end_in_turn(self) -> None:
        with self._turn:
            self._end()

    def _rest(self) -> None:
        if self._turn.acquire(blocking=False):
            try:
                self._end()
            finally:
                self._turn.release()


def _serve(pipe: Connection) -> None:
    """Answer until the daemon hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICE)
    os.dup2(2, 1)  # what an engine prints
    analyses: OrderedDict[str, Analysis] = OrderedDict()
    while True:
        try:
            asked = _Asked(*pipe.recv())
        except EOFError:
            return
        pipe.send(_answer(asked, analyses))


def _answer(asked: _Asked, analyses: OrderedDict[str, Analysis]) -> bytes | str:
    from filewatcher.mounts import file_system  # noqa: PLC0415  in the child only
    from spotfinding.analysis import Analysis  # noqa: PLC0415
    from spotfinding.chunks import Chunk, Layout  # noqa: PLC0415
    from spotfinding.detector import Detector  # noqa: PLC0415
    from spotfinding.imageview import shown  # noqa: PLC0415
    from spotfinding.parameters import Parameters  # noqa: PLC0415

    try:
        if asked.collection not in analyses:
            parameters = Parameters.from_json(asked.parameters)
            analyses[asked.collection] = Analysis(Detector(**asked.detector), parameters, asked.engine)
            while len(analyses) > KEPT:
                analyses.popitem(last=False)
        analyses.move_to_end(asked.collection)
        chunk = Chunk(*asked.place)
        patience = 2 * file_system(str(Path(chunk.path).parent)).attribute_timeout
        return shown(analyses[asked.collection], chunk, Layout(*asked.layout), patience, asked.what, asked.black)
    except Exception as error:  # noqa: BLE001  the boundary of an image: the next one may be better
        return str(error) or type(error).__name__
