"""What every test may use: the real data where it is, and a count of the tests that it was missing from."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from filewatcher.testing.mariadb import PrivateMariaDB
from filewatcher.testing.rabbitmq import PrivateRabbitMQ
from filewatcher.testing.slurm import PrivateSlurm

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import Browser

    from tests.ispyb_database import IspybDatabase

PROJECT = Path(__file__).parent.parent
SITE = ("FILEWATCHER_", "ISPYB_", "ZOCALO_", "SLURM_")
TEST_DATA = Path(os.environ.get("FILEWATCHER_TEST_DATA") or PROJECT.parent / "shared" / "data")


# how long an example takes says nothing on a machine that others use too
settings.register_profile("filewatcher", deadline=None)
settings.load_profile("filewatcher")


def pytest_configure(config: pytest.Config) -> None:
    # a suite in the background of a script ignores Ctrl-C, and so would the programs that are to be interrupted
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # what a site has set is not for tests, least of all the way into its database
    for name in [name for name in os.environ if name.startswith(SITE) and name != "FILEWATCHER_TEST_DATA"]:
        del os.environ[name]
    config.addinivalue_line("markers", "data: needs the real data (FILEWATCHER_TEST_DATA)")


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    if not TEST_DATA.is_dir():
        for item in items:
            if item.get_closest_marker("data"):
                item.add_marker(pytest.mark.skip(reason=f"no real data at {TEST_DATA}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say plainly how many tests on real data ran."""
    ran = sum("data" in r.keywords for key in ("passed", "failed") for r in terminalreporter.stats.get(key, []))
    skipped = sum("data" in r.keywords for r in terminalreporter.stats.get("skipped", []))
    terminalreporter.write_line(f"tests on real data: {ran} run, {skipped} skipped ({TEST_DATA})")


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder with real data and reference answers (see its README.md)."""
    return TEST_DATA


@pytest.fixture(scope="session")
def ispyb_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IspybDatabase]:
    """A real MariaDB with ISPyB's tables; where it cannot be had, tests fail: they are not skipped."""
    from tests.ispyb_database import IspybDatabase  # noqa: PLC0415  slow: two hundred tables

    folder = tmp_path_factory.mktemp("ispyb")
    with PrivateMariaDB(folder / "server") as server:
        yield IspybDatabase.make(server, folder)


@pytest.fixture(scope="session")
def private_slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateSlurm]:
    """A real Slurm of three nodes; where it cannot be had, tests fail: they are not skipped."""
    with PrivateSlurm(tmp_path_factory.mktemp("slurm")) as slurm:
        yield slurm


@pytest.fixture
def slurm(private_slurm: PrivateSlurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateSlurm]:
    """The real Slurm, known to every child; no test may leave a job in it."""
    for name, value in private_slurm.environment.items():
        monkeypatch.setenv(name, value)
    yield private_slurm
    private_slurm.until(lambda: not private_slurm.jobs(), "empty queue: a test left a job behind")


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRabbitMQ]:
    """A real RabbitMQ; where it cannot be had, tests fail: they are not skipped."""
    with PrivateRabbitMQ(tmp_path_factory.mktemp("rabbitmq")) as broker:
        yield broker


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Real Chromium. Not for the whole session: while Playwright runs, `asyncio.run` refuses to."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  only the tests of the page want a browser

    from filewatcher.testing.viewer import ARGUMENTS, CHROMIUM  # noqa: PLC0415

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures of the page are kept."""
    return PROJECT / "screenshots"
