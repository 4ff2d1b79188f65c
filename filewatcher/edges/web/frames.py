"""Frames as they end: binary cells by long poll or WebSocket, JSON lines; see `filewatcher.core.cells`."""

from __future__ import annotations

import asyncio
import json
import math
import time
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query, Response, WebSocket
from fastapi.responses import StreamingResponse
from starlette.websockets import WebSocketDisconnect

from filewatcher.core.cells import HEADER, MAGIC
from filewatcher.core.lines import logged_line
from filewatcher.core.messages import State
from filewatcher.edges.web.routes import PROBLEMS
from filewatcher.errors import FilewatcherError, Unknown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from filewatcher.core.cells import CellLog, Row
    from filewatcher.core.lines import Json
    from filewatcher.service import Entry, Service

Since = Annotated[int, Query(ge=0, le=2**53, description="Length of the log as it was known.")]
ScanNumber = Annotated[int, Query(ge=0, le=100, description="Counted from 0.")]

AT_ONCE = 50_000
"""Cells in one message: a viewer of a long scan sees the first ones soon."""
APART = 0.02
"""Seconds between two moments at which messages go to viewers, and between two to the same one, about..."""
APART_EACH = 0.004
"""...and this times the viewers that there are: at some 200 us a message, all take 5 % of a core from collections."""
STATUS_APART = 0.1
STATUS_APART_EACH = 0.01
"""As above, of the state of a collection: its counts are in the cells."""
HEARTBEAT = 1.0
LINES = 1000
"""Lines of JSON made at a time."""


def frames(service: Service) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/collections/{collection}", tags=["frames"], responses=PROBLEMS)

    @router.get("/cells", response_class=Response, responses={200: {"content": {"application/octet-stream": {}}}})
    async def cells(
        collection: str,
        scan: ScanNumber = 0,
        since: Since = 0,
        wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait for news.")] = 0,
    ) -> Response:
        """Return all frames that ended since; waits where there are none."""
        entry = await service.with_cells(collection)
        until = time.monotonic() + wait
        while not entry.over and ((log := log_of(entry, scan)) is None or log.version <= since):
            left = until - time.monotonic()
            if left <= 0 or not await entry.bell.wait(left):
                break
        return Response(message(entry, scan, since), media_type="application/octet-stream")

    @router.get("/frames", response_class=StreamingResponse, responses={200: {"content": {"application/jsonl": {}}}})
    async def lines(
        collection: str,
        scan: ScanNumber = 0,
        since: Since = 0,
        state: Annotated[list[Literal["done", "failed", "missing"]], Query(max_length=3)] = [],  # noqa: B006  a default
    ) -> StreamingResponse:
        """Return a JSON line per frame that ended since; the header Filewatcher-Version is the next ``since``.

        ``state`` chooses: those that failed are found without a look at all the others.
        """
        entry = await service.with_cells(collection)
        log = log_of(entry, scan)
        version = 0 if log is None else log.version
        headers = {"Filewatcher-Version": str(version), "Filewatcher-Generation": str(entry.generation)}
        engine = entry.engine or str(service.summary(entry).get("engine"))
        wanted = frozenset(State[word.upper()] for word in state) or None
        words = iter(()) if log is None else _words(log, log.rows(since, version, wanted), scan, engine)
        return StreamingResponse(_lines(words), 200, headers, "application/jsonl")

    return router


