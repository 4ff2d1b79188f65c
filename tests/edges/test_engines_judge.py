"""Both engines against their judge: `dials.command_line.find_spots_server.work` on the same file.

The judge runs in a process of its own, because it needs HDF5_PLUGIN_PATH, which h5py with hdf5plugin does not bear.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import h5py
import hdf5plugin
import numpy as np
import pytest

from spotfinding.analysis import Analysis, AnalysisError, Record
from spotfinding.chunks import Chunk, Layout
from spotfinding.detector import Detector
from spotfinding.parameters import Parameters

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

SHAPE = (420, 500)
PIXEL, DISTANCE, WAVELENGTH, THICKNESS, SATURATION = 0.172, 100.0, 1.0, 0.45, 5000
CORNER = (44.1, 35.3)
"""mm from the beam to the corner of pixel (0, 0)."""
FRAMES = 5
DTYPES = ("<u2", "<u4", "<f4")
ENGINES = ("dials", "native")

JUDGE = """
import json, logging, sys
from dials.command_line import find_spots_server as server
from dxtbx.model import SimplePxMmStrategy

strong, finder = [], logging.getLogger("dials.algorithms.spot_finding.finder")
handler = logging.Handler()
handler.emit = lambda r: strong.append(r.args[0]) if "strong pixels on image" in r.msg else None
finder.addHandler(handler)
finder.setLevel(logging.INFO)
read = server.ExperimentListFactory.from_filenames

def judge(path, frame, words, panel):
    def changed(names):
        experiments = read(names)
        for experiment in experiments:
            if "gain" in panel:
                experiment.detector[0].set_gain(panel["gain"])
            if panel.get("parallax") is False:
                experiment.detector[0].set_px_mm_strategy(SimplePxMmStrategy())
        return experiments
    server.ExperimentListFactory.from_filenames = staticmethod(changed)
    strong.clear()
    try:
        answer = server.work(path, [*words, f"scan_range={frame + 1},{frame + 1}"])
    except RuntimeError as error:
        return {"error": " ".join(str(error).split())}
    return dict(answer, n_strong_pixels=strong[0])

