"""A server that says to the page what a test wants said, in the words that the real one uses.

It runs in a thread; its routes read what the test has put in. It can be stopped, and started again on the same port.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocketDisconnect

from filewatcher.core.messages import METRICS, State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from starlette.requests import Request
    from starlette.websockets import WebSocket

STATIC = Path(__file__).parent.parent / "edges" / "web" / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""As strict as that of the real one: what breaks it fails a test."""


class Log:
    """The frames of one scan that have ended, in the order in which they did."""

    def __init__(self, frames: int) -> None:
        self.frames = frames
        self.version = 0
        """Frames that have ended."""
        self.frame = np.zeros(frames, "<u4")
        self.state = np.zeros(frames, np.uint8)
        self.values = np.zeros((len(METRICS), frames), "<f4")
        self.errors: dict[int, str] = {}
        self.times = np.zeros(frames)
        """Seconds since the epoch at which each was recorded."""

    def record(self, frames: Sequence[int], states: Sequence[int], values: NDArray[np.float64]) -> None:
        """Let frames have ended; `values` has shape (frames, metrics)."""
        until = self.version + len(frames)
        now = slice(self.version, until)
        self.frame[now], self.state[now], self.times[now] = frames, states, time.time()
        self.values[:, now] = values.T
        # last: it is what readers count
        self.version = until

    def message(self, generation: int, since: int) -> bytes:
        """Return what has ended since, as binary cells."""
        version = self.version
        n = version - since
        header = struct.pack("<4sIQQII", b"FWC1", generation, since, version, n, self.frames)
        now = slice(since, version)
        states = self.state[now].tobytes() + bytes(-n % 4)
        return header + self.frame[now].tobytes() + states + self.values[:, now].tobytes()

    def lines(self, scan: int, since: int, words: Sequence[str]) -> list[dict[str, Any]]:
        """Return the line of each that has ended since in one of these states, with the keys that the page reads."""
        ended = slice(since, self.version)
        states = [State(state).word for state in self.state[ended]]
        return [
            {"type": "frame", "scan": scan, "frame": frame, "state": word, "error": self.errors.get(frame)}
            for frame, word in zip(self.frame[ended].tolist(), states, strict=True)
            if word in words
        ]


@dataclass
class Told:
    """One collection, as far as the page is told of it."""

    summary: dict[str, Any]
    logs: list[Log]
    generation: int = 1
    images: Callable[[int, float | None], bytes] | None = None
    notes: Callable[[int], dict[str, Any]] | None = None
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    """What the page asked to be done: method, path, body."""

    def told(self) -> dict[str, Any]:
        """Return the summary with the counts of now."""
        scans = []
        for words, log in zip(self.summary["scans"], self.logs, strict=True):
            n = log.version
            counts = np.bincount(log.state[:n], minlength=4).tolist()
            age = time.time() - float(log.times[n - 1]) if n else None
            numbers = {"done": counts[1], "failed": counts[2], "missing": counts[3], "written": n}
            scans.append(words | numbers | {"seconds_since_last": age, "frames": log.frames})
        return self.summary | {"scans": scans}


