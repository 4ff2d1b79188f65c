"""A server that says what a test wants said, and people who look at its page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from filewatcher.testing.pageserver import PageServer
from filewatcher.testing.viewer import Viewer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser


@pytest.fixture
def server() -> Iterator[PageServer]:
    """A server that says what the test wants said."""
    server = PageServer()
    yield server
    server.stop()


@pytest.fixture
def viewer(browser: Browser, server: PageServer) -> Iterator[Callable[..., Viewer]]:
    """Make viewers of the server's page; what goes wrong in the browser fails the test."""
    made: list[Viewer] = []

    def make(size: tuple[int, int] = (1400, 900), scheme: str = "light", *, touch: bool = False) -> Viewer:
        made.append(Viewer(browser, server.url, size, scheme, touch=touch))
        return made[-1]

    yield make
    for one in made:
        one.close()
    assert [problem for one in made for problem in one.problems] == []
