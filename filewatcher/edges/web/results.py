"""What a collection leaves: summary, centring, files, the camera's picture."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from fastapi.responses import FileResponse

from filewatcher.edges.web.routes import PROBLEMS
from filewatcher.errors import Forbidden, Unknown
from filewatcher.reasons import in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from filewatcher.service import Entry, Service

PICTURES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
FILES = {
    "results.h5": "application/x-hdf5",
    "summary.json": "application/json",
    "heatmap.png": "image/png",
    "cells.png": "image/png",
    "spots.png": "image/png",
    "Dials5AResults.json": "application/json",
    "centring_3d.json": "application/json",
    **{f"{stem}_scan_1.{kind}": f"image/{kind}" for stem in ("heatmap", "cells", "spots") for kind in ("png",)},
    **{f"{stem}_scan_1.json": "application/json" for stem in ("summary", "Dials5AResults")},
}
"""Those of an output folder, by name: nothing else in it is handed out."""


def results(service: Service, allowed: Callable[[str], None]) -> APIRouter:
    """Return the routes; `allowed` raises `Forbidden` for a path that must not be read."""
    router = APIRouter(prefix="/api/collections/{collection}", tags=["results"], responses=PROBLEMS)

    @router.get("/summary")
    async def summary(collection: str) -> dict[str, Any]:
        """Return the summary of every scan, as in ``summary.json``; only once the collection has ended."""
        folder = _folder(service.get(collection))
        return {"summaries": await asyncio.to_thread(_summaries, folder)}

    @router.get("/centring")
    async def centring(collection: str) -> dict[str, Any]:
        """Return where the crystal is, as far as is known, per scan and of both scans of a pair."""
        told: Any = service.summary(service.get(collection))
        return {"scans": [scan["centring"] for scan in told["scans"]], "pair": told["centring"]}

    @router.get("/files")
    async def files(collection: str) -> dict[str, Any]:
        """List the files of its output folder."""
        folder = _folder(service.get(collection))
        there = await asyncio.to_thread(lambda: [name for name in FILES if (folder / name).is_file()])
        base = f"/api/collections/{collection}"
        urls = [{"name": name, "url": f"{base}/{'' if name == 'results.h5' else 'files/'}{name}"} for name in there]
        return {"folder": str(folder), "files": urls}

    @router.get("/results.h5", response_class=FileResponse)
    async def results_h5(collection: str) -> FileResponse:
        """Return the results as NeXus."""
        return await _file(service.get(collection), "results.h5")

    @router.get("/files/{name}", response_class=FileResponse)
    async def file(collection: str, name: str) -> FileResponse:
        """Return a file of its output folder."""
        return await _file(service.get(collection), name)

    @router.get("/snapshot", response_class=FileResponse)
    async def snapshot(collection: str) -> FileResponse:
        """Return the picture of the on-axis camera."""
        path = service.get(collection).ask.snapshot
        if path is None:
            raise Unknown(f"collection {collection} has no snapshot")
        if (media_type := PICTURES.get(Path(path).suffix.lower())) is None:
            raise Forbidden("a snapshot is a PNG or JPEG file")
        await asyncio.to_thread(allowed, path)
        if not await asyncio.to_thread(Path(path).is_file):
            raise Unknown(f"{path} is not there")
        return FileResponse(path, media_type=media_type)

    return router


def _folder(entry: Entry) -> Path:
    if entry.folder is None:
        words = f"it is {entry.state}" + (f" ({entry.reason})" if entry.reason else "")
        raise Unknown(f"collection {entry.id} has no results: {words}; GET its cells or frames for what is known")
    return Path(entry.folder)


async def _file(entry: Entry, name: str) -> FileResponse:
    folder = _folder(entry)
    if name not in FILES:
        raise Unknown(f"collection {entry.id} has no file {name[:100]!r}: GET its files lists them")
    if not await asyncio.to_thread((folder / name).is_file):
        raise Unknown(f"{folder / name} is not there any more, or never was")
    return FileResponse(folder / name, media_type=FILES[name], filename=f"{entry.id}-{name}")


def _summaries(folder: Path) -> list[Any]:
    files = [folder / "summary.json", *sorted(folder.glob("summary_scan_*.json"))]
    try:
        return [json.loads(file.read_bytes()) for file in files]
    except (OSError, ValueError) as error:
        raise Unknown(f"the summary in {folder} cannot be read: {in_words(error)}") from error
