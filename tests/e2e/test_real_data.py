"""Real images and real masters, against what DIALS 3.12.1 gave for them."""

from __future__ import annotations

import gzip
import json
import shutil
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from filewatcher.core.messages import METRICS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Shell

pytestmark = pytest.mark.data

NINE = [name for name in METRICS if name != "n_strong_pixels"]


def reference(test_data: Path, line: str, setting: str) -> dict[str, list[int]]:
    counts = json.loads((test_data / "reference_counts.json").read_text())
    found: dict[str, list[int]] = counts[line][setting]
    return found


@pytest.mark.parametrize("engine", ["dials", "native"])
def test_the_thaumatin_line_has_the_numbers_of_dials(shell: Shell, test_data: Path, engine: str) -> None:
    master = test_data / "i24_thaumatin_grid" / "thau_3_2.nxs"
    ran = shell.run("reprocess", master, "--json", "--engine", engine, "d_max=40")
    assert ran.code == 0, ran.stderr
    assert ran.counts() == (19, 19, 0, 0)
    entries = json.loads((test_data / "reference_pia.json").read_text())
    expected: list[dict[str, Any]] = sorted(
        (e for e in entries if e["dataset"] == "dls_i24_thaumatin_grid_cbf" and e["params"] == ["d_max=40"]),
        key=lambda e: e["file"],
    )
    lines = ran.by_frame()
    assert len(expected) == len(lines) == 19
    for line, wanted in zip(lines, expected, strict=True):
        assert {name: round(line[name], 4) for name in NINE} == {name: wanted[name] for name in NINE}
        assert line["engine"] == engine
    strong = reference(test_data, "i24_thaumatin_grid", "default")["strong_pixels_per_image"]
    assert [line["n_strong_pixels"] for line in lines] == strong

    folder = shell.folder / "thau_3_2-filewatcher"
    assert json.loads((folder / "summary.json").read_text()) == ran.summary
    with h5py.File(folder / "results.h5") as results:
        np.testing.assert_array_equal(
            results["entry/scan_0/frames/n_spots_total"][()], [line["n_spots_total"] for line in lines]
        )


def test_the_dispersion_setting_finds_the_spots_of_dials(shell: Shell, test_data: Path) -> None:
    master = test_data / "i24_thaumatin_grid" / "thau_3_2.nxs"
    ran = shell.run("reprocess", master, "--json", "threshold_algorithm=dispersion", "d_max=none")
    assert {line["engine"] for line in ran.frames} == {"native"}
    wanted = reference(test_data, "i24_thaumatin_grid", "dispersion")
    assert [line["n_spots_total"] for line in ran.by_frame()] == wanted["spots_per_image"]
    assert [line["n_strong_pixels"] for line in ran.by_frame()] == wanted["strong_pixels_per_image"]


def test_blank_frames_have_no_spots(shell: Shell, test_data: Path) -> None:
    ran = shell.run("reprocess", test_data / "eiger2_16m_blank" / "eiger2_16m_blank.nxs", "--json")
    assert ran.code == 0, ran.stderr
    assert [line["n_spots_total"] for line in ran.by_frame()] == [0, 0]
    strong = reference(test_data, "eiger2_16m_blank", "default")["strong_pixels_per_image"]
    assert [line["n_strong_pixels"] for line in ran.by_frame()] == strong


@pytest.mark.parametrize(
    ("master", "frames", "grid"), [("xrc_209_master.h5", 240, (30, 8)), ("ins_8_5.nxs", 3600, None)]
)
def test_a_master_without_data_ends_with_frames_missing_not_with_zeros(
    shell: Shell, test_data: Path, master: str, frames: int, grid: tuple[int, int] | None
) -> None:
    ran = shell.run("watch", test_data / "masters" / master, "--json", "--timeout-first", 5)
    assert ran.code == 3, ran.stderr
    assert ran.counts() == (frames, 0, 0, frames)
    assert {line["state"] for line in ran.frames} == {"missing"}
    assert {line["n_spots_total"] for line in ran.frames} == {None}
    assert "does not exist" in ran.frames[0]["error"]
    if grid:
        assert (ran.summary["grid"]["columns"], ran.summary["grid"]["rows"]) == grid
        assert ran.summary["grid"]["snaked"] is True


def test_masters_are_inspected_right(shell: Shell, test_data: Path, tmp_path: Path) -> None:
    (grid,) = _inspect(shell, test_data / "masters" / "xrc_209_master.h5")
    assert grid["frames"] == 240
    assert (grid["grid"]["columns"], grid["grid"]["rows"], grid["grid"]["snaked"]) == (30, 8, True)
    assert np.abs(grid["grid"]["step_mm"]) == pytest.approx([0.02, 0.02])
    assert grid["frames_now"] == 0

    # the real rotation master beside its meta file, unpacked
    for name in ("ins_8_5.nxs", "ins_8_5_meta.h5.gz"):
        shutil.copy(test_data / "masters" / name, tmp_path / name)
    (tmp_path / "ins_8_5_meta.h5").write_bytes(gzip.decompress((tmp_path / "ins_8_5_meta.h5.gz").read_bytes()))
    (rotation,) = _inspect(shell, tmp_path / "ins_8_5.nxs")
    assert (rotation["frames"], len(rotation["files"]), rotation["grid"]) == (3600, 4, None)
    assert [file["exists"] for file in rotation["files"]] == [False] * 4
    assert rotation["detector"]["wavelength"] == pytest.approx(0.97622, abs=1e-3)

    (line,) = _inspect(shell, test_data / "i24_thaumatin_grid" / "thau_3_2.nxs")
    assert (line["frames"], line["frames_now"]) == (19, 19)
    assert line["shape"] == [2527, 2463]


def _inspect(shell: Shell, master: Path) -> list[dict[str, Any]]:
    process = shell.start("inspect", master, "--json")
    out, err = process.communicate()
    shell.running.remove(process)
    assert process.returncode == 0, err
    return [json.loads(out)]
