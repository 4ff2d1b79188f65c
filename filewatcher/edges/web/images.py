"""Single images: as a picture, and what is drawn over it; a worker makes them."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Query, Response

from filewatcher.edges.web.frames import ScanNumber
from filewatcher.edges.web.routes import PROBLEMS
from filewatcher.errors import Refused, Unreachable

if TYPE_CHECKING:
    from filewatcher.service import Service

Frame = Annotated[int, Path(ge=0, le=2**31 - 1, description="Counted from 0.")]
Contrast = Annotated[str, Query(max_length=30, description="Counts that are drawn black; auto = chosen.")]
PATIENCE = 60.0
"""Seconds for a worker to make one."""
AT_ONCE = 4
"""Images that are made at the same time, at most."""
FRESH = {"Cache-Control": "private, max-age=3600"}


def images(service: Service) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/collections/{collection}/frames/{frame}", tags=["images"], responses=PROBLEMS)
    making = asyncio.Semaphore(AT_ONCE)

    async def view(collection: str, scan: int, frame: int, what: str, black: float | None) -> bytes:
        try:
            async with making:
                return await asyncio.wait_for(service.view(collection, scan, frame, what, black), PATIENCE)
        except TimeoutError as error:
            raise Unreachable(f"no worker showed image {frame + 1} in {PATIENCE:g} s: all are busy") from error

    @router.get("/image", response_class=Response, responses={200: {"content": {"image/png": {}}}})
    async def image(collection: str, frame: Frame, scan: ScanNumber = 0, contrast: Contrast = "auto") -> Response:
        """Return the image as PNG."""
        png = await view(collection, scan, frame, "image", _black(contrast))
        return Response(png, media_type="image/png", headers=FRESH)

    @router.get("/spots", response_class=Response, responses={200: {"content": {"application/json": {}}}})
    async def spots(collection: str, frame: Frame, scan: ScanNumber = 0) -> Response:
        """Return its spots, the resolution rings, and what is known of the detector."""
        found = await view(collection, scan, frame, "notes", None)
        return Response(found, media_type="application/json", headers=FRESH)

    return router


def _black(contrast: str) -> float | None:
    if contrast == "auto":
        return None
    try:
        black = float(contrast)
    except ValueError:
        black = math.nan
    if not 0 < black < math.inf:
        raise Refused(f"contrast {contrast!r}: give counts above 0, or auto")
    return black
