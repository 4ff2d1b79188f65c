"""The engines from the command line: chosen, named, verified by real DIALS; and the spots of one image."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.conftest import Shell

if TYPE_CHECKING:
    from pathlib import Path

OTHER_RULE = "masked_pixels_erode=false"
"""Not that of Debian's DIALS, so that real DIALS disagrees where a spot touches a gap."""


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small finished collection, of which nothing changes."""
    folder = tmp_path_factory.mktemp("simulated")
    simulation = ("--detector", "eiger2-1m", "--grid", "5x4", "--rate", "inf", "--frames-per-file", 10)
    ran = Shell(folder / "work").run("simulate", folder / "raw", *simulation)
    assert ran.code == 0, ran.stderr
    return folder / "raw" / "grid.nxs"


def spots(shell: Shell, *words: object) -> tuple[int, str, str]:
    process = shell.start("spots", *words)
    out, err = process.communicate()
    shell.running.remove(process)
    return process.returncode, out, err


def test_native_is_the_choice_and_dials_says_the_same(shell: Shell, raw: Path) -> None:
    ran = shell.run("reprocess", raw, "--json", "--verify", 5, "--workers", 1)
    assert ran.code == 0, ran.stderr
    assert {line["engine"] for line in ran.frames} == {ran.summary["engine"]} == {"native"}
    assert ran.summary["engine_reason"].startswith(
        "auto: the tests prove it equal to DIALS for these parameters; rules"
    )
    assert ran.summary["verification"] == {"every": 5, "frames": 4, "disagreeing": 0, "listed": []}
    assert ran.summary["versions"]["engine"].startswith("native, filewatcher")
    assert "verified: DIALS says the same of 4 frames" in ran.stderr
    assert max(line["n_spots_total"] for line in ran.frames) > 100
    dials = shell.run("reprocess", raw, "--json", "--engine", "dials", "--workers", 1, "--images", "11-20")
    assert {line["engine"] for line in dials.frames} == {"dials"}
    same = [{k: v for k, v in line.items() if k != "engine"} for line in ran.by_frame()[10:]]
    assert [{k: v for k, v in line.items() if k != "engine"} for line in dials.by_frame()] == same
    assert dials.summary["verification"] is None


def test_where_dials_disagrees_it_is_said_listed_and_kept(shell: Shell, raw: Path) -> None:
    ran = shell.run("reprocess", raw, "--json", "--verify", 1, "--images", "12-14", OTHER_RULE, "--workers", 1)
    assert ran.code == 3, ran.stderr
    assert ran.counts() == (3, 3, 0, 0)
    found = ran.summary["verification"]
    assert (found["every"], found["frames"]) == (1, 3)
    assert 1 <= found["disagreeing"] <= 3
    first = found["listed"][0]
    assert first["number"] == "n_spots_total"
    line = next(line for line in ran.frames if line["frame"] == first["frame"])
    assert first["ours"] == line["n_spots_total"] > first["dials"]
    said = f"DIALS DISAGREES on {found['disagreeing']} of 3 frames"
    assert said in ran.stderr
    again = shell.run("reprocess", raw, "--json", "--images", "12-14", OTHER_RULE)
    assert again.code == 3, "what was found stays true of the recorded results"
    assert "3 of them are on record" in again.stderr
    assert said in again.stderr
    assert again.summary["verification"] == found | {"every": None}


def test_dials_is_not_verified_by_itself(shell: Shell, raw: Path) -> None:
    for words in (["--engine", "dials"], ["kernel_size=12,12"]):
        ran = shell.run("reprocess", raw, "--verify", 2, *words)
        assert ran.code == 2, ran.stderr
        assert "--verify compares with DIALS, and DIALS is the engine" in ran.stderr


@pytest.mark.data
@pytest.mark.parametrize("engine", ["native", "dials"])
def test_spots_of_an_image_for_a_program(shell: Shell, test_data: Path, engine: str) -> None:
    master = test_data / "i24_thaumatin_grid" / "thau_3_2.nxs"
    code, out, err = spots(shell, master, "--image", 2, "--json", "--engine", engine, "d_max=none")
    assert code == 0, err
    found = json.loads(out)
    about = {"type": "spots", "scan": 0, "frame": 1, "file-number": 2, "engine": engine, "shape": [2527, 2463]}
    assert found | about == found
    assert found["parameters"]["d_max"] is None
    with gzip.open(test_data / "i24_thaumatin_grid" / "spots_default.csv.gz", "rt") as file:
        rows = [row for row in csv.DictReader(file) if row["image"] == "2"]
    assert len(found["spots"]) == len(rows) > 1000

    def key(spot: dict[str, Any]) -> tuple[float, ...]:
        return (*spot["box"], spot["pixels"], spot["intensity"])

    names = ("bbox_x0", "bbox_x1", "bbox_y0", "bbox_y1", "n_strong_px", "intensity_sum")
    assert sorted(map(key, found["spots"])) == sorted(tuple(float(row[name]) for name in names) for row in rows)
    assert all(spot["box"][0] < spot["x"] < spot["box"][1] for spot in found["spots"])
    assert all(1 < spot["d"] < 200 for spot in found["spots"])


def test_spots_of_an_image_for_a_person(shell: Shell, raw: Path) -> None:
    code, out, err = spots(shell, raw, "--image", 13)
    assert code == 0, err
    assert "image 13: 492 spots" in out
    assert "engine native" in out
    rows = [line.split("│")[1:-1] for line in out.splitlines() if line.startswith("│")]
    counts = [float(row[3]) for row in rows]
    assert len(counts) == 492
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--image", "21"], 2, "--image 21: "),
        (["--image", "1", "d_mx=40"], 2, "unknown parameter d_mx: did you mean d_max?"),
        (["--image", "1", "--engine", "xds"], 2, "unknown engine xds: there are auto, native, dials"),
        (["--image", "13", "max_strong_pixel_fraction=0"], 3, "cannot be analysed: The number of strong pixels found"),
    ],
)
def test_wrong_wishes_for_spots_are_refused(shell: Shell, raw: Path, words: list[str], code: int, says: str) -> None:
    found, out, err = spots(shell, raw, *words)
    assert (found, out) == (code, ""), err
    assert err.startswith("filewatcher: ")
    assert len(err.splitlines()) == 1
    assert says in err


def test_an_image_that_is_not_there_yet_has_no_spots(shell: Shell, raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "half"
    shutil.copytree(raw.parent, folder)
    (folder / "grid_000002.h5").unlink()
    code, out, err = spots(shell, folder / "grid.nxs", "--image", 20)
    assert (code, out) == (3, "")
    assert f"image 20 of {folder / 'grid.nxs'} is not on disk yet" in err
    code, _, err = spots(shell, folder / "grid.nxs", "--image", 10)
    assert code == 0, err
    code, _, err = spots(shell, tmp_path, "--image", 1)
    assert code == 2
    assert "is a folder: give the master file in it" in err
