"""Production's answers, to the last digit: the golden cases, and more numbers from the tests of python-dlstbx."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from filewatcher.core.centring import Samples, centre, centre_pair
from filewatcher.core.grid import Grid
from filewatcher.core.gridinfo import GridInfo
from filewatcher.core.picture import from_frames

if TYPE_CHECKING:
    from pathlib import Path

    from filewatcher.core.grid import Orientation
    from filewatcher.core.picture import Picture

# dx_mm, dy_mm and microns per pixel that make the box sizes of the cases, (x, y)
CELLS = {
    (1.25, 1.25): (0.001, 0.001, 0.8),
    (24.096385542168676, 6.024096385542169): (0.01, 0.0025, 0.415),
    (45.45, 45.45): (0.02, 0.02, 0.44004400440044),
}

# the arrays and the wells of test_gridscan3d_for_multipin_sample, which the cases name only as variables
WELLS_Y = [0, 3, 3, 0, 0, 20, 10, 0, 0, 1, 0, 1]
WELLS_Z = [0, 3, 3, 0, 0, 10, 10, 0, 0, 1, 1, 1]
PIN = Samples(12345, {1: 12345, 2: 12346, 3: 12347}, ((0.0, 4.0), (4.0, 7.0), (8.0, 11.0)))


@pytest.fixture(scope="session")
def cases(test_data: Path) -> dict[str, dict[str, Any]]:
    every = json.loads((test_data / "centring" / "cases.json").read_text())["cases"]
    return {case["test"]: case for case in every}


def picture_of(values: Any, columns: int, rows: int, orientation: Orientation = "horizontal") -> Picture:
    counts = np.asarray(values, float).ravel()
    grid = Grid(columns, rows, snaked=True, orientation=orientation)
    return from_frames(grid, "n_spots_total", np.arange(len(counts)), counts)


@pytest.mark.data
@pytest.mark.parametrize("name", ["test_xray_centering", "test_vertical_1d", "test_blank_scan"])
def test_2d(cases: dict[str, dict[str, Any]], name: str) -> None:
    case = cases[name]
    (call,) = case["call"]
    steps, offset = call["steps"], call["snapshot_offset"]
    dx, dy, scale = CELLS[tuple(call["box_size_px"])]
    info = GridInfo.parse(
        {
            "steps_x": float(steps[0]),
            "steps_y": float(steps[1]),
            "dx_mm": dx,
            "dy_mm": dy,
            "micronsPerPixelX": scale,
            "micronsPerPixelY": scale,
            "snapshot_offsetXPixel": offset[0],
            "snapshot_offsetYPixel": offset[1],
            "snaked": int(call["snaked"]),
            "orientation": call["orientation"].rpartition(".")[2].lower(),
        }
    )
    counts = np.zeros(30) if case["data"] == "CALL np.zeros((5, 6))" else np.asarray(case["data"], float).ravel()
    picture = from_frames(info.grid, "n_spots_total", np.arange(len(counts)), counts)
    found = centre(picture, "dlstbx", snapshot=info.snapshot, samples=Samples(call["sample_id"]))
    assert json.loads(json.dumps(found.production())) == case["expected"]
    assert found.doubt.settled


@pytest.mark.data
def test_3d(cases: dict[str, dict[str, Any]]) -> None:
    case = cases["test_gridscan3d"]
    first, second = (picture_of(values, *case["steps"]) for values in case["data"])
    found = centre_pair(first, second, samples=Samples(12345))
    assert json.loads(json.dumps(found.production())) == [case["expected"]]
    assert (found.status, found.settled) == ("success", True)


@pytest.mark.data
def test_3d_with_thresholds(cases: dict[str, dict[str, Any]]) -> None:
    """python-dlstbx, test_gridscan3d_with_absolute_threshold."""
    first, second = (picture_of(values, 14, 9) for values in cases["test_gridscan3d"]["data"])
    (found,) = centre_pair(first, second, threshold=0.05, threshold_absolute=5, samples=Samples(12345)).crystals
    assert found.centre_of_mass == pytest.approx((4.74100, 4.56832, 4.13685), rel=1e-6)
    assert (found.max_voxel, found.max_count, found.n_voxels) == ((5, 4, 4), 7298, 20)
    assert (found.total_count, found.bounding_box) == (44128, ((2, 3, 2), (7, 6, 6)))


@pytest.mark.data
def test_3d_of_a_pin_with_several_samples(cases: dict[str, dict[str, Any]]) -> None:
    case = cases["test_gridscan3d_for_multipin_sample"]
    columns, rows = case["steps"]
    found = centre_pair(picture_of(WELLS_Y, columns, rows), picture_of(WELLS_Z, columns, rows), samples=PIN)
    assert (found.threshold, found.threshold_absolute) == (0.25, 3)
    answers: Any = json.loads(json.dumps(found.production()))
    for answer, expected in zip(answers, case["expected_results"], strict=True):
        assert answer | {"centre_of_mass": "mock.ANY"} == expected


def test_2d_of_the_service() -> None:
    """python-dlstbx, tests/services/test_xray_centering.py, a row of ISPyB as it came."""
    info = GridInfo.parse(
        {
            "orientation": "horizontal", "snapshot_offsetYPixel": 57.0822, "gridInfoId": 1337162, "dx_mm": 0.04,
            "steps_y": 5.0, "micronsPerPixelX": 0.438, "steps_x": 7.0, "micronsPerPixelY": 0.438, "snaked": 1,
            "snapshot_offsetXPixel": 79.9863, "dy_mm": 0.04,
        }
    )  # fmt: skip
    counts = [1, 0, 0, 0, 0, 1, 0, 239, 29, 3, 4, 0, 1, 0, 5, 0, 190, 249, 230, 206, 190, 202, 190, 184, 208, 107, 1, 0]
    counts += [0, 0, 0, 236, 183, 193, 230]
    picture = from_frames(info.grid, "n_spots_total", np.arange(35), np.array(counts, float))
    answer = centre(picture, "dlstbx", snapshot=info.snapshot).production()
    expected = {
        "best_image": 18, "centre_x": 530.0841473581213, "centre_x_box": 4.928571428571429,
        "centre_y": 357.1474315720809, "centre_y_box": 3.2857142857142856, "max_count": 249.0, "message": "ok",
        "n_voxels": 14, "reflections_in_best_image": 249, "status": "ok", "total_count": 2930.0,
    }  # fmt: skip
    assert {name: answer[name] for name in expected} == expected
