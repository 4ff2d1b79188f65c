"""What went wrong, as RFC 9457 has it: a status, a title and one sentence that says what to do."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from filewatcher.errors import FilewatcherError, Forbidden, Full, Refused, Unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI
    from starlette.requests import Request

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
STATUS: tuple[tuple[type[FilewatcherError], int], ...] = (
    (Unknown, 404),
    (Forbidden, 403),
    (Full, 503),
    (Refused, 422),
    (FilewatcherError, 503),
)
"""The first that fits."""
LONGEST = 300
"""Characters of what a visitor sent that come back in an answer."""


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> JSONResponse:
    """Return an answer that says what is the matter."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, dict(headers or {}), media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let every error of `app` end in such an answer."""
    app.add_exception_handler(FilewatcherError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _fault)


async def _ours(_request: Request, error: Exception) -> JSONResponse:
    status = next(code for kind, code in STATUS if isinstance(error, kind))
    headers = {"Retry-After": "30"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return problem(status, str(error), headers)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [{"where": _place(one["loc"]), "what": str(one["msg"])[:LONGEST]} for one in error.errors()[:20]]
    detail = "; ".join(f"{one['where']}: {one['what']}" for one in errors[:3])
    return problem(422, detail, errors=errors)


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, str(error.detail), error.headers)


async def _fault(_request: Request, error: Exception) -> JSONResponse:
    log.error("this is a fault of filewatcher", exc_info=error)
    return problem(500, "this is a fault of filewatcher; its log says more")


def _place(where: tuple[Any, ...]) -> str:
    """Name a place in a request.

    >>> _place(("body", "grid", "columns"))
    'body.grid.columns'
    """
    return ".".join(str(part)[:LONGEST] for part in where)
