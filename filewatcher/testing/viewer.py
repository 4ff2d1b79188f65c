"""Real Chromium before a page; whoever looks keeps what was seen."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, ConsoleMessage, Page

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
_AWAY = re.compile(
    r"ERR_CONNECTION_REFUSED|WebSocket connection|Failed to load resource|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET"
)


class Viewer:
    """Somebody who looks at the page; what goes wrong in the browser fails the test."""

    def __init__(
        self,
        browser: Browser,
        url: str,
        size: tuple[int, int] = (1400, 900),
        scheme: Any = "light",
        *,
        touch: bool = False,
    ) -> None:
        self.url = url
        self._context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, has_touch=touch
        )
        self.page: Page = self._context.new_page()
        self._problems: list[str] = []
        self._away = False
        self.page.on("pageerror", lambda error: self._problems.append(str(error)))
        self.page.on("console", self._told)

    def _told(self, line: ConsoleMessage) -> None:
        if line.type == "error":
            self._problems.append(line.text)

    def open(self, name: str | None = None, words: str = "") -> Viewer:
        """Look at a collection, or at the list."""
        self.page.goto(self.url + ("#/" if name is None else f"#/c/{name}{words}"))
        return self

    def ask(self, script: str, argument: Any = None) -> Any:
        """Ask the page: the answer of a function, as JSON, which takes a tenth of the time for many numbers."""
        asked = f"async (argument) => JSON.stringify(await ({script})(argument)) ?? 'null'"
        return json.loads(self.page.evaluate(asked, argument))

    def until(self, script: str, argument: Any = None, seconds: float = 20) -> None:
        """Wait until something is true on the page."""
        self.page.wait_for_function(script, arg=argument, timeout=1000 * seconds)

    def drawn(self, version: int, scan: int = 0) -> Viewer:
        """Wait until so many frames are drawn."""
        self.until("([scan, version]) => __grid.panes?.[scan]?.view?.drawn.version >= version", [scan, version])
        return self

    def picture(self, path: Path) -> None:
        """Keep what is seen."""
        path.parent.mkdir(exist_ok=True)
        self.page.screenshot(path=path)

    def expect_absence(self) -> None:
        """Let what the browser says of a server that is away, or refuses, be no problem; anything else still is."""
        self._away = True

    @property
    def problems(self) -> list[str]:
        """What the browser complained of."""
        return [problem for problem in self._problems if not (self._away and _AWAY.search(problem))]

    def close(self) -> None:
        """Leave."""
        self._context.close()
