"""The pictures: every state seen, no cell lost, nothing drawn as zero that is not zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from filewatcher.core.grid import Grid
from filewatcher.core.messages import METRICS, State
from filewatcher.core.observations import MasterFile
from filewatcher.core.report import ESTIMATED, ScanReport
from filewatcher.edges.output import looks
from filewatcher.edges.output.heatmap import FIRST, draw_heatmap, write_heatmap
from filewatcher.edges.output.spots import draw_spots, write_spots
from filewatcher.errors import Refused
from tests.vision import VISION, seen

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from filewatcher.core.grid import Corner, Orientation


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("look", [looks.FAILED, looks.MISSING, looks.WAITING, looks.UNKNOWN], ids=lambda k: k.label)
def test_no_look_is_a_colour_of_the_scale_to_anyone(look: looks.Look, vision: str) -> None:
    scale = seen(colormaps["viridis"](np.linspace(0, 1, 256))[:, :3], vision)
    face = seen(np.array(to_rgb(look.face)), vision)
    assert np.linalg.norm(scale - face, axis=1).min() > 10  # 2.3 is just noticeable


def test_looks_differ_in_their_signs_too() -> None:
    assert len({look.hatch for look in (looks.FAILED, looks.MISSING, looks.WAITING, looks.UNKNOWN)}) == 4


def report_of(frames: int, grid: Grid | None, kind: str = "crystal") -> ScanReport:
    """Scan with one best image and all states ("crystal"), or with nothing in it, or of one state."""
    spots = np.zeros(frames)
    states = np.full(frames, {"missing": State.MISSING, "waiting": State.WAITING}.get(kind, State.DONE), dtype=np.uint8)
    if kind == "crystal":
        spots[:] = np.arange(frames) % 9
        spots[frames // 2] = 400
        for state, place in ((State.FAILED, 1), (State.MISSING, 2), (State.WAITING, 3)):
            if frames > 4 and place != frames // 2:
                states[place] = state
    done = states == State.DONE
    values = {
        name: np.where(done, np.where(spots > 10, 2.0, -1.0) if name in ESTIMATED else spots, np.nan)
        for name in METRICS
    }
    return ScanReport(
        collection="a scan of $5, with_a name",
        scan=0,
        master=MasterFile("/data/scan.nxs", 1, 2, 3, 4),
        expected=frames,
        frames=np.arange(frames),
        states=states,
        values=values,
        errors={},
        attempts=np.ones(frames, dtype=np.int64),
        engine="dials",
        grid=grid,
    )


def pixel(picture: NDArray[np.float64], axes: Any, x: float, y: float) -> tuple[int, ...]:
    """Red, green and blue, 0 to 255, of a written picture at a place in the axes."""
    across, up = axes.transData.transform((x, y))
    return tuple(np.round(picture[picture.shape[0] - 1 - int(up), int(across), :3] * 255).astype(int))


def rgb(colour: Any) -> tuple[int, ...]:
    return tuple(round(255 * part) for part in to_rgb(colour))


def expected_colour(report: ScanReport, metric: str, place: int) -> tuple[int, ...]:
    state = State(report.states[place])
    if state != State.DONE:
        return rgb(looks.STATE_LOOKS[state].face)
    value = report.known(metric)[place]
    if np.isnan(value):
        return rgb(looks.UNKNOWN.face)
    low, high = looks.colour_range(report.known(metric), metric)
    return rgb(
        colormaps["viridis_r" if metric in ESTIMATED else "viridis"](np.clip((value - low) / (high - low), 0, 1))
    )


@pytest.mark.parametrize("metric", ["n_spots_total", "estimated_d_min", "total_intensity"])
@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (5, 3), (30, 8), (86, 73), (1, 19), (400, 2), (1500, 20)])
def test_each_cell_has_its_look_at_its_place(tmp_path: Path, columns: int, rows: int, metric: str) -> None:
    grid = Grid(columns, rows, snaked=True, step=(0.02, -0.02))
    report = report_of(len(grid), grid)
    write_heatmap(tmp_path / "heatmap.png", report, metric)
    picture = imread(tmp_path / "heatmap.png")
    assert max(picture.shape) < 5000
    axes = draw_heatmap(report, metric).axes[0]
    # beside the signs, where there is room for any
    off = 0.43 if columns <= 86 else 0.0
    best = report.best(metric)
    for place in {*range(min(len(grid), 12)), len(grid) - 1, len(grid) * 2 // 3} - {best}:
        row, column = grid.cell(place)
        found = pixel(picture, axes, column - off, row - off)
        assert np.allclose(found, expected_colour(report, metric, place), atol=1), (place, found)


@pytest.mark.parametrize("orientation", ["horizontal", "vertical"])
@pytest.mark.parametrize("start", ["top-left", "top-right", "bottom-left", "bottom-right"])
def test_the_first_image_is_marked_outside_its_corner_with_the_way_to_the_second(
    tmp_path: Path, start: Corner, orientation: Orientation
) -> None:
    grid = Grid(5, 4, snaked=True, start=start, orientation=orientation)
    report = report_of(20, grid)
    write_heatmap(tmp_path / "heatmap.png", report)
    axes = draw_heatmap(report, "n_spots_total").axes[0]
    (mark,) = axes.lines
    row, column = grid.cell(0)
    down, along = np.subtract(grid.cell(1), (row, column))
    assert mark.get_marker() == {(0, 1): ">", (0, -1): "<", (1, 0): "v", (-1, 0): "^"}[down, along]
    # from the outer corner of the first cell outwards, seen in the written picture
    outwards = (-1 if column == 0 else 1, 1 if row == 0 else -1)
    corner = axes.transData.transform((column + 0.5 * outwards[0], row - 0.5 * outwards[1]))
    across, up = corner + np.array(outwards) * FIRST / 72 * axes.figure.dpi
    picture = imread(tmp_path / "heatmap.png")
    assert picture[picture.shape[0] - 1 - int(up), int(across), :3].max() < 0.1


@pytest.mark.parametrize("kind", ["blank", "missing", "waiting"])
def test_grid_in_one_state_has_that_look_alone(tmp_path: Path, kind: str) -> None:
    grid = Grid(30, 8, snaked=True)
    report = report_of(240, grid, kind)
    write_heatmap(tmp_path / "heatmap.png", report)
    picture = imread(tmp_path / "heatmap.png")
    axes = draw_heatmap(report, "n_spots_total").axes[0]
    faces = {"blank": colormaps["viridis"](0.0), "missing": looks.MISSING.face, "waiting": looks.WAITING.face}
    corners = {pixel(picture, axes, c - 0.43, r - 0.43) for c in range(30) for r in range(8)}
    assert corners == {rgb(faces[kind])}


def test_cells_carry_signs_where_there_is_room() -> None:
    """Colour alone is not enough for everyone: a cross, a stroke, a dot."""
    drawn = draw_heatmap(report_of(240, Grid(30, 8, snaked=True)), "n_spots_total").axes[0].collections
    assert [len(signs.get_segments()) for signs in drawn] == [1, 2, 1]
    assert not draw_heatmap(report_of(3000, Grid(1500, 2, snaked=True)), "n_spots_total").axes[0].collections


def test_heatmap_needs_a_grid_and_a_known_metric(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"/data/scan\.nxs: scan 0 has no grid to draw"):
        write_heatmap(tmp_path / "map.png", report_of(6, None))
    with pytest.raises(ValueError, match="metric 'spots': choose one of n_spots_total, "):
        write_heatmap(tmp_path / "map.png", report_of(6, Grid(3, 2, snaked=True)), "spots")


@pytest.mark.parametrize("kind", ["crystal", "blank", "missing", "waiting"])
@pytest.mark.parametrize("frames", [1, 50, 3600])
def test_strip_shows_a_single_image_of_thousands(tmp_path: Path, frames: int, kind: str) -> None:
    report = report_of(frames, None, kind)
    if frames > 1 and kind == "blank":
        report.states[frames // 2] = State.FAILED
        report.states[frames // 4] = State.MISSING
    write_spots(tmp_path / "spots.png", report)
    picture = imread(tmp_path / "spots.png")
    strip = draw_spots(report).axes[-1]
    for place in (frames // 2, frames // 4):
        column = {pixel(picture, strip, place + 1.0, height) for height in np.linspace(0.02, 0.98, 20)}
        look = looks.STATE_LOOKS.get(State(report.states[place]))
        assert rgb(look.face if look else "white") in column


def test_range_is_robust_and_noise_is_dark() -> None:
    values = np.full(1000, 20.0)
    values[:3] = 100_000
    assert looks.colour_range(values, "n_spots_total") == (0.0, 20.0)
    assert looks.colour_range(np.array([0.0, 1.0, 3.0]), "n_spots_total") == (0.0, looks.FEW_SPOTS)
    assert looks.colour_range(np.array([np.nan]), "n_spots_total") == (0.0, looks.FEW_SPOTS)
    assert looks.colour_range(np.array([1.5, np.nan, 3.0]), "estimated_d_min") == (1.5, 3.0)
    low, high = looks.colour_range(np.array([2.0, 2.0]), "estimated_d_min")
    assert low < 2.0 < high


def test_title_says_what_one_looks_for() -> None:
    grid = Grid(5, 3, snaked=True)
    assert looks.title(report_of(15, grid), "n_spots_total").splitlines()[1:] == [
        "15 images: 12 done, 1 failed, 1 missing, 1 waiting",
        "best: 400 spots in image 8",
    ]
    assert looks.title(report_of(15, grid), "estimated_d_min").endswith("best: estimated resolution 2 Å in image 8")
    assert looks.title(report_of(15, grid, "blank"), "n_spots_total").endswith("no spots in any image")
    assert looks.title(report_of(15, grid, "blank"), "estimated_d_min").endswith("too few spots")
    assert looks.title(report_of(15, grid, "missing"), "n_spots_total").endswith("no image analysed")
