"""DIALS, as it is, reads what the simulated detector writes, and finds the crystal where it is."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import hdf5plugin
import numpy as np
import pytest

from filewatcher.testing.detector import Simulation, master_path, run
from filewatcher.testing.detector.sample import BLANKS, images

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JUDGE = """
import json, sys
from dials.array_family import flex
from dials.command_line import find_spots
from dxtbx.model.experiment_list import ExperimentListFactory
experiments = ExperimentListFactory.from_filenames([sys.argv[1]])
panel = experiments[0].detector[0]
x, y = panel.get_ray_intersection_px(experiments[0].beam.get_s0())
spots = find_spots.run([sys.argv[1], "nproc=1"], return_results=True)
frames = flex.floor(spots["xyzobs.px.value"].parts()[2])
print(json.dumps({
    "experiments": len(experiments),
    "format": type(experiments[0].imageset.get_format_class()).__name__,
    "size": panel.get_image_size(),
    "distance": panel.get_distance(),
    "material": panel.get_material(),
    "thickness": panel.get_thickness(),
    "wavelength": experiments[0].beam.get_wavelength(),
    "beam_centre": [y, x],
    "masked": experiments[0].imageset.get_mask(0)[0].count(False),
    "frames": list(frames),
}))
"""


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.mark.parametrize("layout", ["diamond", "jungfraujoch", "single"])
def test_dials_finds_the_crystal_and_nothing_else(layout: str, tmp_path: Path) -> None:
    sim = Simulation(
        tmp_path, layout=layout, detector="eiger2-1m", grid=(6, 5), rate=math.inf, frames_per_file=8, levels=3
    )
    run(sim)
    # DIALS itself never imports hdf5plugin; whoever does must not have the variable
    environment = {**os.environ, "HDF5_PLUGIN_PATH": str(hdf5plugin.PLUGIN_PATH)}
    command = [sys.executable, "-c", JUDGE, str(master_path(sim))]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout.splitlines()[-1])

    model = sim.model
    assert found["experiments"] == 30
    assert found["size"] == list(model.shape[::-1])
    assert found["distance"] == pytest.approx(model.distance)
    assert found["wavelength"] == pytest.approx(model.wavelength)
    assert found["beam_centre"] == pytest.approx(model.beam_centre, abs=1e-3)
    assert (found["material"], found["thickness"]) == ("Si", pytest.approx(model.sensor_thickness))
    assert found["masked"] >= np.count_nonzero(model.mask(sim.seed))

    spots = np.bincount(np.array(found["frames"], int), minlength=30)
    blank = images(sim) < BLANKS
    strength = images(sim)[~blank]
    assert spots[blank].max() <= 2
    assert spots[~blank].min() > 50
    assert np.corrcoef(spots[~blank], strength)[0, 1] > 0.8
