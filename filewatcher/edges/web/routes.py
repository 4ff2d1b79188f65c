"""Collections: ask for one, list them, end, cancel, reprocess."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from filewatcher.core.asks import Priority
from filewatcher.edges.web.models import AskBody, AskedAnswer, GridsBody, ReprocessBody

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from filewatcher.core.asks import Asked
    from filewatcher.service import Entry, Service

PAGE = 200
"""Collections in one answer, unless more are asked for."""
MOST = 5000

PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"description": words, "content": {"application/problem+json": {}}}
    for code, words in {
        400: "What was sent is no JSON",
        401: "A token is needed",
        403: "Not allowed: a path outside the allowed folders, or a token that only allows to look",
        404: "No such collection, scan or frame",
        413: "Too large",
        421: "The server has another name",
        422: "What was asked makes no sense",
        503: "As many collections as are allowed: ask again later",
    }.items()
}


def collections(service: Service, about: Callable[[], Mapping[str, object]]) -> APIRouter:
    """Return the routes; `about`: what is told of the server."""
    router = APIRouter(prefix="/api/collections", tags=["collections"], responses=PROBLEMS)

    @router.get("")
    async def list_collections(
        state: Annotated[list[str], Query(max_length=10)] = [],  # noqa: B006  FastAPI's way of a default
        visit: Annotated[str | None, Query(max_length=100)] = None,
        beamline: Annotated[str | None, Query(max_length=100)] = None,
        contains: Annotated[str | None, Query(max_length=200, description="Part of a master's path.")] = None,
        sort: Literal["-created", "created", "priority", "state"] = "-created",
        limit: Annotated[int, Query(ge=1, le=MOST)] = PAGE,
        offset: Annotated[int, Query(ge=0, le=10**6)] = 0,
    ) -> dict[str, Any]:
        """List collections, the latest first."""
        entries = [
            entry
            for entry in service.collections()
            if (not state or entry.state in state)
            and visit in (None, entry.ask.visit)
            and beamline in (None, entry.ask.beamline)
            and (contains is None or any(contains in master for master in entry.ask.masters))
        ]
        if sort == "created":
            entries.reverse()
        told = (
            [service.summary(entry) for entry in entries[offset : offset + limit]] if sort.endswith("created") else []
        )
        if not sort.endswith("created"):
            rank = {one.word: str(int(one)) for one in Priority}
            everything = [service.summary(entry) for entry in entries]
            everything.sort(key=lambda one: rank.get(str(one[sort]), str(one[sort])))
            told = everything[offset : offset + limit]
        return {"collections": told, "total": len(entries), "server": dict(about())}

    @router.post("", status_code=201, responses={200: {"model": AskedAnswer, "description": "Asked for before"}})
    async def ask(body: AskBody, response: Response) -> AskedAnswer:
        """Have a collection analysed; answers at once, whether or not its files exist yet."""
        return _answer(await service.ask(body.ask()), response)

    @router.get("/{collection}")
    async def one(
        collection: str,
        wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait for its end.")] = 0,
    ) -> dict[str, Any]:
        """Tell all of one collection; may wait for its end."""
        entry = service.get(collection)
        await _until_over(entry, wait)
        return service.summary(entry) | {"results": entry.folder, "key": entry.key}

    @router.post("/{collection}/end", status_code=202)
    async def end(collection: str) -> dict[str, Any]:
        """Say that the detector has stopped: what does not come soon is then called missing."""
        await service.end(collection)
        return service.summary(service.get(collection))

    @router.delete("/{collection}")
    async def cancel(collection: str) -> dict[str, Any]:
        """Stop analysing; what is there is kept."""
        await service.cancel(collection)
        return service.summary(service.get(collection))

    @router.put("/{collection}/grids")
    async def lay_out(collection: str, body: GridsBody) -> dict[str, Any]:
        """Show scans as these grids to all who look, now and later; results stay as they are."""
        await service.lay_out(collection, [None if one is None else one.grid() for one in body.grids])
        return service.summary(service.get(collection))

    @router.post(
        "/{collection}/reprocess",
        status_code=201,
        responses={200: {"model": AskedAnswer, "description": "Asked for before"}},
    )
    async def reprocess(collection: str, body: ReprocessBody, response: Response) -> AskedAnswer:
        """Analyse once more, beside the first time."""
        first = service.get(collection).ask
        ask = replace(
            first,
            parameters=first.parameters if body.parameters is None else tuple(body.parameters),
            engine=body.engine or first.engine,
            verify=body.verify,
            priority=Priority.REPROCESS if body.priority is None else Priority.parse(body.priority),
            grid=first.grid if body.grid is None else body.grid.words(),
            gridinfos=first.gridinfos if body.grid is None else (),
        )
        return _answer(await service.reprocess(collection, ask), response)

    return router


async def _until_over(entry: Entry, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not entry.over and (left := until - time.monotonic()) > 0:
        await entry.bell.wait(left)


def _answer(asked: Asked, response: Response) -> AskedAnswer:
    url = f"/api/collections/{asked.id}"
    response.status_code = 201 if asked.new else 200
    response.headers["Location"] = url
    return AskedAnswer(id=asked.id, new=asked.new, url=url)
