"""What people do with the page: look at rotations, pairs, images and lists, by mouse, key and finger."""

from __future__ import annotations

import base64
import csv
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from matplotlib.image import imsave

from filewatcher.core.messages import METRICS, State
from tests.edges.page import scans

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from filewatcher.testing.pageserver import PageServer
    from filewatcher.testing.viewer import Viewer

MARKUP = '<img src=x onerror="window.hurt=1"><b>bold</b>'


def test_markup_in_names_and_reasons_stays_text(server: PageServer, viewer: Callable[..., Viewer]) -> None:
    words = scans.scan(4, 3) | {"master": f"/data/{MARKUP.replace('/', '')}.nxs"}
    told = server.add("grid", [words], reason=MARKUP, warnings=[MARKUP], visit=MARKUP, parameters={"d_min": MARKUP})
    server.record("grid", 0, [0], [State.FAILED], np.full((1, len(METRICS)), np.nan))
    told.logs[0].errors[0] = MARKUP
    page = viewer().open("grid").drawn(1)
    page.page.click("details.failures summary")
    page.page.wait_for_selector("details.failures li")
    for part in ("h1", ".reason", ".warnings", ".failures li"):
        assert "<b>bold<" in page.page.inner_text(part), part
    page.page.click("text=Rerun…")
    assert MARKUP in page.page.input_value("textarea")
    page.page.keyboard.press("Escape")
    page.open()
    page.page.wait_for_selector(".list td a")
    assert MARKUP in page.page.inner_text(".list tbody")
    assert page.ask("() => [window.hurt, document.querySelectorAll('main b b, main img').length]") == [None, 0]


def test_the_number_under_the_pointer_and_the_address_of_it(
    server: PageServer, viewer: Callable[..., Viewer], screenshots: Path
) -> None:
    words = scans.scan(30, 8)
    grid = scans.grid_of(words["grid"])
    values = scans.numbers(grid)
    told = server.add("grid", [words])
    told.logs[0].errors[17] = "decompression failed"
    scans.record(server, "grid", values, range(240), failed=frozenset({17}))
    page = viewer().open("grid").drawn(240)
    frame = 43
    row, column = grid.cell(frame)
    x, y = page.ask(
        """([row, column]) => {
            const { view } = __grid.panes[0];
            const box = view.element.getBoundingClientRect();
            const [x, y] = view.viewport.place(column + 0.5, row + 0.5);
            return [box.x + x / view.ratio, box.y + y / view.ratio];
        }""",
        [row, column],
    )
    page.page.mouse.move(x, y)
    page.page.wait_for_selector(f"text=image {frame + 1}, row {row + 1}, column {column + 1}")
    assert page.page.inner_text(".numbers tr:first-child .number") == f"{values[frame, 0]:.0f}"
    page.page.mouse.click(x, y)
    page.until("() => location.hash.includes('image=44')")
    # by keys: the next row below, another number, a locked scale; then the same for whoever opens the address
    page.page.keyboard.press("ArrowDown")
    below = grid.frame(row + 1, column)
    page.until(f"() => location.hash.includes('image={below + 1}')")
    page.page.keyboard.press("m")
    page.page.keyboard.press("l")
    page.page.keyboard.press("s")
    page.until("() => location.hash.includes('sqrt')")
    other = viewer()
    other.page.goto(page.page.url)
    other.drawn(240)
    look = "() => { const { metric, lock, root, selected } = __grid.settings; return [metric, lock, root, selected]; }"
    assert (
        other.ask(look)
        == page.ask(look)
        == [METRICS[1], page.ask("() => __grid.settings.lock"), True, {"scan": 0, "frame": below}]
    )
    page.page.keyboard.press("b")
    strongest = int(values[:, 1].argmax())
    page.until(f"() => __grid.settings.selected.frame === {strongest}")
    page.page.keyboard.press("?")
    page.page.wait_for_selector("dialog.help[open]")
    page.picture(screenshots / "keys.png")
    for one in (page, other):
        # there is no picture of these images
        one.page.wait_for_selector(".image .words:has-text('not on disk')", state="attached")
        one.expect_absence()


