"""``centre`` and ``export`` as their users run them."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from filewatcher.core.grid import Grid
from filewatcher.core.lines import FRAME_KEYS
from filewatcher.edges.output.h5 import write_results
from tests.edges.test_output import report_of

if TYPE_CHECKING:
    from pathlib import Path

INFO = {"steps_x": 3.0, "steps_y": 2.0, "dx_mm": 0.02, "dy_mm": 0.02, "snaked": 1, "orientation": "horizontal"}
SCAN = {"values": [0, 3, 9, 7, None, 0], "gridinfo": INFO}


def filewatcher(*words: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "filewatcher", *map(str, words)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def answer(*words: object, stdin: str = "") -> Any:
    ran = filewatcher("centre", *words, "--json", stdin=stdin)
    assert (ran.returncode, ran.stderr) == (0, "")
    return json.loads(ran.stdout)


def test_one_scan_in_2d_from_standard_input() -> None:
    found = answer("-", "--threshold", 0.5, stdin=json.dumps({"scans": [SCAN]}))
    assert (found["type"], found["status"], found["best_image"], found["method"]) == ("2d", "ok", 3, "weighted")
    assert found["centre_of_mass"] == [2.5, (9 * 0.5 + 7 * 1.5) / 16]
    assert (found["known"], found["cells"], found["settled"]) == (5, 6, True)
    # the unknown cell, as strong as the strongest, would move it by so much
    assert found["centre_reach_box"] == [[53.5 / 25, 0.9375], [2.5, 28.5 / 25]]


def test_production_by_name_with_its_thresholds(tmp_path: Path) -> None:
    path = tmp_path / "scan.json"
    path.write_text(json.dumps({"scans": [SCAN], "sample_id": 5}))
    found = answer(path, "--method", "dlstbx", "--threshold-absolute", 8)
    assert (found["centre_x_box"], found["centre_y_box"], found["n_voxels"], found["sample_id"]) == (2.5, 0.5, 1, 5)


def test_two_scans_in_3d(tmp_path: Path) -> None:
    path = tmp_path / "pair.json"
    path.write_text(json.dumps({"scans": [SCAN, SCAN]}))
    found = answer(path)
    assert (found["type"], found["status"]) == ("3d", "success")
    (crystal,) = found["results"]
    assert (crystal["max_voxel"], crystal["max_count"], crystal["n_voxels"]) == ([2, 0, 0], 81.0, 4)
    assert "x 2.50, y 0.94, z 0.94 cells" in filewatcher("centre", path).stdout


def test_results_of_a_run(tmp_path: Path) -> None:
    write_results(tmp_path / "results.h5", report_of(Grid(3, 2, snaked=True, step=(0.02, -0.01), origin=(1.0, 0.5))))
    found = answer(tmp_path / "results.h5")
    assert (found["best_image"], found["crystals"][0]["centre_mm"], found["known"]) == (4, [1.04, 0.49], 3)
    assert answer(tmp_path / "results.h5", "--metric", "estimated_d_min")["crystals"][0]["max_count"] == 1.5
    told = filewatcher("centre", tmp_path / "results.h5").stdout
    assert "n_spots_total 40 on image 4, row 2, column 3" in told
    assert "3 of 6 cells (50 %)" in told


def test_results_in_forms_that_others_read(tmp_path: Path) -> None:
    write_results(tmp_path / "results.h5", report_of())
    lines = [json.loads(line) for line in filewatcher("export", tmp_path / "results.h5", "--json").stdout.splitlines()]
    assert [line["type"] for line in lines] == ["frame"] * 5 + ["summary"]
    assert [line["state"] for line in lines[:5]] == ["done", "failed", "missing", "done", "done"]
    rows = list(csv.DictReader(filewatcher("export", tmp_path / "results.h5", "--csv").stdout.splitlines()))
    assert tuple(rows[0]) == FRAME_KEYS
    assert [row["n_spots_total"] for row in rows] == ["10", "", "", "40", "3"]
    np.testing.assert_equal(
        [{key: "" if line[key] is None else str(line[key]) for key in FRAME_KEYS} for line in lines[:5]], rows
    )


@pytest.mark.parametrize(
    ("words", "stdin", "says"),
    [
        (["centre", "-"], "", "standard input is neither a results.h5 nor JSON"),
        (["centre", "-"], '{"scans": 3}', 'standard input: expected {"scans": ['),
        (["centre", "-"], json.dumps({"scans": [SCAN] * 3}), "- has 3 scans: one is centred in 2D, two in 3D"),
        (["centre", "nowhere.h5"], "", "nowhere.h5 cannot be read: No such file or directory"),
        (["centre", "."], "", ". cannot be read: Is a directory"),
        (["centre", "-", "--method", "best"], "", "method 'best': choose one of weighted, dlstbx"),
        (["centre", "-", "--metric", "spots"], "", "metric 'spots': choose one of n_spots_total, "),
        (["centre", "-", "--metric", "noisiness_method_1"], json.dumps({"scans": [SCAN]}), "does not say where a"),
        (["centre", "-", "--threshold", 2], json.dumps({"scans": [SCAN]}), "threshold 2: a fraction"),
        (["export", "nowhere.h5", "--csv"], "", "nowhere.h5 cannot be read"),
        (["export", "-", "--json"], "{}", "standard input is no HDF5 file: give the results.h5 of a run"),
        (["export", "x.h5"], "", "export: choose one of --csv and --json"),
    ],
)
def test_bad_input_is_one_sentence(words: list[object], stdin: str, says: str) -> None:
    ran = filewatcher(*words, stdin=stdin)
    assert (ran.returncode, ran.stdout) == (2, "")
    (sentence,) = ran.stderr.splitlines()
    assert sentence.startswith("filewatcher: ")
    assert says in sentence
