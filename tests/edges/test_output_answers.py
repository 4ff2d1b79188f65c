"""Files for programs that are not ours, each read as its reader reads it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from matplotlib import colormaps, image

from filewatcher.core.centring import centre_pair
from filewatcher.core.grid import Grid
from filewatcher.core.gridinfo import GridInfo
from filewatcher.core.messages import METRICS, State
from filewatcher.core.observations import MasterFile
from filewatcher.core.picture import picture_of
from filewatcher.core.report import ScanReport
from filewatcher.edges.output import write_all
from filewatcher.edges.output.cells import LARGEST, SIDE, STROKE, cells_of, write_cells

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from filewatcher.core.gridinfo import Snapshot

# a row of ISPyB and the counts of its images, from the tests of python-dlstbx (tests/services/test_xray_centering.py)
ROW = {
    "orientation": "horizontal", "snapshot_offsetYPixel": 57.0822, "gridInfoId": 1337162, "dx_mm": 0.04,
    "steps_y": 5.0, "micronsPerPixelX": 0.438, "steps_x": 7.0, "micronsPerPixelY": 0.438, "snaked": 1,
    "snapshot_offsetXPixel": 79.9863, "dy_mm": 0.04,
}  # fmt: skip
COUNTS = [1, 0, 0, 0, 0, 1, 0, 239, 29, 3, 4, 0, 1, 0, 5, 0, 190, 249, 230, 206, 190, 202, 190, 184, 208, 107, 1, 0]
COUNTS += [0, 0, 0, 236, 183, 193, 230]


def report_of(grid: Grid, spots: Sequence[float], scan: int = 0, snapshot: Snapshot | None = None) -> ScanReport:
    """NaN = failed."""
    values = np.array(spots, float)
    return ScanReport(
        collection="xtal",
        scan=scan,
        master=MasterFile(f"/data/xtal_{scan + 1}.nxs", 1, 2, 3, 4),
        expected=len(values),
        frames=np.arange(len(values)),
        states=np.where(np.isnan(values), State.FAILED, State.DONE).astype(np.uint8),
        values=dict.fromkeys(METRICS, values),
        errors={},
        attempts=np.ones(len(values), np.int64),
        engine="dials",
        grid=grid,
        snapshot=snapshot,
    )


def read_as_gda(path: Path) -> dict[str, Any]:
    """GDA's autocentring: the status, and where to go, in pixels and boxes."""
    answer = json.loads(path.read_text())
    if answer["status"] != "ok":
        return {"status": answer["status"]}
    return {"status": "ok"} | {
        name: float(answer[name]) for name in ("centre_x", "centre_y", "centre_x_box", "centre_y_box")
    }


def test_gda_reads_what_production_wrote(tmp_path: Path) -> None:
    info = GridInfo.parse(ROW)
    write_all(tmp_path, report_of(info.grid, [float(n) for n in COUNTS], snapshot=info.snapshot))
    assert read_as_gda(tmp_path / "Dials5AResults.json") == {
        "status": "ok",
        "centre_x": 530.0841473581213,
        "centre_y": 357.1474315720809,
        "centre_x_box": 4.928571428571429,
        "centre_y_box": 3.2857142857142856,
    }
    answer = json.loads((tmp_path / "Dials5AResults.json").read_text())
    assert (answer["best_image"], answer["reflections_in_best_image"], answer["total_count"]) == (18, 249, 2930.0)


def test_gda_is_told_when_nothing_diffracts(tmp_path: Path) -> None:
    write_all(tmp_path, report_of(GridInfo.parse(ROW).grid, [0.0] * 35))
    assert read_as_gda(tmp_path / "Dials5AResults.json") == {"status": "fail"}


def read_as_hyperion(path: Path) -> list[tuple[list[float], float]]:
    """Hyperion: results by total count, those of fewer than 3 counts dropped, half a box taken off each centre."""
    results = json.loads(path.read_text())
    assert all(
        set(result)
        == {"centre_of_mass", "max_voxel", "max_count", "n_voxels", "total_count", "bounding_box", "sample_id"}
        for result in results
    )
    kept = sorted((r for r in results if r["total_count"] >= 3), key=lambda r: r["total_count"], reverse=True)
    return [([place - 0.5 for place in r["centre_of_mass"]], r["total_count"]) for r in kept]


def test_a_pair_is_a_list_of_crystals_with_production_s_names(tmp_path: Path) -> None:
    first = report_of(Grid(3, 2, snaked=False), [0, 0, 0, 0, 8, 0])
    second = report_of(Grid(3, 4, snaked=False), [0] * 10 + [5, 0], scan=1)
    pair = centre_pair(*(picture_of(report, "n_spots_total") for report in (first, second)))
    write_all(tmp_path, first, second, pair=pair)
    assert read_as_hyperion(tmp_path / "centring_3d.json") == [([1.0, 1.0, 3.0], 40.0)]
    assert {path.name for path in tmp_path.iterdir()} >= {
        "Dials5AResults_scan_1.json",
        "cells_scan_1.png",
        "summary_scan_1.json",
    }


def test_cells_cover_the_grid_and_nothing_else(tmp_path: Path) -> None:
    """MXCuBE stretches the picture over the grid: the middle of each part is the colour of its cell."""
    grid = Grid(3, 2, snaked=True)
    # 0 10 20
    # 40 ? 30
    write_cells(tmp_path / "cells.png", report_of(grid, [0, 10, 20, 30, np.nan, 40]))
    pixels = image.imread(tmp_path / "cells.png")
    assert pixels.shape == (2 * SIDE, 3 * SIDE, 4)
    corner = pixels[SIDE // 4 :: SIDE, SIDE // 4 :: SIDE]
    expected = colormaps["viridis"](np.array([[0, 10, 20], [40, np.nan, 30]]) / 40)
    expected[0, 0] = expected[1, 1] = 0.0
    assert corner == pytest.approx(expected, abs=1 / 255)
    assert pixels[2 * SIDE - 1, SIDE] == pytest.approx(STROKE, abs=1 / 255), "what failed is struck through"
    assert pixels[SIDE - 1, 0].tolist() == [0, 0, 0, 0], "what is empty is not"


def test_a_line_of_many_cells_stays_a_picture_that_can_be_shown() -> None:
    pixels = cells_of(report_of(Grid(3000, 1, snaked=False), [5.0, np.nan] * 1500), "n_spots_total")
    assert pixels.shape == (2, 6000, 4)
    assert max(pixels.shape) <= LARGEST
    assert (pixels[:, 2:4] == STROKE).all()
