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

    def get(self, collection: str, wait: float = 0) -> dict[str, Any]:
        """Return one; waits for its end, so many seconds at most. Raises `Refused` where there is none."""
        return self._call("GET", f"/api/collections/{quote(collection, safe='')}?wait={wait:g}", wait=wait)

    def ask(self, what: dict[str, Any]) -> dict[str, Any]:
        """Have a collection analysed, in the words of ``POST /api/collections``."""
        return self._call("POST", "/api/collections", what)

    def cancel(self, collection: str) -> dict[str, Any]:
        """Cancel one."""
        return self._call("DELETE", f"/api/collections/{quote(collection, safe='')}")

    def _call(self, method: str, path: str, what: dict[str, Any] | None = None, wait: float = 0) -> dict[str, Any]:
        body = None if what is None else json.dumps(what).encode()
        request = urllib.request.Request(self._url + path, body, method=method)  # noqa: S310  http and https only, see above
        if body is not None:
            request.add_header("Content-Type", "application/json")
        if self._token is not None:
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with self._opener.open(request, timeout=PATIENCE + wait) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(_said(error)) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise Unreachable(
                f"no filewatcher answers at {self._url} ({reason}): is 'filewatcher serve' running?"
            ) from error


def _said(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError, OSError):
        return f"the daemon answered {error.code} {error.reason}"
