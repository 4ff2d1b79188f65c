"""Both engines on real images, against the answers of DIALS itself."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from spotfinding.analysis import Analysis, Record
from spotfinding.chunks import Chunk, Layout
from spotfinding.detector import Detector
from spotfinding.parameters import Parameters

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from spotfinding.analysis import Measured

ENGINES = ("dials", "native")

# as thau_3_2.nxs says: PILATUS3 6M at Diamond I24
PILATUS = Detector(
    shape=(2527, 2463),
    pixel_size=(0.172, 0.172),
    fast_axis=(1, 0, 0),
    slow_axis=(0, -1, 0),
    origin=(-216.99692, 224.79712, -351.0),
    wavelength=0.96859,
    thickness=0.45,
    material="Si",
    trusted_range=(0, 115897),
)
EIGER = Detector(
    shape=(4362, 4148),
    pixel_size=(0.075, 0.075),
    fast_axis=(1, 0, 0),
    slow_axis=(0, -1, 0),
    origin=(-155.0, 163.0, -200.0),
    wavelength=0.98,
    thickness=0.45,
    material="Si",
    trusted_range=(0, 65535),
)


def chunks(path: Path) -> tuple[list[Chunk], Layout]:
    """Where the images of a data file are."""
    with h5py.File(path, swmr=True) as file:
        data = file["data"]
        number, _, options, _ = data.id.get_create_plist().get_filter(0)
        layout = Layout(data.shape[1:], data.dtype.str, ((number, tuple(options)),))
        infos = [data.id.get_chunk_info(i) for i in range(data.id.get_num_chunks())]
    infos.sort(key=lambda info: info.chunk_offset[0])
    return [Chunk(str(path), info.byte_offset, info.size, info.filter_mask) for info in infos], layout


def analyse(detector: Detector, words: list[str], engine: str, *paths: Path) -> list[Record]:
    analysis = Analysis(detector, Parameters.parse(words), engine)
    analysis.warm_up()
    records = []
    for path in paths:
        found, layout = chunks(path)
        records += [analysis(chunk, layout) for chunk in found]
    return records


def thaumatin(test_data: Path) -> list[Path]:
    return [test_data / "i24_thaumatin_grid" / f"thau_3_2_00000{i}.h5" for i in (1, 2)]


def counts(test_data: Path, folder: str, setting: str) -> tuple[list[int], list[int]]:
    reference = json.loads((test_data / "reference_counts.json").read_text())[folder][setting]
    return reference["spots_per_image"], reference["strong_pixels_per_image"]


@pytest.mark.data
@pytest.mark.parametrize("engine", ENGINES)
def test_thaumatin_line_has_the_statistics_of_dials(test_data: Path, engine: str) -> None:
    reference = [
        entry
        for entry in json.loads((test_data / "reference_pia.json").read_text())
        if entry["dataset"] == "dls_i24_thaumatin_grid_cbf" and entry["params"] == ["d_max=40"]
    ]
    reference.sort(key=lambda entry: entry["file"])
    _, strong = counts(test_data, "i24_thaumatin_grid", "default")
    names = [field.name for field in fields(Record) if field.name != "n_strong_pixels"]
    expected: list[dict[str, Any]] = [{name: entry[name] for name in names} for entry in reference]
    records = analyse(PILATUS, ["d_max=40"], engine, *thaumatin(test_data))
    assert len(records) == 19
    assert [{name: round(getattr(record, name), 4) for name in names} for record in records] == expected
    assert [record.n_strong_pixels for record in records] == strong


@pytest.mark.data
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("setting", ["dispersion_extended", "dispersion"])
def test_thaumatin_line_without_limits_has_the_counts_of_find_spots(test_data: Path, setting: str, engine: str) -> None:
    records = analyse(PILATUS, [f"threshold_algorithm={setting}", "d_max=none"], engine, *thaumatin(test_data))
    name = {"dispersion_extended": "default"}.get(setting, setting)
    spots, strong = counts(test_data, "i24_thaumatin_grid", name)
    assert [record.n_spots_total for record in records] == spots
    assert [record.n_strong_pixels for record in records] == strong


@pytest.mark.data
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("setting", ["dispersion_extended", "dispersion"])
def test_frames_without_beam_have_no_spots(test_data: Path, setting: str, engine: str) -> None:
    path = test_data / "eiger2_16m_blank" / "eiger2_16m_blank_000001.h5"
    records = analyse(EIGER, [f"threshold_algorithm={setting}"], engine, path)
    _, strong = counts(test_data, "eiger2_16m_blank", {"dispersion_extended": "default"}.get(setting, setting))
    empty = {"n_spots_total": 0, "n_spots_no_ice": 0, "n_spots_4A": 0, "total_intensity": 0.0}
    resolutions = ("estimated_d_min", "d_min_distl_method_1", "d_min_distl_method_2")
    unknown = dict.fromkeys((*resolutions, "noisiness_method_1", "noisiness_method_2"), -1.0)
    assert [asdict(record) for record in records] == [empty | unknown | {"n_strong_pixels": n} for n in strong]


@pytest.mark.data
@pytest.mark.parametrize("setting", ["default", "dispersion"])
def test_every_spot_of_the_thaumatin_line_is_that_of_dials(test_data: Path, setting: str) -> None:
    with gzip.open(test_data / "i24_thaumatin_grid" / f"spots_{setting}.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    algorithm = {"default": "dispersion_extended"}.get(setting, setting)
    words = Parameters.parse([f"threshold_algorithm={algorithm}", "d_max=none"])
    native = Analysis(PILATUS, words, "native")
    image = 0
    for path in thaumatin(test_data):
        places, layout = chunks(path)
        for chunk in places:
            image += 1
            check_spots(native.spots(chunk, layout), [row for row in rows if int(row["image"]) == image])
    assert image == 19


def check_spots(found: Measured, listed: list[dict[str, str]]) -> None:
    """Against the list as it was written down: along fast, centroids rounded to 0.001 px."""
    spots = found.spots
    names = ("bbox_x0", "bbox_x1", "bbox_y0", "bbox_y1", "n_strong_px", "intensity_sum", "x_px", "y_px")
    columns: list[NDArray[Any]] = [spots.bounding_box, spots.n_pixels, spots.intensity, spots.x, spots.y]
    ours = np.array(sorted(np.column_stack(columns).tolist())).reshape(-1, 8)
    theirs = np.array(sorted([float(row[name]) for name in names] for row in listed)).reshape(-1, 8)
    np.testing.assert_array_equal(ours[:, :6], theirs[:, :6])
    np.testing.assert_allclose(ours[:, 6:], theirs[:, 6:], rtol=0, atol=0.000501)
