"""What every request passes before it reaches anything: host, origin, token, size; and the headers of every answer.

A page of another site that is open in the same browser cannot act: it cannot set the header with the token, the
browser keeps the cookie from it (SameSite=Strict), its Origin is refused, and so is a name of our address that is not
ours (DNS rebinding).
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders

from filewatcher.edges.web.problems import problem
from filewatcher.edges.web.tokens import COOKIE, Right, Tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE = frozenset({"GET", "HEAD"})
OPEN = frozenset({"/api/login", "/api/logout", "/health"})
"""Paths that need no token; neither do the page and its static files, which hold nothing."""
GUARDED = ("/api", "/metrics")

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Gate:
    """Wraps an application."""

    def __init__(self, app: ASGIApp, tokens: Tokens, names: Iterable[str], largest_body: int) -> None:
        """`names`: those that this server is called by, without a port; ``*`` = any (behind a proxy)."""
        self._app, self._tokens, self._largest = app, tokens, largest_body
        self._names = frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if (refusal := self._refusal(scope, headers)) is not None:
            status, sentence = refusal
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008, "reason": sentence[:100]})
                return
            extra = {"WWW-Authenticate": "Bearer"} if status == 401 else None
            await problem(status, sentence, extra)(scope, receive, _with_headers(send))
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
        else:
            await self._app(scope, _Bounded(receive, self._largest), _with_headers(send))

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if "*" not in self._names and _name(host) not in self._names:
            return 421, "this server is not called that; its administrator can add a name to 'names'"
        unsafe = scope["type"] == "websocket" or scope["method"] not in SAFE
        origin = headers.get("origin")
        if unsafe and origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return 403, "a page of another site cannot do this"
        path = scope["path"]
        if path in OPEN or not path.startswith(GUARDED):
            return self._too_large(headers)
        right = self._tokens.right(_bearer(headers), _cookie(headers))
        scope.setdefault("state", {})["right"] = right
        if right is Right.NOTHING:
            return 401, "a token is needed: send 'Authorization: Bearer TOKEN', or log in"
        if right is Right.READ and scope["type"] == "http" and unsafe:
            return 403, "this token allows to look, not to change anything"
        return self._too_large(headers)

    def _too_large(self, headers: Headers) -> tuple[int, str] | None:
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 12 or int(length) > self._largest:
            return 413, f"a request has at most {self._largest} bytes"
        return None


class _Bounded:
    """A request's body, up to a length; one that does not say its length is counted."""

    def __init__(self, receive: Receive, largest: int) -> None:
        self._receive, self._left = receive, largest

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            # the parser of the body ends here, and says that it is none
            return {"type": "http.disconnect"}
        return message


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sent


def _name(host: str) -> str:
    """Return a Host header without its port.

    >>> _name("Beamline:8765"), _name("[::1]:8765")
    ('beamline', '[::1]')
    """
    host = host.lower()
    return host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]


def _bearer(headers: Headers) -> str | None:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" and token else None


def _cookie(headers: Headers) -> str | None:
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(headers.get("cookie", ""))
    except CookieError:
        return None
    return jar[COOKIE].value if COOKIE in jar else None
