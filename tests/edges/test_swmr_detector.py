"""Geometry, beam and mask of a master, against what dxtbx itself makes of it."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from filewatcher.edges.swmr.detector import Reading, read_detector
from filewatcher.edges.swmr.images import entries, find_images
from filewatcher.edges.swmr.scan import exposure_time, sample_positions
from filewatcher.edges.swmr.tree import Tree
from filewatcher.errors import Broken, NotReady
from filewatcher.testing.layouts import direct
from filewatcher.testing.tinyfiles import IMAGE, LIBVER, create_images, write_metadata

if TYPE_CHECKING:
    from pathlib import Path

    from filewatcher.core.detector import Detector

MM = {"units": "mm"}

JUDGE = """
import hdf5plugin, json, sys
from dxtbx.format.FormatNXmx import FormatNXmx
images = FormatNXmx(sys.argv[1])
panel, beam = images.get_detector()[0], images.get_beam()
mask = images.get_static_mask()
print(json.dumps({
    "fast": panel.get_fast_axis(), "slow": panel.get_slow_axis(), "origin": panel.get_origin(),
    "pixel": panel.get_pixel_size(), "size": panel.get_image_size(), "trusted": panel.get_trusted_range(),
    "thickness": panel.get_thickness(), "material": panel.get_material(), "wavelength": beam.get_wavelength(),
    "source": beam.get_sample_to_source_direction(), "masked": mask[0].count(False) if mask else None,
    "mask": mask[0].size() if mask else None,
}))
"""


def dxtbx_of(master: Path) -> dict[str, Any]:
    """dxtbx in a process of its own: it opens files by its own rules, and loads another libhdf5."""
    ran = subprocess.run([sys.executable, "-c", JUDGE, str(master)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    answer: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return answer


def ours(master: Path) -> Reading:
    with Tree(str(master)) as tree:
        return read_detector(tree, find_images(tree))


def masked(detector: Detector) -> int | None:
    if detector.mask is None:
        return None
    bits = np.unpackbits(np.frombuffer(zlib.decompress(detector.mask), np.uint8), count=int(np.prod(detector.shape)))
    return int(bits.sum())


def agree(found: Detector, judge: dict[str, Any]) -> None:
    for mine, theirs in (
        (found.fast_axis, judge["fast"]),
        (found.slow_axis, judge["slow"]),
        (found.origin, judge["origin"]),
        (found.pixel_size, judge["pixel"]),
        (found.sample_to_source, judge["source"]),
        (found.wavelength, judge["wavelength"]),
        (found.thickness, judge["thickness"]),
    ):
        assert mine == pytest.approx(theirs, rel=1e-12, abs=1e-9)
    assert found.shape == tuple(judge["size"][::-1])
    assert found.material == judge["material"]
    assert found.trusted_range[1] == judge["trusted"][1]
    assert masked(found) == judge["masked"]


@pytest.mark.data
@pytest.mark.parametrize(
    "name", ["i24_thaumatin_grid/thau_3_2.nxs", "eiger2_16m_blank/eiger2_16m_blank.nxs", "masters/ins_8_5.nxs"]
)
def test_real_masters_as_dxtbx_reads_them(name: str, test_data: Path, tmp_path: Path) -> None:
    master = test_data / name
    if name.endswith("ins_8_5.nxs"):  # its mask lies in a file of its own
        (tmp_path / "ins_8_5_meta.h5").write_bytes(gzip.decompress((master.parent / "ins_8_5_meta.h5.gz").read_bytes()))
        master = tmp_path / "ins_8_5.nxs"
        master.symlink_to(test_data / name)
    found = ours(master)
    assert found.awaited == ()
    assert found.warnings == ()
    agree(found.detector, dxtbx_of(master))


@pytest.mark.data
def test_xrc_209_as_dxtbx_reads_it(test_data: Path, tmp_path: Path) -> None:
    # its meta file is not at hand; one that has nothing but a mask is enough for dxtbx
    master = tmp_path / "xrc_209_master.h5"
    master.symlink_to(test_data / "masters" / "xrc_209_master.h5")
    found = ours(master)
    assert [text.split(" is to come from ")[1] for text in found.awaited] == ["xrc_209_meta.h5"] * 3
    mask = np.zeros((2162, 2068), np.int32)
    mask[10, 20:30] = 1
    with h5py.File(tmp_path / "xrc_209_meta.h5", "w", libver=LIBVER) as file:
        file["mask"] = mask
        file["_dectris/bit_depth_image"] = [16]
    found = ours(master)
    assert found.awaited == ()
    assert masked(found.detector) == 10
    agree(found.detector, dxtbx_of(master))


def write_chain(path: Path, swung: float = 0.0, *, behind: bool = False) -> None:
    """A detector on a two-theta arm, with offsets, units and relative names as NeXus allows them."""
    with h5py.File(path, "w", libver=LIBVER) as file:
        write_metadata(file, 1)
        create_images(file, "entry/data/data", 1)
        file["entry/data"].attrs.update({"NX_class": "NXdata", "signal": "data"})
        sample = file.create_group("entry/sample")
        sample.attrs["NX_class"] = "NXsample"
        detector = file["entry/instrument/detector"]
        axes = detector.create_group("transformations")
        axes.attrs["NX_class"] = "NXtransformations"
        module = detector.create_group("module")
        module.attrs["NX_class"] = "NXdetector_module"
        module["data_origin"], module["data_size"] = np.array([0, 0]), np.array(IMAGE)

        def axis(name: str, value: Any, kind: str, unit: str, vector: Any, on: str, offset: Any = None) -> None:
            detector[name] = value
            detector[name].attrs.update(
                {"transformation_type": kind, "units": unit, "vector": np.array(vector, float), "depends_on": on}
            )
            if offset is not None:
                detector[name].attrs.update({"offset": np.array(offset, float), "offset_units": "mm"})

        axis("transformations/two_theta", [swung], "rotation", "deg", (-1, 0, 0), ".", (0.5, 0, 0))
        axis("transformations/det_z", [-0.2 if behind else 0.2], "translation", "m", (0, 0, 1), "two_theta")
        base = "/entry/instrument/detector"
        axis("module/module_offset", 1.0, "translation", "mm", (3, 4, 0), f"{base}/transformations/det_z", (0, 0, 7))
        axis("module/fast_pixel_direction", 75.0, "translation", "um", (-1, 0, 0), "module_offset")
        axis("module/slow_pixel_direction", 7.5e-5, "translation", "m", (0, -1, 0), "module_offset")


@pytest.mark.parametrize(("swung", "behind"), [(0.0, False), (15.0, False), (0.0, True)])
def test_chains_of_axes_as_dxtbx_follows_them(swung: float, behind: bool, tmp_path: Path) -> None:
    write_chain(tmp_path / "master.h5", swung, behind=behind)
    found = ours(tmp_path / "master.h5")
    agree(found.detector, dxtbx_of(tmp_path / "master.h5"))


def test_beam_centre_where_there_are_no_axes(tmp_path: Path) -> None:
    found = ours(direct(tmp_path).master).detector
    assert found.fast_axis == (1.0, 0.0, 0.0)
    assert found.slow_axis == (0.0, -1.0, 0.0)
    # the beam, at pixel (3, 2), goes through x = y = 0
    assert found.origin == pytest.approx((-3 * 0.075, 2 * 0.075, -200.0))
    assert found.trusted_range == (0.0, 60000.0)


def change(path: Path, name: str, value: Any, **attributes: Any) -> None:
    with h5py.File(path, "r+") as file:
        if name in file:
            del file[name]
        if value is not None:
            file[name] = value
            file[name].attrs.update(attributes)


DETECTOR = "entry/instrument/detector"


def test_units_are_read_and_wrong_ones_refused(tmp_path: Path) -> None:
    master = direct(tmp_path).master
    change(master, f"{DETECTOR}/detector_distance", 0.5, units="metres")
    change(master, "entry/instrument/beam/incident_wavelength", [0.09, 0.09], units="nm")
    found = ours(master).detector
    assert found.origin[2] == pytest.approx(-500.0)
    assert found.wavelength == pytest.approx(0.9)
    change(master, f"{DETECTOR}/detector_distance", 0.5, units="deg")
    with pytest.raises(Broken, match="units 'deg'"):
        ours(master)


def test_wavelength_from_energy(tmp_path: Path) -> None:
    master = direct(tmp_path).master
    change(master, "entry/instrument/beam/incident_wavelength", None)
    with pytest.raises(Broken, match="does not say the wavelength"):
        ours(master)
    change(master, f"{DETECTOR}/photon_energy", 12398.4198)
    assert ours(master).detector.wavelength == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize(
    ("said", "dtype", "highest"),
    [
        ({"saturation_value": 46051, "bit_depth_image": 16}, "<u2", 46051),
        ({"saturation_value": 65535, "bit_depth_image": 16}, "<u2", 65534),
        ({"bit_depth_image": 16}, "<u4", 65534),
        ({"bit_depth_readout": 32}, "<u4", 2**31 - 1),
        ({}, "<u2", 65534),
        ({}, None, 2**31 - 1),
    ],
)
def test_saturation(said: dict[str, int], dtype: str | None, highest: int, tmp_path: Path) -> None:
    master = direct(tmp_path).master
    change(master, f"{DETECTOR}/saturation_value", None)
    for name, value in said.items():
        change(master, f"{DETECTOR}/{name}", value)
    with Tree(str(master)) as tree:
        assert read_detector(tree, find_images(tree), dtype).detector.trusted_range == (0.0, highest)


@pytest.mark.parametrize("place", ["pixel_mask", "detectorSpecific/pixel_mask", "threshold_1_channel/pixel_mask"])
def test_where_masks_are(place: str, tmp_path: Path) -> None:
    master = direct(tmp_path).master
    mask = np.zeros(IMAGE, np.uint32)
    mask[0, :2] = 8
    change(master, f"{DETECTOR}/{place}", mask)
    assert masked(ours(master).detector) == 2
    change(master, f"{DETECTOR}/{place}", mask.T)
    found = ours(master)
    assert found.detector.mask is None
    assert "has shape (6, 4)" in found.warnings[0]


def test_geometry_that_is_not_there(tmp_path: Path) -> None:
    master = direct(tmp_path).master
    change(master, f"{DETECTOR}/sensor_material", "Kryptonite")
    assert "'Kryptonite' is unknown" in ours(master).warnings[0]
    change(master, f"{DETECTOR}/x_pixel_size", None)
    with pytest.raises(Broken, match="how large a pixel is"):
        ours(master)
    with h5py.File(master, "r+") as file:
        file[f"{DETECTOR}/x_pixel_size"] = h5py.ExternalLink("meta.h5", "x")
    with pytest.raises(NotReady, match=r"meta.h5 does not exist yet"):
        ours(master)


@pytest.mark.data
def test_positions_of_a_real_grid(test_data: Path) -> None:
    with Tree(str(test_data / "masters" / "xrc_209_master.h5")) as tree:
        assert entries(tree) == ["/entry"]
        positions = sample_positions(tree, "/entry", 240)
        assert exposure_time(tree, "/entry") == 0.004
    assert positions is not None
    assert len(set(positions.x.round(4).tolist())) == 30
    assert len(set(positions.y.round(4).tolist())) == 8
    assert np.abs(np.diff(positions.x[:30])) == pytest.approx(0.02)
    with Tree(str(test_data / "masters" / "ins_8_5.nxs")) as tree:
        assert sample_positions(tree, "/entry", 3600) is None


def test_positions_of_a_grid_tilted_between_two_axes(tmp_path: Path) -> None:
    master = direct(tmp_path).master
    along = np.array([0.0, 10.0, 20.0, 30.0, 40.0])
    change(master, "entry/sample/transformations/sam_y", along * 0.6, units="um")
    change(master, "entry/sample/transformations/sam_z", along * -0.8, units="um")
    with Tree(str(master)) as tree:
        found = sample_positions(tree, "/entry", 5)
        assert found is not None
        assert np.diff(found.y) == pytest.approx(-0.01)  # as sam_z, which moves more; mm
        assert found.x.tolist() == [0.0] * 5
        assert sample_positions(tree, "/entry", 4) is None


@pytest.mark.parametrize(("omega", "units", "rotates"), [(0.1, "deg", False), (90.0, "deg", True), (0.1, "rad", True)])
def test_a_sample_that_moves_while_it_turns_is_on_no_grid(
    tmp_path: Path, omega: float, units: str, rotates: bool
) -> None:
    master = direct(tmp_path).master
    change(master, "entry/sample/transformations/sam_y", np.arange(5) * 0.01, units="mm")
    change(master, "entry/sample/transformations/omega", np.linspace(0, omega, 5), units=units)
    with Tree(str(master)) as tree:
        assert (sample_positions(tree, "/entry", 5) is None) == rotates


def test_exposure_time(tmp_path: Path) -> None:
    master = direct(tmp_path).master
    change(master, f"{DETECTOR}/detector_readout_time", 1e5, units="ns")
    with Tree(str(master)) as tree:
        assert exposure_time(tree, "/entry") == pytest.approx(0.0101)
    change(master, f"{DETECTOR}/frame_time", 20.0, units="ms")
    with Tree(str(master)) as tree:
        assert exposure_time(tree, "/entry") == pytest.approx(0.02)
