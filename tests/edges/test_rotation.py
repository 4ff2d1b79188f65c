"""A rotation: angles from its master, against which its numbers are drawn and kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from filewatcher.core.messages import METRICS, State
from filewatcher.core.observations import Described, MasterFile
from filewatcher.core.report import ESTIMATED, ScanReport
from filewatcher.edges.output.h5 import write_results
from filewatcher.edges.output.spots import draw_spots, write_spots
from filewatcher.edges.swmr import SwmrObserver
from filewatcher.testing.detector import Simulation, write_master

if TYPE_CHECKING:
    from pathlib import Path


async def described(master: Path) -> Described:
    async with SwmrObserver(master, wait=False) as observer, asyncio.timeout(60):
        while True:
            for item in await observer.observe():
                if isinstance(item, Described):
                    return item


def simulated(folder: Path, oscillation: float) -> Path:
    return write_master(Simulation(folder, detector="eiger2-1m", grid=(30, 2), oscillation=oscillation))


def test_angles_are_those_of_the_master(tmp_path: Path) -> None:
    found = asyncio.run(described(simulated(tmp_path, 0.5)))
    assert found.positions is None
    assert found.angles is not None
    assert found.angles.tolist() == pytest.approx(np.arange(60) * 0.5)


def test_a_grid_scan_has_none(tmp_path: Path) -> None:
    found = asyncio.run(described(simulated(tmp_path, 0.0)))
    assert found.positions is not None
    assert found.angles is None


@pytest.mark.parametrize(
    ("place", "units", "stored"),
    [("goniometer/omega", "deg", 1.0), ("transformations/phi", "rad", np.pi / 180), ("goniometer/phi", "degree", 1.0)],
)
def test_other_axes_and_units_are_understood(tmp_path: Path, place: str, units: str, stored: float) -> None:
    master = simulated(tmp_path, 0.0)
    with h5py.File(master, "r+") as file:
        file[f"/entry/sample/{place}"] = stored * (10.0 + 0.2 * np.arange(60))
        file[f"/entry/sample/{place}"].attrs["units"] = units
    found = asyncio.run(described(master))
    assert found.angles is not None
    assert found.angles.tolist() == pytest.approx(10.0 + 0.2 * np.arange(60))


def report_of(frames: np.ndarray, angles: np.ndarray | None) -> ScanReport:  # type: ignore[type-arg]
    spots = np.round(200 * np.sin(np.radians(frames * 0.5)) ** 2)
    few = np.where(spots > 10, 4.0 - spots / 100, -1.0)
    states = np.full(len(frames), State.DONE, np.uint8)
    states[len(frames) // 3] = State.FAILED
    values = {name: np.where(states == State.DONE, few if name in ESTIMATED else spots, np.nan) for name in METRICS}
    return ScanReport(
        collection="rotation",
        scan=0,
        master=MasterFile("/data/rotation.nxs", 1, 2, 3, 4),
        expected=len(frames),
        frames=frames,
        states=states,
        values=values,
        errors={len(frames) // 3: "chunk is broken"},
        attempts=np.ones(len(frames), np.int64),
        engine="dials",
        angles=angles,
    )


def test_results_open_with_a_curve_over_the_angle(tmp_path: Path) -> None:
    frames = np.arange(0, 360, 5)
    write_results(tmp_path / "results.h5", report_of(frames, -20.0 + 0.5 * frames))
    with h5py.File(tmp_path / "results.h5") as file:
        plot = file["/entry/scan_0/plot"]
        assert list(plot.attrs["axes"]) == ["omega"]
        assert plot["omega"].attrs["units"] == "deg"
        assert plot["omega"][()].tolist() == (-20.0 + 0.5 * frames).tolist()
        for name in (plot.attrs["signal"], *plot.attrs["auxiliary_signals"], "file-number"):
            assert plot[name].shape == plot["omega"].shape
        assert {"estimated_d_min", "total_intensity"} <= set(plot.attrs["auxiliary_signals"])


def test_the_picture_has_an_axis_of_degrees(tmp_path: Path) -> None:
    frames = np.arange(360)
    report = report_of(frames, 30.0 + 0.5 * frames)
    write_spots(tmp_path / "spots.png", report)
    upper = draw_spots(report).axes[0]
    (top,) = upper.child_axes
    top.figure.draw_without_rendering()
    assert top.get_xlim() == pytest.approx((30.0 - 0.25, 30.0 + 0.5 * 359 + 0.25))
    assert "degrees" in top.get_xlabel()


@pytest.mark.parametrize("angles", [None, np.r_[np.arange(180.0), np.arange(180.0)]])
def test_there_is_none_where_it_would_be_wrong(angles: np.ndarray | None) -> None:  # type: ignore[type-arg]
    assert draw_spots(report_of(np.arange(360), angles)).axes[0].child_axes == []


def test_angles_belong_to_the_frames() -> None:
    with pytest.raises(ValueError, match="angles has shape"):
        report_of(np.arange(10), np.arange(9.0))