print(json.dumps([judge(*case) for case in json.load(sys.stdin)]))
"""

THRESHOLD = ["kernel_size=4,2", "sigma_background=4", "sigma_strong=5", "min_local=9", "global_threshold=12"]
SPOTS = ["min_spot_size=1", "max_spot_size=12", "max_separation=0.5"]
D_MAX = "spotfinder.filter.d_max=40"
CASES: dict[str, tuple[list[str], list[str], dict[str, Any]]] = {
    "default": ([], [D_MAX], {}),
    "no_limits": (["d_max=none"], [], {}),
    "limits": (["d_min=2.6", "d_max=9"], ["spotfinder.filter.d_min=2.6", "spotfinder.filter.d_max=9"], {}),
    "dispersion": (["threshold_algorithm=dispersion"], ["threshold.algorithm=dispersion", D_MAX], {}),
    "threshold": (THRESHOLD, [*THRESHOLD, D_MAX], {}),
    "all_local": (["min_local=0"], ["min_local=0", D_MAX], {}),
    "gain": (["gain=2"], ["gain=2", D_MAX], {}),
    "gain_dispersion": (
        ["gain=0.5", "threshold_algorithm=dispersion"],
        ["gain=0.5", "threshold.algorithm=dispersion", D_MAX],
        {},
    ),
    "spots": (SPOTS, [*SPOTS, D_MAX], {}),
    "any_separation": (["max_separation=none"], ["max_separation=None", D_MAX], {}),
    "ice": (["ice_rings_width=0.02"], ["ice_rings.width=0.02", D_MAX], {}),
    "no_ice_filter": (["filter_ice=false"], ["ice_rings.filter=False", D_MAX], {}),
    "no_parallax": (["parallax_correction=false"], [D_MAX], {"parallax": False}),
    "detector_gain": ([], [D_MAX], {"gain": 2.5}),
    "too_many": (["max_strong_pixel_fraction=0.004"], ["max_strong_pixel_fraction=0.004", D_MAX], {}),
}
"""Name -> (our words, DIALS's words, what is changed in DIALS's models)."""


def images(dtype: str) -> NDArray[np.generic]:
    """Many spots, the same weak and with high background, none, few; with gaps, dead and overloaded pixels."""
    rng = np.random.default_rng(1)
    slow, fast = np.indices(SHAPE)
    frames = []
    for n_spots, background, strength in ((420, 2, 400), (420, 40, 250), (0, 3, 0), (8, 0.2, 900), (900, 5, 20000)):
        expected = np.full(SHAPE, float(background))
        for y, x, total in zip(
            rng.uniform(0, SHAPE[0], n_spots),
            rng.uniform(0, SHAPE[1], n_spots),
            rng.exponential(strength, n_spots),
            strict=True,
        ):
            box = np.s_[max(0, int(y) - 8) : int(y) + 9, max(0, int(x) - 8) : int(x) + 9]
            r2 = (slow[box] - y) ** 2 + (fast[box] - x) ** 2
            expected[box] += total / 6 * np.exp(-r2 / rng.uniform(1, 4))
        if n_spots:
            expected[217:220, 257:260] += 100  # d = 42 angstrom
        frame = rng.poisson(expected)
        frame[frame > SATURATION - 2] -= 2  # some pixels just below, on and above the limit
        if n_spots > 100:
            frame[100, 50:60] = np.arange(SATURATION - 5, SATURATION + 5)
        frames.append(np.minimum(frame, 60000))
    stack: NDArray[Any] = np.stack(frames).astype(dtype)
    if dtype == "<f4":
        stack += rng.normal(0, 0.3, stack.shape).astype(dtype)
        stack[:, 200:212, :] = -5
    else:
        stack[:, 200:212, :] = np.iinfo(dtype).max
        stack[:, 50, 70] = np.iinfo(dtype).max - 1
        if dtype == "<u4":
            stack[:, 60, 70] = 2**31 - 1
            stack[:, 61, 70] = 2**31 + 5
    return stack


def pixel_mask() -> NDArray[np.uint32]:
    mask = np.zeros(SHAPE, dtype=np.uint32)
    mask[:, 240:247] = 1
    mask[np.random.default_rng(2).random(SHAPE) < 0.002] = 8
    return mask


def write_master(path: Path, dtype: str, degrees: float) -> None:
    """An NXmx file that dxtbx reads, with the images inside, `degrees` of rotation per image."""
    stack = images(dtype)

    def axis(group: h5py.Group, name: str, values: Any, **attributes: Any) -> None:
        group[name] = values
        for key, value in attributes.items():
            group[name].attrs[key] = np.bytes_(value) if isinstance(value, str) else value

    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        for name, nx_class in {
            "entry": "NXentry", "entry/data": "NXdata", "entry/instrument": "NXinstrument",
            "entry/instrument/beam": "NXbeam", "entry/instrument/detector": "NXdetector",
            "entry/instrument/detector/module": "NXdetector_module",
            "entry/instrument/detector/transformations": "NXtransformations",
            "entry/sample": "NXsample", "entry/sample/transformations": "NXtransformations",
        }.items():  # fmt: skip
            file.create_group(name).attrs["NX_class"] = np.bytes_(nx_class)
        entry = file["entry"]
        entry["definition"] = np.bytes_("NXmx")
        entry["data"].attrs["signal"] = np.bytes_("data")
        entry["data"].create_dataset("data", data=stack, chunks=(1, *SHAPE), **hdf5plugin.Bitshuffle(cname="lz4"))
        axis(entry["instrument/beam"], "incident_wavelength", WAVELENGTH, units="angstrom")
        detector = entry["instrument/detector"]
        detector["depends_on"] = np.bytes_("/entry/instrument/detector/transformations/det_z")
        detector["pixel_mask"] = pixel_mask()
        detector["saturation_value"] = SATURATION
        detector["underload_value"] = 0
        if dtype != "<f4":
            detector["bit_depth_readout"] = 8 * np.dtype(dtype).itemsize
        detector["sensor_material"] = np.bytes_("Si")
        axis(detector, "sensor_thickness", THICKNESS, units="mm")
        axis(detector["transformations"], "det_z", [DISTANCE], units="mm", depends_on=".",
             transformation_type="translation", vector=(0.0, 0.0, 1.0))  # fmt: skip
        module = detector["module"]
        module["data_origin"], module["data_size"] = [0, 0], list(SHAPE)
        offset = "/entry/instrument/detector/module/module_offset"
        shared = {"transformation_type": "translation", "units": "mm", "offset": (0.0, 0.0, 0.0)}
        axis(module, "module_offset", 1.0, depends_on=detector["depends_on"][()].decode(),
             **dict(shared, vector=(*CORNER, 0.0)))  # fmt: skip
        axis(module, "fast_pixel_direction", PIXEL, depends_on=offset, vector=(-1.0, 0.0, 0.0), **shared)
        axis(module, "slow_pixel_direction", PIXEL, depends_on=offset, vector=(0.0, -1.0, 0.0), **shared)
        entry["sample/depends_on"] = np.bytes_("/entry/sample/transformations/omega")
        axis(entry["sample/transformations"], "omega", 10 + degrees * np.arange(FRAMES), units="deg",
             depends_on=".", transformation_type="rotation", vector=(-1.0, 0.0, 0.0))  # fmt: skip


DETECTOR = Detector(
    shape=SHAPE,
    pixel_size=(PIXEL, PIXEL),
    fast_axis=(1, 0, 0),
    slow_axis=(0, -1, 0),
    origin=(-CORNER[0], CORNER[1], -DISTANCE),
    wavelength=WAVELENGTH,
    thickness=THICKNESS,
    material="Si",
    trusted_range=(0, SATURATION),
    mask=zlib.compress(np.packbits(pixel_mask() != 0).tobytes()),
)


@pytest.fixture(scope="module")
def masters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder: Path = tmp_path_factory.mktemp("judge")
    paths = {dtype: folder / f"stills_{dtype[1:]}.nxs" for dtype in DTYPES} | {"rotation": folder / "rotation.nxs"}
    for name, path in paths.items():
        write_master(path, "<u2" if name == "rotation" else name, 0.1 if name == "rotation" else 0.0)
    return paths


@pytest.fixture(scope="module")
def verdicts(masters: dict[str, Path]) -> Callable[[str, str], list[dict[str, Any]]]:
    """What DIALS says, per file and case: one process for all."""
    keys = [("<u2", case) for case in CASES] + [(name, "default") for name in ("<u4", "<f4", "rotation")]
    requests = [
        (str(masters[name]), frame, CASES[case][1], CASES[case][2]) for name, case in keys for frame in range(FRAMES)
    ]
    environment = dict(os.environ, HDF5_PLUGIN_PATH=hdf5plugin.PLUGINS_PATH)
    run = subprocess.run(
        [sys.executable, "-c", JUDGE],
        check=False,
        input=json.dumps(requests),
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    answers = json.loads(run.stdout.splitlines()[-1])  # DIALS prints too
    table = {key: answers[i * FRAMES : (i + 1) * FRAMES] for i, key in enumerate(keys)}
    return lambda name, case: table[name, case]


def ours(path: Path, case: str, engine: str) -> list[Record | str]:
    words, _, panel = CASES[case]
    analysis = Analysis(replace(DETECTOR, gain=panel.get("gain", 1.0)), Parameters.parse(words), engine)
    with h5py.File(path, swmr=True) as file:
        data = file["entry/data/data"]
        pipeline = data.id.get_create_plist().get_filter(0)
        layout = Layout(data.shape[1:], data.dtype.str, ((pipeline[0], tuple(pipeline[2])),))
        infos = [data.id.get_chunk_info(frame) for frame in range(FRAMES)]
    answers: list[Record | str] = []
    for info in infos:
        try:
            answers.append(analysis(Chunk(str(path), info.byte_offset, info.size, info.filter_mask), layout))
        except AnalysisError as error:
            answers.append(str(error))
    return answers


def check(answers: list[Record | str], expected: list[dict[str, Any]]) -> None:
    for answer, verdict in zip(answers, expected, strict=True):
        if isinstance(answer, str):
            assert answer == verdict["error"]
        else:
            assert asdict(answer) == pytest.approx(verdict, rel=1e-9)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES)
def test_every_parameter_gives_the_numbers_of_dials(
    case: str, engine: str, masters: dict[str, Path], verdicts: Callable[[str, str], list[dict[str, Any]]]
) -> None:
    check(ours(masters["<u2"], case, engine), verdicts("<u2", case))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["<u4", "<f4", "rotation"])
def test_every_pixel_type_and_rotations_give_the_numbers_of_dials(
    name: str, engine: str, masters: dict[str, Path], verdicts: Callable[[str, str], list[dict[str, Any]]]
) -> None:
    check(ours(masters[name], "default", engine), verdicts(name, "default"))


def test_the_judge_saw_something(verdicts: Callable[[str, str], list[dict[str, Any]]]) -> None:
    """The cases differ from each other, so that equality says something."""
    default = verdicts("<u2", "default")
    assert default[0]["n_spots_total"] > default[0]["n_spots_no_ice"] > 10
    assert default[2]["n_spots_total"] == 0
    assert default[2]["estimated_d_min"] == -1.0
    assert 0 < default[3]["n_spots_total"] <= 10
    assert any("error" in verdict for verdict in verdicts("<u2", "too_many"))
    same = [case for case in CASES if case != "default" and verdicts("<u2", case) == default]
    assert same == []