def test_failures_are_told_in_words(server: PageServer, viewer: Callable[..., Viewer]) -> None:
    told = server.add("grid", [scans.scan(30, 8)])
    values = scans.numbers(scans.grid_of(told.summary["scans"][0]["grid"]))
    told.logs[0].errors.update({17: "decompression failed", 18: "decompression failed", 30: "never came"})
    scans.record(server, "grid", values, range(238), failed=frozenset({17, 18}), missing=frozenset({30}))
    page = viewer().open("grid").drawn(238)
    page.page.click("details.failures summary")
    page.page.wait_for_selector("details.failures li")
    assert page.page.locator("details.failures li").all_inner_texts() == [
        "2 \u00d7 decompression failed (images 18, 19)",
        "1 \u00d7 never came (image 31)",
    ]
    page.ask("() => __grid.select(0, 17)")
    page.page.wait_for_selector(".numbers .why:has-text('decompression failed')")
    # the list is read on where it ended, and from the start if the server was started again
    asked: list[str] = []
    page.page.on("request", lambda request: asked.append(request.url))
    scans.record(server, "grid", values, [238], failed=frozenset({238}))
    page.page.wait_for_selector("details.failures li:has-text('failed (image 239)')")
    told.generation = 2
    scans.record(server, "grid", values, [239], failed=frozenset({239}))
    page.page.wait_for_selector("details.failures li:has-text('failed (images 239, 240)')")
    assert [url.partition("?")[2] for url in asked if "/frames?" in url] == [
        f"scan=0&since={since}&state=failed&state=missing" for since in (238, 239, 0)
    ]
    page.page.wait_for_selector(".image .words:has-text('not on disk')")
    page.expect_absence()


def test_what_is_exported_is_what_is_known(server: PageServer, viewer: Callable[..., Viewer]) -> None:
    words = scans.scan(6, 5)
    grid = scans.grid_of(words["grid"])
    values = scans.numbers(grid)
    server.add("grid", [words])
    scans.record(server, "grid", values, range(28), failed=frozenset({3}))
    page = viewer().open("grid").drawn(28)
    page.page.click("details.menu summary")
    with page.page.expect_download() as saved:
        page.page.click("text=table, CSV")
    assert saved.value.suggested_filename == "grid_0.csv"
    table = list(csv.DictReader(io.StringIO(saved.value.path().read_text())))
    assert [row["state"] for row in table] == [
        "failed" if f == 3 else "done" if f < 28 else "waiting" for f in range(30)
    ]
    for frame, row in enumerate(table):
        assert (int(row["row"]), int(row["column"]), int(row["file-number"])) == (*grid.cell(frame), frame + 1)
        expected = [""] * len(METRICS) if row["state"] != "done" else values[frame].tolist()
        assert [row[name] if row[name] == "" else np.float32(row[name]) for name in METRICS] == expected
    with page.page.expect_download() as saved:
        page.page.click("text=picture, PNG")
    assert saved.value.path().read_bytes().startswith(b"\x89PNG")


def test_a_pair_has_one_scale(server: PageServer, viewer: Callable[..., Viewer], screenshots: Path) -> None:
    first, second = scans.scan(40, 20), scans.scan(40, 14)
    told = server.add("pair", [first, second], visit="mx12345-1", beamline="i03", dcid=6153461)
    crystal = {
        "centre_of_mass": [24.1, 8.2], "bounding_box": [[21, 6], [28, 11]], "uncertainty_box": [0.1, 0.2],
        "total_count": 4021.0, "best_image": 345,
    }  # fmt: skip
    told.summary["scans"][0]["centring"] = {"centre_of_mass": [24.1, 8.2], "settled": False, "crystals": [crystal]}
    a, b = (scans.numbers(scans.grid_of(words["grid"]), seed) for seed, words in enumerate((first, second)))
    b[:, 0] *= 0.5
    page = viewer().open("pair")
    scans.record(server, "pair", a, range(800), scan=0)
    scans.record(server, "pair", b, range(300), scan=1)
    page.drawn(800, 0).drawn(300, 1)
    scales = page.ask("() => __grid.panes.map((pane) => [pane.view.scale.low, pane.view.scale.high])")
    assert scales[0] == scales[1]
    everything = np.concatenate([a[:, 0], b[:300, 0]])
    assert scales[0][1] == pytest.approx(np.percentile(everything[everything > 0], 99.5, method="higher"), rel=0.02)
    assert "x 24.1 \u00b1 0.1  y 8.2 \u00b1 0.2" in page.page.inner_text(".centres")
    assert "Not settled" in page.page.inner_text(".centres")
    page.picture(screenshots / "pair.png")


