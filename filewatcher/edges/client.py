"""A daemon, as the commands ``status`` and ``cancel`` reach it: HTTP, with the sentence of its problem details."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from filewatcher.errors import Refused, Unreachable

PATIENCE = 10.0
"""Seconds for an answer."""


class Daemon:
    """One that listens at `url`."""

    def __init__(self, url: str, token: str | None = None) -> None:
        if urlsplit(url).scheme not in {"http", "https"}:
            raise Refused(f"{url} is no address of a daemon: write http://host:port")
        self._url, self._token = url.rstrip("/"), token
        # a proxy of the site is for the world outside
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def list(self, **query: Any) -> dict[str, Any]:
        """Return the list of collections."""
        return self._call("GET", f"/api/collections?{urlencode(query)}")

    def get(self, collection: str) -> dict[str, Any]:
        """Return one. Raises `Refused` where there is none."""
        return self._call("GET", f"/api/collections/{quote(collection, safe='')}")

    def ended(self, collection: str) -> dict[str, Any]:
        """Wait for the end of one; returns all that is told of it. Raises `Refused` where there is none."""
        name = quote(collection, safe="")
        while not (found := self.get(collection))["ended"]:
            # no log is as long as this: the answer comes when none will follow, or for us to ask again
            self._answer("GET", f"/api/collections/{name}/cells?since={2**53}&wait={PATIENCE / 2:g}")
        return found

    def ask(self, what: dict[str, Any]) -> dict[str, Any]:
        """Have a collection analysed, in the words of ``POST /api/collections``."""
        return self._call("POST", "/api/collections", what)

    def cancel(self, collection: str) -> dict[str, Any]:
        """Cancel one."""
        return self._call("DELETE", f"/api/collections/{quote(collection, safe='')}")

    def _call(self, method: str, path: str, what: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._answer(method, path, what))
        except ValueError as error:
            raise self._silent(error) from error
        return found

    def _answer(self, method: str, path: str, what: dict[str, Any] | None = None) -> bytes:
        body = None if what is None else json.dumps(what).encode()
        request = urllib.request.Request(self._url + path, body, method=method)  # noqa: S310  http and https only, see above
        if body is not None:
            request.add_header("Content-Type", "application/json")
        if self._token is not None:
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with self._opener.open(request, timeout=PATIENCE) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(_said(error)) from error
        except OSError as error:
            raise self._silent(error) from error

    def _silent(self, error: Exception) -> Unreachable:
        reason = getattr(error, "reason", error)
        return Unreachable(f"no filewatcher answers at {self._url} ({reason}): is 'filewatcher serve' running?")


def _said(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError, OSError):
        return f"the daemon answered {error.code} {error.reason}"
