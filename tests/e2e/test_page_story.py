"""A scan as its people see it: triggered before its first file, watched in browsers while the server is killed."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from filewatcher.core.grid import Grid
from filewatcher.core.messages import METRICS, State
from filewatcher.testing.daemon import Daemon
from filewatcher.testing.pageserver import PageServer
from filewatcher.testing.seeing import differences
from filewatcher.testing.viewer import Viewer
from tests.edges.page.scans import scan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.e2e.conftest import Shell

COLUMNS, ROWS = 86, 73
SIMULATION = ("--detector", "eiger2-1m", "--grid", f"{COLUMNS}x{ROWS}", "--rate", 280, "--writers", 2)
STALL = """() => { setTimeout(() => {
    const end = performance.now() + 3000;
    while (performance.now() < end);
}, 0); }"""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """One that comes back at the same address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    one = Daemon(tmp_path / "daemon", ("--root", str(tmp_path), "--port", str(port)))
    yield one.start()
    if one.process is not None:
        assert one.stop() == 0
    assert one.faults() == []


def assert_known(summary: dict[str, Any]) -> None:
    """The server of the page's other tests says nothing that the real one does not say."""
    server = PageServer()
    try:
        words = server.add("grid", [scan(4, 3)]).told()
    finally:
        server.stop()
    assert words.keys() <= summary.keys()
    assert words["scans"][0].keys() <= summary["scans"][0].keys()
    assert words["scans"][0]["grid"].keys() <= summary["scans"][0]["grid"].keys()


@pytest.mark.timeout(400)
def test_a_scan_fills_the_page_live_and_all_who_look_end_with_the_same(
    daemon: Daemon, shell: Shell, browser: Browser, tmp_path: Path, screenshots: Path
) -> None:
    master = tmp_path / "raw" / "grid.nxs"
    master.parent.mkdir()
    collection = daemon.ask(master=str(master), visit="mx12345-1", beamline="i03")
    first, stalled = (Viewer(browser, daemon.url + "/") for _ in range(2))
    for viewer in (first, stalled):
        viewer.open(collection)
    first.page.wait_for_selector(".chip:has-text('waiting for the first image')")

    simulator = shell.start("simulate", master.parent, *SIMULATION)
    known = "(n) => __grid.panes[0]?.store.version >= n"
    for viewer in (first, stalled):
        viewer.until(known, 500, seconds=100)
    stalled.ask(STALL)
    first.page.reload()
    first.until(known, 1500, seconds=100)
    first.drawn(1500).picture(screenshots / "story-running.png")
    second = Viewer(browser, daemon.url + "/", scheme="dark").open(collection, "?metric=estimated_d_min")
    second.until(known, 2000, seconds=100)

    daemon.kill()
    viewers = (first, stalled, second)
    for viewer in viewers:
        viewer.expect_absence()
        viewer.page.wait_for_selector(".banner:has-text('Reconnecting')", timeout=60_000)
    daemon.start()
    for viewer in viewers:
        viewer.page.wait_for_selector(".banner", state="hidden", timeout=60_000)

    for viewer in viewers:
        viewer.page.wait_for_selector(".chip[data-state=done]", timeout=200_000)
        viewer.drawn(COLUMNS * ROWS)
    assert shell.finish(simulator).code == 0
    lines = daemon.lines(collection)
    assert [line["frame"] for line in lines] == list(range(COLUMNS * ROWS))
    states = np.array([State[line["state"].upper()] for line in lines], np.int64)
    numbers = [[np.nan if line[name] is None else line[name] for name in METRICS] for line in lines]
    values = np.array(numbers, np.float32).astype(np.float64)
    summary = daemon.get(collection)
    assert_known(summary)
    told = summary["scans"][0]["grid"]
    grid = Grid(COLUMNS, ROWS, snaked=told["snaked"], orientation=told["orientation"], start=told["start"])
    assert (told["columns"], told["rows"]) == (COLUMNS, ROWS)
    for viewer, metric in zip(viewers, (METRICS[0], METRICS[0], "estimated_d_min"), strict=True):
        assert differences(viewer, grid, states, values, metric) == []
    first.picture(screenshots / "story-done.png")
    second.picture(screenshots / "story-done-dark.png")
    assert [problem for viewer in viewers for problem in viewer.problems] == []
    for viewer in viewers:
        viewer.close()


@pytest.mark.timeout(200)
def test_an_image_is_shown_with_the_spots_that_were_counted(
    daemon: Daemon, shell: Shell, browser: Browser, tmp_path: Path, screenshots: Path
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    simulated = shell.run("simulate", raw, "--detector", "eiger2-1m", "--grid", "8x6", "--rate", 200)
    assert simulated.code == 0, simulated.stderr
    collection = daemon.ask(master=str(raw / "grid.nxs"))
    daemon.ended(collection)
    strongest = max(daemon.lines(collection), key=lambda line: (line["n_spots_total"], -line["frame"]))
    viewer = Viewer(browser, daemon.url + "/").open(collection).drawn(48)
    viewer.page.keyboard.press("b")
    viewer.until("() => __grid.image.image && __grid.image.notes", seconds=60)
    assert viewer.ask("() => __grid.settings.selected") == {"scan": 0, "frame": strongest["frame"]}
    assert viewer.ask("() => __grid.image.notes.spots.length") == strongest["n_spots_total"]
    viewer.picture(screenshots / "story-image.png")
    # with other parameters, beside the first run
    viewer.page.click("text=Rerun…")
    viewer.page.fill("textarea", viewer.page.input_value("textarea").replace("d_min=none", "d_min=4"))
    viewer.page.click("dialog button[type=submit]")
    viewer.until(f"() => location.hash.startsWith('#/c/') && !location.hash.includes('{collection}')", seconds=60)
    viewer.page.wait_for_selector(".chip[data-state=done]", timeout=100_000)
    viewer.drawn(48)
    again = viewer.ask("(frame) => __grid.panes[0].store.value('n_spots_total', frame)", strongest["frame"])
    assert 0 < again == strongest["n_spots_4A"] < strongest["n_spots_total"]
    assert viewer.problems == []
    viewer.close()