def test_the_snapshot_lies_below_its_cells(
    server: PageServer, viewer: Callable[..., Viewer], screenshots: Path
) -> None:
    # 20 um a cell, 2 um a pixel: a cell is 10 pixels of the camera, the grid begins at pixel 50, 30
    photograph = np.zeros((140, 240, 3), np.uint8)
    photograph[..., 1] = 90
    photograph[30:110, 50:170] = (160, 60, 20)
    data = io.BytesIO()
    imsave(data, photograph, format="png")
    url = "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()
    snapshot = {"url": url, "offset_px": [50.0, 30.0], "um_per_px": [2.0, 2.0]}
    server.add("grid", [scans.scan(12, 8) | {"snapshot": snapshot}])
    scans.record(server, "grid", scans.numbers(scans.grid_of(scans.grid_words(12, 8))), range(60))
    page = viewer().open("grid").drawn(60)
    page.until("() => __grid.panes[0].view.snapshot?.image")
    page.ask("() => __grid.settings.set({ opacity: 0.5 })")
    page.until("() => !__grid.panes[0].view.under.canvas.hidden && !__grid.panes[0].view.rearranged")
    at = """([x, y]) => {
        const { view } = __grid.panes[0];
        const [px, py] = view.viewport.place(x, y).map(Math.floor);
        return Array.from(view.under.getImageData(px, py, 1, 1).data).slice(0, 3);
    }"""
    for inside in ([0.2, 0.2], [11.8, 7.8], [6, 4]):
        assert page.ask(at, inside) == [160, 60, 20]
    for outside in ([-0.2, 4], [6, 8.2]):
        assert page.ask(at, outside) == [0, 90, 0]
    assert page.ask("() => __grid.panes[0].view.cells.globalAlpha") == 0.5
    page.picture(screenshots / "snapshot.png")


def test_a_rotation_is_drawn_against_its_images(
    server: PageServer, viewer: Callable[..., Viewer], screenshots: Path
) -> None:
    server.add("rotation", [{"expected": 3600, "angles": [0.0, 0.1]}])
    values = scans.rotation(3600)
    page = viewer().open("rotation")
    scans.record(server, "rotation", values, range(2500), failed=frozenset({700}), missing=frozenset(range(1200, 1260)))
    page.drawn(2500)
    bins = page.ask("() => Array.from(__grid.panes[0].view.bins.best)")
    told = values[:, 0].copy()
    told[2500:] = told[700] = np.nan
    told[1200:1260] = np.nan
    columns = np.arange(3600) * len(bins) // 3600
    for column, best in enumerate(bins):
        inside = np.flatnonzero((columns == column) & ~np.isnan(told))
        assert best == (inside[told[inside].argmax()] if len(inside) else -1), column
    page.picture(screenshots / "rotation.png")
    dark = viewer(scheme="dark").open("rotation", "?metric=estimated_d_min").drawn(2500)
    dark.picture(screenshots / "rotation-dark.png")


def test_what_was_collected_another_way_can_be_said_by_hand(
    server: PageServer, viewer: Callable[..., Viewer], screenshots: Path
) -> None:
    words = scans.scan(6, 5, snaked=False)
    server.add("grid", [words])
    values = scans.numbers(scans.grid_of(words["grid"]))
    scans.record(server, "grid", values, range(30))
    page = viewer().open("grid").drawn(30)
    page.page.click(".order-controls summary")
    page.page.check("text=snaked")
    page.page.wait_for_selector(".order:has-text('snaked (by hand)')")
    assert page.ask("() => __grid.panes[0].grid.frame(1, 0)") == 11
    page.picture(screenshots / "by-hand.png")
    # it is kept with the collection: for whoever comes back, and for somebody else who looks
    page.page.reload()
    other = viewer().open("grid").drawn(30)
    page.drawn(30)
    for one in (page, other):
        assert one.ask("() => __grid.panes[0].grid.frame(1, 0)") == 11
    page.page.click(".order-controls summary")
    page.page.fill("[aria-label=columns]", "7")
    page.page.press("[aria-label=columns]", "Tab")
    page.page.wait_for_selector("text=7 \u00d7 5 has 35 cells, the scan 30 images")
    page.page.click("text=as collected")
    for one in (page, other):
        one.until("() => __grid.panes[0].grid.frame(1, 0) === 6")