def live(service: Service, stage: Callable[[str, float], None]) -> APIRouter:
    """Return the WebSocket; `stage` is told how old the newest cell of a message is, as ``done_shown``."""
    router = APIRouter()
    hall = _Hall(service, stage)

    @router.websocket("/api/collections/{collection}/live")
    async def look(
        socket: WebSocket, collection: str, scan: ScanNumber = 0, since: Since = 0, generation: int | None = None
    ) -> None:
        """Send cells and status until the viewer goes."""
        await socket.accept()
        try:
            entry = await service.with_cells(collection)
            log_of(entry, scan)
        except FilewatcherError as error:
            await socket.close(4404, str(error)[:100])
            return
        hall.viewers.add(socket)
        showing = asyncio.create_task(_show(hall, socket, entry, scan, (since, generation)))
        leaving = asyncio.create_task(_left(socket))
        try:
            await asyncio.wait({showing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hall.viewers.discard(socket)
            for task in (showing, leaving):
                task.cancel()
            await asyncio.gather(showing, leaving, return_exceptions=True)

    return router


def log_of(entry: Entry, scan: int) -> CellLog | None:
    """Return the frames of a scan; None before its master is there. Raises `Unknown`."""
    if scan < len(entry.scans):
        return entry.scans[scan].log
    if entry.scans or scan >= max(1, len(entry.ask.masters), len(entry.ask.dcids)):
        raise Unknown(f"collection {entry.id} has no scan {scan}: they are counted from 0")
    return None


def message(entry: Entry, scan: int, since: int, limit: int | None = None) -> bytes:
    """Return what has ended since, for viewers."""
    log = log_of(entry, scan)
    if log is None:
        return HEADER.pack(MAGIC, entry.generation, 0, 0, 0, 0)
    return log.message(entry.generation, since, limit)


class _Hall:
    """All viewers; what is told of a collection is made once for them."""

    def __init__(self, service: Service, stage: Callable[[str, float], None]) -> None:
        self.service, self._stage = service, stage
        self.viewers: set[WebSocket] = set()
        self._texts: dict[str, tuple[float, str]] = {}
        self._cells: dict[tuple[str, int], tuple[float, tuple[int, ...], bytes]] = {}

    async def rest(self) -> None:
        """Sleep between two messages to a viewer, until a moment at which others wake too: they get the same one."""
        now = time.monotonic()
        pause = max(APART, APART_EACH * len(self.viewers))
        await asyncio.sleep(math.floor((now + pause) / APART) * APART - now)

    def cells(self, entry: Entry, scan: int, since: int, version: int) -> bytes:
        """Return what has ended since, at most `AT_ONCE` frames; made once for all that wait for the same."""
        now, wanted = time.monotonic(), (entry.generation, since, version)
        _, there, cells = self._cells.get((entry.id, scan), (now, (), b""))
        if there != wanted:
            cells = message(entry, scan, since, AT_ONCE)
            self._cells = {name: one for name, one in self._cells.items() if now - one[0] < HEARTBEAT}
            self._cells[entry.id, scan] = now, wanted, cells
            self._shown(entry, scan, now)
        return cells

    @property
    def status_pause(self) -> float:
        """Seconds between two words on the state of a collection, to a viewer, while it changes."""
        return min(HEARTBEAT, max(STATUS_APART, STATUS_APART_EACH * len(self.viewers)))

    def _shown(self, entry: Entry, scan: int, now: float) -> None:
        if scan < len(entry.scans) and (last := entry.scans[scan].last) is not None and not entry.over:
            self._stage("done_shown", now - last)

    def text(self, entry: Entry) -> str:
        """Return the status message."""
        now = time.monotonic()
        made_at, text = self._texts.get(entry.id, (float("-inf"), ""))
        if now - made_at >= STATUS_APART / 2:
            text = json.dumps({"type": "status", "collection": self.service.summary(entry)})
            self._texts = {name: one for name, one in self._texts.items() if now - one[0] < HEARTBEAT}
            self._texts[entry.id] = now, text
        return text


async def _show(hall: _Hall, socket: WebSocket, entry: Entry, scan: int, known: tuple[int, int | None]) -> None:
    cursor, generation = known
    status_at, rung = float("-inf"), -1
    with suppress(WebSocketDisconnect, RuntimeError):  # it went while we spoke
        while True:
            log = log_of(entry, scan)
            version = 0 if log is None else log.version
            if generation != entry.generation or version > cursor:
                cursor = cursor if generation == entry.generation else 0
                generation = entry.generation
                await socket.send_bytes(hall.cells(entry, scan, cursor, version))
                cursor = min(cursor + AT_ONCE, version)
            now = time.monotonic()
            if now - status_at >= (hall.status_pause if entry.bell.rung != rung else HEARTBEAT):
                status_at, rung = now, entry.bell.rung
                await socket.send_text(hall.text(entry))
            await hall.rest()
            if entry.over and not entry.scans:
                entry = await hall.service.with_cells(entry.id)
            if (log is None or log.version <= cursor) and entry.bell.rung == rung:
                await entry.bell.wait(max(0.0, status_at + HEARTBEAT - time.monotonic()))


async def _left(socket: WebSocket) -> None:
    """Wait until the viewer goes; what it says is of no interest."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


def _words(log: CellLog, rows: Iterator[Row], scan: int, engine: str) -> Iterator[dict[str, Json]]:
    return (logged_line(scan, row, engine, log.errors.get(row[0])) for row in rows)


async def _lines(words: Iterator[dict[str, Json]]) -> AsyncIterator[bytes]:
    while some := list(islice(words, LINES)):
        yield "".join(json.dumps(line) + "\n" for line in some).encode()
        await asyncio.sleep(0)