class PageServer:
    """The server; `collections` by id."""

    def __init__(self) -> None:
        self.collections: dict[str, Told] = {}
        self.sent: list[int] = []
        """Cells in each binary message to a viewer."""
        self.pause = 0.01
        """Seconds between two messages to a viewer."""
        self.sockets_allowed = True
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.start()

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Serve; returns when it answers."""
        config = uvicorn.Config(
            self._app(),
            host="127.0.0.1",
            port=self.port,
            log_level="error",
            ws="websockets-sansio",
            # to compress cells costs more than to send them
            ws_per_message_deflate=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        until = time.monotonic() + 20
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > until:
                raise RuntimeError(f"no server on port {self.port}")
            threading.Event().wait(0.01)

    def stop(self) -> None:
        """Be gone, with every connection."""
        self._server.should_exit = True
        self._thread.join(20)

    def add(self, name: str, scans: Sequence[dict[str, Any]], **more: Any) -> Told:
        """Tell of a collection; `scans` as in its summary, what is left out has a usual value."""
        usual: dict[str, Any] = {
            "written": 0, "done": 0, "failed": 0, "missing": 0, "behind": 0, "seconds_since_last": None,
            "grid": None, "angles": None, "centring": None, "snapshot": None,
        }  # fmt: skip
        told = [usual | {"scan": i, "master": f"/data/visit/{name}_{i}.nxs"} | scan for i, scan in enumerate(scans)]
        summary = {
            "id": name, "masters": [scan["master"] for scan in told], "state": "running", "reason": None,
            "created": "2026-01-01T00:00:00+00:00", "ended": None, "engine": "native", "parameters": {"d_max": 40.0},
            "visit": None, "beamline": None, "dcid": None, "priority": "interactive", "reprocess_of": None,
            "same_as": None, "grids_by_hand": [], "warnings": [], "scans": told,
        }  # fmt: skip
        logs = [Log(scan["expected"] or 0) for scan in told]
        self.collections[name] = Told(summary | more, logs)
        return self.collections[name]

    def record(
        self, name: str, scan: int, frames: Sequence[int], states: Sequence[int], values: NDArray[np.float64]
    ) -> None:
        """Let frames have ended; `values` has shape (frames, metrics)."""
        self.collections[name].logs[scan].record(frames, states, values)

    # ---- routes -------------------------------------------------------------------------------------------------

    def _app(self) -> Starlette:
        one = "/api/collections/{id}"
        routes = [
            Route("/", lambda _: self._policed(Response((STATIC / "index.html").read_bytes(), media_type="text/html"))),
            Route("/api/collections", self._list),
            Route(one, self._one, methods=["GET", "DELETE"]),
            Route(one + "/end", self._do, methods=["POST"]),
            Route(one + "/reprocess", self._do, methods=["POST"]),
            Route(one + "/grids", self._grids, methods=["PUT"]),
            Route(one + "/cells", self._cells),
            Route(one + "/frames", self._frames),
            Route(one + "/frames/{frame:int}/image", self._image),
            Route(one + "/frames/{frame:int}/spots", self._spots),
            WebSocketRoute(one + "/live", self._live),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]
        return Starlette(routes=routes)

    def _policed(self, response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY
        return response

    def _get(self, request: Request | WebSocket) -> Told | None:
        return self.collections.get(request.path_params["id"])

    async def _list(self, _request: Request) -> Response:
        told = [one.told() for one in self.collections.values()]
        return JSONResponse({"collections": told, "server": {"version": "0.1.0", "workers": 2}})

    async def _one(self, request: Request) -> Response:
        if (told := self._get(request)) is None:
            return _problem(404, "there is no such collection")
        if request.method == "DELETE":
            return await self._do(request)
        return JSONResponse(told.told())

    async def _do(self, request: Request) -> Response:
        told = self.collections[request.path_params["id"]]
        body = await request.body()
        what = json.loads(body) if body else None
        told.asked.append((request.method, request.url.path.rsplit("/", 1)[-1], what))
        if what is not None and any("=" not in word for word in what["parameters"]):
            return _problem(422, "parameters: expected key=value")
        return JSONResponse({"id": told.summary["id"], "new": True, "url": ""}, 201)

    async def _grids(self, request: Request) -> Response:
        told = self.collections[request.path_params["id"]]
        told.summary["grids_by_hand"] = (await request.json())["grids"]
        return JSONResponse(told.told())

    async def _cells(self, request: Request) -> Response:
        told = self.collections[request.path_params["id"]]
        log = told.logs[int(request.query_params["scan"])]
        since, until = int(request.query_params["since"]), time.monotonic() + float(request.query_params["wait"])
        while log.version <= since and time.monotonic() < until:  # noqa: ASYNC110  filled from another thread
            await asyncio.sleep(0.01)
        return Response(log.message(told.generation, since), media_type="application/octet-stream")

    async def _frames(self, request: Request) -> Response:
        told, query = self.collections[request.path_params["id"]], request.query_params
        scan = int(query["scan"])
        log = told.logs[scan]
        lines = log.lines(scan, int(query["since"]), query.getlist("state"))
        headers = {"Filewatcher-Version": str(log.version), "Filewatcher-Generation": str(told.generation)}
        text = "".join(json.dumps(line) + "\n" for line in lines)
        return Response(text, headers=headers, media_type="application/jsonl")

    async def _image(self, request: Request) -> Response:
        told = self.collections[request.path_params["id"]]
        if told.images is None:
            return _problem(404, f"image {request.path_params['frame'] + 1} is not on disk")
        word = request.query_params["contrast"]
        picture = told.images(request.path_params["frame"], None if word == "auto" else float(word))
        return Response(picture, media_type="image/png")

    async def _spots(self, request: Request) -> Response:
        told = self.collections[request.path_params["id"]]
        if told.notes is None:
            return _problem(404, f"image {request.path_params['frame'] + 1} is not on disk")
        return JSONResponse(told.notes(request.path_params["frame"]))

    async def _live(self, socket: WebSocket) -> None:
        if not self.sockets_allowed or (told := self._get(socket)) is None:
            await socket.close(1008)
            return
        await socket.accept()
        scan = int(socket.query_params["scan"])
        known = int(socket.query_params["generation"]), int(socket.query_params["since"])
        try:
            await self._show(socket, told, scan, known)
        except (WebSocketDisconnect, RuntimeError):
            return

    async def _show(self, socket: WebSocket, told: Told, scan: int, known: tuple[int, int]) -> None:
        generation, cursor = known
        log, said_at, said = told.logs[scan], 0.0, ""
        while not self._server.should_exit:
            if generation != told.generation or log.version > cursor:
                cursor = cursor if generation == told.generation else 0
                message = log.message(told.generation, cursor)
                generation, (cursor, n) = told.generation, struct.unpack_from("<QI", message, 16)
                self.sent.append(n)
                await socket.send_bytes(message)
            state = json.dumps(told.summary)
            if state != said or time.monotonic() - said_at > 0.5:
                said, said_at = state, time.monotonic()
                await socket.send_text(json.dumps({"type": "status", "collection": told.told()}))
            await asyncio.sleep(self.pause)


def _problem(status: int, sentence: str) -> Response:
    body = {"type": "about:blank", "title": "no", "status": status, "detail": sentence}
    return JSONResponse(body, status, media_type="application/problem+json")