def test_a_collection_that_is_another_one_already_leads_there(
    server: PageServer, viewer: Callable[..., Viewer], screenshots: Path
) -> None:
    server.add("stays", [scans.scan(6, 5)])
    server.add(
        "goes", [scans.scan(6, 5)], state="cancelled", reason="it is collection stays: look there", same_as="stays"
    )
    page = viewer().open("goes").drawn(0)
    page.picture(screenshots / "same-as.png")
    page.page.click("text=the collection that goes on in its place")
    page.until("() => __grid.id === 'stays'")
    page.page.wait_for_selector("h1:has-text('stays_0.nxs')")
    assert page.page.locator("text=goes on in its place").is_hidden()
    page.open()
    page.page.click("a:text-is('goes on here'):visible")
    page.until("() => __grid.id === 'stays'")


def test_the_list_stops_and_reruns(server: PageServer, viewer: Callable[..., Viewer], screenshots: Path) -> None:
    for i, state in enumerate(("running", "done", "failed", "cancelled", "waiting")):
        name = f"xtal_{i}"
        words: dict[str, Any] = scans.scan(30, 8) if i < 4 else {"expected": None}
        told = server.add(
            name, [words], state=state, beamline="i03", visit="mx12345-1", created=f"2026-01-0{i + 1}T10:00:00+00:00"
        )
        if state == "failed":
            told.summary["reason"] = "the master is no HDF5 file any more"
        if i < 4:
            values = scans.numbers(scans.grid_of(words["grid"]))
            scans.record(
                server, name, values, range(240 if state == "done" else 150), failed=frozenset({3} if i else ())
            )
    page = viewer().open()
    page.page.wait_for_selector(".list tbody tr:nth-child(5)")
    assert page.page.locator(".list tbody a:visible").all_inner_texts() == [f"xtal_{i}_0.nxs" for i in (4, 3, 2, 1, 0)]
    page.picture(screenshots / "list.png")
    page.page.fill("[type=search]", "xtal_0")
    page.page.click("button:text-is('Cancel')")
    assert server.collections["xtal_0"].asked == []
    page.page.click("button:text-is('Sure?')")
    page.until("() => document.querySelectorAll('.list tbody tr').length === 1")
    page.page.click("text=Rerun…")
    assert page.page.input_value("textarea") == "d_max=40"
    page.page.fill("textarea", "d_min=2.5\n  d_max=30  \n")
    page.picture(screenshots / "rerun.png")
    page.page.click("dialog button[type=submit]")
    page.until("() => location.hash === '#/c/xtal_0'")
    assert server.collections["xtal_0"].asked == [
        ("DELETE", "xtal_0", None),
        ("POST", "reprocess", {"parameters": ["d_min=2.5", "d_max=30"], "engine": "native"}),
    ]


def test_what_cannot_be_done_is_said(server: PageServer, viewer: Callable[..., Viewer]) -> None:
    server.add("grid", [scans.scan(6, 5)])
    page = viewer().open("grid").drawn(0)
    page.page.click("text=Rerun…")
    page.page.fill("textarea", "nonsense")
    page.page.click("dialog button[type=submit]")
    page.page.wait_for_selector("dialog .problem:has-text('expected key=value')")
    other = viewer().open("nobody")
    other.page.wait_for_selector(".banner:has-text('there is no such collection')")
    for one in (page, other):
        one.expect_absence()


def test_a_tablet_has_everything_below_each_other(
    server: PageServer, viewer: Callable[..., Viewer], screenshots: Path
) -> None:
    words = scans.scan(30, 20)
    server.add("grid", [words])
    scans.record(server, "grid", scans.numbers(scans.grid_of(words["grid"])), range(400))
    page = viewer((820, 1180), touch=True).open("grid").drawn(400)
    assert page.ask("() => document.documentElement.scrollWidth <= innerWidth")
    box = page.page.locator(".stage").bounding_box()
    assert box is not None
    page.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 3)
    page.until("() => __grid.settings.selected !== null")
    page.page.wait_for_selector(".image .words:has-text('not on disk')")
    page.picture(screenshots / "tablet.png")
    page.expect_absence()


def test_a_million_cells(server: PageServer, viewer: Callable[..., Viewer], screenshots: Path) -> None:
    words = scans.scan(1000, 1000)
    server.add("million", [words])
    values = scans.numbers(scans.grid_of(words["grid"]))
    page = viewer(scheme="dark").open("million")
    scans.record(server, "million", values, range(700_000))
    page.drawn(700_000)
    page.picture(screenshots / "million.png")
    assert page.ask("() => __grid.panes[0].store.counts") == [300_000, 700_000, 0, 0]
