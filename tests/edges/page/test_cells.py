"""Every cell of the page is the cell that the data say, in number and in colour, whatever happens on the way."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest

from filewatcher.core.messages import METRICS, State
from filewatcher.testing.seeing import LOOKS, SCALE, SEEN, differences, expected_colours
from tests.edges.page import scans

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from filewatcher.core.grid import Grid
    from filewatcher.testing.pageserver import PageServer, Told
    from filewatcher.testing.viewer import Viewer

POOL = """() => {
    const { picture, viewport } = __grid.panes[0].view;
    const { canvas } = picture.shown(viewport.pooling);
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return [canvas.width, canvas.height, Array.from(data)];
}"""
BLOCK = """(column) => {
    const { picture, viewport } = __grid.panes[0].view;
    const size = viewport.pooling;
    const pixel = picture.shown(size).context.getImageData(Math.floor(column / size), 0, 1, 1);
    return Array.from(pixel.data).slice(0, 3);
}"""
DRAWN = """() => {
    const { cells, width, height } = __grid.panes[0].view;
    return Array.from(new Uint32Array(cells.getImageData(0, 0, width, height).data.buffer));
}"""
RANKING = """(metric) => {
    const { best, unsaid } = __grid.panes[0].store.ranking(metric);
    return [best, unsaid];
}"""
STALL = """(milliseconds) => {
    window.stalled = true;
    setTimeout(() => {
        const end = performance.now() + milliseconds;
        while (performance.now() < end);
        window.stalled = false;
    }, 0);
}"""

LAYOUTS = list(
    itertools.product(
        ("horizontal", "vertical"), (False, True), ("top-left", "top-right", "bottom-left", "bottom-right")
    )
)


def begun(server: PageServer, columns: int, rows: int) -> tuple[Grid, NDArray[np.float64], Told]:
    """A collection named grid, of which nothing is known yet; its cells, and all numbers that there will be."""
    words = scans.scan(columns, rows)
    grid = scans.grid_of(words["grid"])
    return grid, scans.numbers(grid), server.add("grid", [words])


def test_the_page_knows_the_order_of_frames_as_we_do(viewer: Callable[..., Viewer]) -> None:
    page = viewer().open()
    shapes = [(1, 1), (7, 1), (1, 6), (4, 3), (5, 8)]
    words = [
        {"columns": columns, "rows": rows, "orientation": orientation, "snaked": snaked, "start": start}
        for (columns, rows), (orientation, snaked, start) in itertools.product(shapes, LAYOUTS)
    ]
    script = """async (all) => {
        const { Grid } = await import("/static/grid.js");
        return all.map((words) => {
            const grid = new Grid(words);
            const places = Array.from({ length: grid.length }, (_, i) => i);
            const back = places.map((i) => grid.frame(Math.floor(i / grid.columns), i % grid.columns));
            return [Array.from(grid.cells()), back];
        });
    }"""
    for one, (cells, back) in zip(words, page.ask(script, words), strict=True):
        grid = scans.grid_of(one)
        rows, columns = grid.cells(np.arange(len(grid)))
        assert cells == (rows * grid.columns + columns).tolist(), one
        assert back == grid.frames(*np.divmod(np.arange(len(grid)), grid.columns)).tolist(), one


@pytest.mark.parametrize(("orientation", "start"), [("horizontal", "top-left"), ("vertical", "bottom-right")])
def test_a_growing_grid_shows_every_cell_as_it_is(
    server: PageServer, viewer: Callable[..., Viewer], screenshots: Path, orientation: str, start: str
) -> None:
    words = scans.scan(86, 73, orientation=orientation, start=start)
    grid = scans.grid_of(words["grid"])
    values, failed, missing = scans.numbers(grid), frozenset({5, 811, 812}), frozenset(range(1500, 1540))
    server.add("grid", [words], warnings=["the step was read from the positions"])
    page = viewer().open("grid").drawn(0)
    arrival = np.random.default_rng(1).permutation(4400).tolist()
    for begin in range(0, 4400, 550):
        scans.record(server, "grid", values, arrival[begin : begin + 550], failed=failed, missing=missing)
    page.drawn(4400)
    states = np.full(len(grid), State.WAITING, np.int64)
    states[:4400] = State.DONE
    states[list(failed)], states[list(missing)] = State.FAILED, State.MISSING
    assert differences(page, grid, states, values) == []
    page.picture(screenshots / f"grid-{orientation}.png")
    # reloaded, and for a second viewer in the dark, on another number
    page.page.reload()
    page.drawn(4400)
    assert differences(page, grid, states, values) == []
    page.ask("() => __grid.settings.choose('estimated_d_min')")
    page.until("() => __grid.panes[0].view.picture.scale.metric === 'estimated_d_min'")
    assert differences(page, grid, states, values, "estimated_d_min") == []
    page.ask("() => __grid.settings.set({ metric: 'total_intensity', lock: null, root: true })")
    page.until("() => __grid.panes[0].view.picture.scale.root")
    assert differences(page, grid, states, values, "total_intensity") == []


def test_a_scale_that_grows_paints_every_cell_again_those_below_a_pixel_too(
    server: PageServer, viewer: Callable[..., Viewer]
) -> None:
    # 2,600 columns on a stage of some 900 pixels
    words = scans.scan(2600, 4, snaked=False)
    grid = scans.grid_of(words["grid"])
    values = np.full((len(grid), len(METRICS)), 8.0)
    server.add("wide", [words])
    page = viewer().open("wide")
    scans.record(server, "wide", values, range(5200))
    page.drawn(5200)
    size = page.ask("() => __grid.panes[0].view.viewport.pooling")
    assert size > 1
    # one hot cell among thousands, and a crystal for which the scale grows
    values[7000:7100] = 900.0
    values[3 * 2600 + 100] = 500.0
    scans.record(server, "wide", values, range(5200, len(grid)), failed=frozenset({3 * 2600 + 900}))
    page.drawn(len(grid))
    low, high, _ = page.ask(SCALE)
    assert low == 0
    assert high == pytest.approx(900, rel=0.01)
    seen = np.array(
        page.ask(POOL),
        dtype=object,
    )
    pixels = np.array(seen[2]).reshape(seen[1], seen[0], 4)[:, :, :3]
    states = np.full(len(grid), State.DONE, np.int64)
    states[3 * 2600 + 900] = State.FAILED
    padded = np.full((seen[1] * size, seen[0] * size), -1.0)
    padded[:4, :2600] = grid.picture(values[:, 0])
    best = padded.reshape(seen[1], size, seen[0], size).max(axis=(1, 3))
    everything = np.repeat(best.ravel()[:, None], len(METRICS), axis=1)
    expected = expected_colours(page, np.full(best.size, State.DONE, np.int64), everything, METRICS[0])
    assert np.array_equal(pixels.reshape(-1, 3), expected)
    bright = pixels[3 // size, 100 // size]
    assert np.array_equal(bright, expected[(3 // size) * seen[0] + 100 // size])
    assert bright.sum() > pixels[0, 0].sum()


@pytest.mark.parametrize("enlarged", [1.0, 1.37, 23.0])
def test_what_is_drawn_bit_by_bit_is_what_is_drawn_at_once(
    server: PageServer, viewer: Callable[..., Viewer], enlarged: float
) -> None:
    """At 0.7 and some more pixels per cell no cell has an edge where a pixel has one."""
    grid, values, _ = begun(server, 1300, 60)
    page = viewer().open("grid", "?range=0,200").drawn(0)
    page.ask("(by) => { const { view } = __grid.panes[0]; view.viewport.zoom(by, 300, 50); view.moved(); }", enlarged)
    arrival = np.random.default_rng(2).permutation(len(grid)).tolist()
    for begin in range(0, len(grid), 6000):
        scans.record(server, "grid", values, arrival[begin : begin + 6000], failed=frozenset({700, 701}))
        page.drawn(min(begin + 6000, len(grid)))
    seen = page.ask(DRAWN)
    page.ask("() => __grid.panes[0].view.moved()")
    page.until("() => !__grid.panes[0].view.rearranged")
    assert page.ask(DRAWN) == seen
    assert len(set(seen)) > 30


def test_the_strongest_and_those_without_a_value_are_counted_as_they_come(
    server: PageServer, viewer: Callable[..., Viewer]
) -> None:
    grid, values, _ = begun(server, 30, 20)
    # equals, of which the first image is the better one, in whatever order they come
    values[::7, :] = values[3]
    page = viewer().open("grid").drawn(0)
    arrival = np.random.default_rng(3).permutation(len(grid)).tolist()
    for metric, sign in (("n_spots_total", -1), ("estimated_d_min", 1)):
        page.ask("(metric) => __grid.settings.choose(metric)", metric)
        known = page.ask("() => __grid.panes[0].store.version")
        for begin in range(known, known + 300, 50):
            scans.record(server, "grid", values, arrival[begin : begin + 50], failed=frozenset({0}))
            page.drawn(begin + 50)
        ended = np.array(sorted(set(arrival[: known + 300]) - {0}))
        of = values[ended, METRICS.index(metric)]
        told = ended[of > 0] if sign < 0 else ended[of >= 0]
        best = told[np.argsort(sign * values[told, METRICS.index(metric)], kind="stable")]
        found, unsaid = page.ask(RANKING, metric)
        assert (found, unsaid) == (best[:10].tolist(), int((of < 0).sum()))


def test_a_block_of_empty_cells_shows_its_failure(server: PageServer, viewer: Callable[..., Viewer]) -> None:
    words = scans.scan(2600, 4, snaked=False)
    values = np.zeros((4 * 2600, len(METRICS)))
    server.add("wide", [words])
    page = viewer().open("wide")
    scans.record(server, "wide", values, range(len(values)), failed=frozenset({1300}))
    page.drawn(len(values))
    found = page.ask(BLOCK, 1300)
    assert found == page.ask(LOOKS)[str(int(State.FAILED))]["face"]


def test_what_is_to_come_was_never_seen_once_it_is_over(server: PageServer, viewer: Callable[..., Viewer]) -> None:
    grid, values, told = begun(server, 9, 8)
    page = viewer().open("grid")
    scans.record(server, "grid", values, range(50))
    page.drawn(50)
    assert "22 to come" in page.page.inner_text("footer")
    told.summary |= {"state": "cancelled"}
    page.page.wait_for_selector("text=22 never seen")
    assert "to come" not in page.page.inner_text("footer")
    page.until("() => !__grid.panes[0].view.all")
    missing = page.ask(LOOKS)[str(int(State.MISSING))]["face"]
    rows, columns = grid.cells(np.arange(50, 72))
    seen = np.array(page.ask(SEEN, 0)).reshape(8, 9, 3)
    assert (seen[rows, columns] == missing).all()


def test_a_server_that_was_started_again_is_believed_anew(
    server: PageServer, viewer: Callable[..., Viewer], screenshots: Path
) -> None:
    grid, values, told = begun(server, 20, 15)
    page = viewer().open("grid")
    scans.record(server, "grid", values, range(200))
    page.drawn(200)
    server.stop()
    page.page.wait_for_selector("text=Reconnecting")
    page.picture(screenshots / "server-away.png")
    # it knows less than before, in another order, and other numbers
    told.logs[0].__init__(300)  # type: ignore[misc]
    told.generation = 2
    others = scans.numbers(grid, seed=7)
    scans.record(server, "grid", others, list(range(119, -1, -1)))
    server.start()
    page.until("() => __grid.panes[0].store.generation === 2 && __grid.panes[0].view.drawn.version === 120")
    states = np.full(300, State.WAITING, np.int64)
    states[:120] = State.DONE
    assert differences(page, grid, states, others) == []
    page.until("() => document.querySelector('.banner').hidden")
    scans.record(server, "grid", others, range(120, 300))
    page.drawn(300)
    assert differences(page, grid, np.full(300, State.DONE, np.int64), others) == []
    page.expect_absence()


def test_lost_connections_resume_where_they_were(server: PageServer, viewer: Callable[..., Viewer]) -> None:
    grid, values, _ = begun(server, 20, 15)
    page = viewer().open("grid")
    scans.record(server, "grid", values, range(200))
    page.drawn(200)
    page.ask("""() => {
        const { store, feed } = __grid.panes[0];
        const apply = store.apply.bind(store);
        window.asked = [];
        store.apply = (message) => (asked.push(message.since), apply(message));
        feed.socket.close();
    }""")
    scans.record(server, "grid", values, range(200, 300))
    page.drawn(300)
    assert page.ask("() => asked") == [200]
    assert differences(page, grid, np.full(300, State.DONE, np.int64), values) == []


def test_where_no_socket_gets_through_the_same_bytes_come_by_question(
    server: PageServer, viewer: Callable[..., Viewer]
) -> None:
    grid, values, _ = begun(server, 20, 15)
    server.sockets_allowed = False
    page = viewer().open("grid")
    scans.record(server, "grid", values, range(200))
    page.drawn(200)
    scans.record(server, "grid", values, range(200, 300))
    page.drawn(300)
    assert differences(page, grid, np.full(300, State.DONE, np.int64), values) == []
    page.expect_absence()


def test_a_viewer_that_stalls_draws_what_it_missed_at_once(server: PageServer, viewer: Callable[..., Viewer]) -> None:
    grid, values, _ = begun(server, 86, 73)
    page = viewer().open("grid")
    scans.record(server, "grid", values, range(100))
    page.drawn(100)
    before = page.ask("() => [__grid.panes[0].view.draws, __grid.panes[0].feed.messages]")
    server.pause = 0.001
    feeding = [range(begin, min(begin + 40, len(grid))) for begin in range(100, len(grid), 40)]
    page.ask(STALL, 1500)
    for frames in feeding:
        sent = len(server.sent)
        scans.record(server, "grid", values, frames)
        # the server speaks on although nobody listens
        while len(server.sent) == sent:
            pass
    page.until("() => !window.stalled")
    page.drawn(len(grid))
    draws, messages = page.ask("() => [__grid.panes[0].view.draws, __grid.panes[0].feed.messages]")
    assert differences(page, grid, np.full(len(grid), State.DONE, np.int64), values) == []
    assert draws - before[0] < (messages - before[1]) / 2
