"""The server as one application: routes, page, health, metrics, behind the gate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from filewatcher.edges.web import frames, images, problems, results, routes
from filewatcher.edges.web.gate import Gate
from filewatcher.edges.web.models import LoginBody
from filewatcher.edges.web.tokens import COOKIE, Right

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp

    from filewatcher.edges.web.metrics import Metrics
    from filewatcher.edges.web.tokens import Tokens
    from filewatcher.service import Service

STATIC = Path(__file__).parent / "static"
COOKIE_AGE = 30 * 24 * 3600
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Doorway:
    """Who may come in, and how."""

    tokens: Tokens
    names: tuple[str, ...]
    """The host names of this server, without ports; ``*`` = any."""
    secure: bool
    """Browsers reach it by https."""
    largest_body: int
    """Bytes."""


def create_app(
    service: Service,
    doorway: Doorway,
    allowed: Callable[[str], None],
    about: Callable[[], Mapping[str, object]],
    metrics: Metrics,
) -> ASGIApp:
    """Build it. `allowed` raises `Forbidden` for a path; `about`: what is told of the server, its version first."""
    version = str(about()["version"])
    app = FastAPI(
        title="filewatcher",
        version=version,
        summary="Live analysis of X-ray diffraction images",
        openapi_url="/api/openapi.json",
        # their pages come from elsewhere, which beamlines cannot reach and the content policy forbids
        docs_url=None,
        redirect_slashes=False,
        redoc_url=None,
    )
    problems.install(app)
    app.include_router(routes.collections(service, about))
    app.include_router(frames.frames(service))
    app.include_router(frames.live(service, metrics.stage))
    app.include_router(images.images(service))
    app.include_router(results.results(service, allowed))
    _entrance(app, doorway)

    @app.get("/health", tags=["operations"])
    async def health() -> dict[str, Any]:
        """Say that the server answers."""
        return {"status": "ok"}

    @app.get("/metrics", tags=["operations"], response_class=Response)
    async def measured() -> Response:
        """Numbers for Prometheus."""
        return Response(metrics.text(service.counts()), media_type=metrics.media_type)

    if (STATIC / "index.html").is_file():
        app.mount("/static", StaticFiles(directory=STATIC), name="static")

        @app.get("/", include_in_schema=False)
        async def page() -> FileResponse:
            return FileResponse(STATIC / "index.html")

    return Gate(app, doorway.tokens, doorway.names, doorway.largest_body)


def _entrance(app: FastAPI, doorway: Doorway) -> None:
    @app.post("/api/login", tags=["access"], responses=routes.PROBLEMS)
    async def login(body: LoginBody, response: Response) -> Any:
        """Keep a token in a cookie, for the page."""
        if not doorway.tokens.required:
            return {"right": "control"}
        value, right = doorway.tokens.cookie(body.token)
        if right is Right.NOTHING:
            return problems.problem(401, "this token is not known")
        response.set_cookie(
            COOKIE, value, COOKIE_AGE, httponly=True, secure=doorway.secure, samesite="strict", path="/"
        )
        return {"right": right.name.lower()}

    @app.post("/api/logout", tags=["access"], responses=routes.PROBLEMS)
    async def logout(response: Response) -> dict[str, str]:
        """Forget the cookie."""
        response.delete_cookie(COOKIE, httponly=True, secure=doorway.secure, samesite="strict", path="/")
        return {"right": "nothing"}
