"""The NXmx tree of a master: everything but the images.

Names, units and dependency chains follow the NeXus definition of NXmx and the masters that nexgen writes at Diamond;
vectors are in NeXus's frame (x and z the other way round than in dxtbx's).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import hdf5plugin
import numpy as np

from filewatcher.testing.detector.sample import angles, positions
from filewatcher.testing.detector.settings import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import h5py
    from numpy.typing import ArrayLike

    from filewatcher.testing.detector.settings import Simulation

_TRANSFORMATIONS = "/entry/instrument/detector/transformations"
_SAMPLE = "/entry/sample/transformations"


def write_entry(file: h5py.File, sim: Simulation, mask: h5py.ExternalLink | None) -> h5py.Group:
    """Write ``/entry`` but for its images; the mask is a link, or written here if None. Return ``/entry/data``."""
    file.attrs["default"] = "entry"
    entry = _group(file, "entry", "NXentry")
    entry.attrs["default"] = "data"
    entry["definition"] = np.bytes_("NXmx")
    start = datetime.now(UTC)
    end = start + timedelta(seconds=sim.n_frames * sim.frame_time)
    entry["start_time"] = np.bytes_(start.strftime("%Y-%m-%dT%H:%M:%SZ"))
    entry["end_time_estimated"] = np.bytes_(end.strftime("%Y-%m-%dT%H:%M:%SZ"))
    source = _group(entry, "source", "NXsource")
    source["name"] = np.bytes_("filewatcher")
    source["type"] = np.bytes_("Synchrotron X-ray Source")
    instrument = _group(entry, "instrument", "NXinstrument")
    instrument["name"] = np.bytes_("SIMULATED BEAMLINE")
    _write_beam(instrument, sim)
    _write_detector(instrument, sim, mask)
    _write_sample(entry, sim)
    data = _group(entry, "data", "NXdata")
    data.attrs["signal"] = "data"
    return data


def write_mask(where: h5py.Group, name: str, sim: Simulation) -> None:
    """Write the pixel mask, uint32 as NXmx wants it, compressed."""
    mask = sim.model.mask(sim.seed)
    where.create_dataset(name, data=mask, chunks=mask.shape, **hdf5plugin.Bitshuffle(cname="lz4"))


def _group(parent: h5py.Group, name: str, nx_class: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = nx_class
    return group


def _field(group: h5py.Group, name: str, value: ArrayLike, **attributes: ArrayLike) -> None:
    group[name] = value
    for key, attribute in attributes.items():
        group[name].attrs[key] = attribute


def _axis(
    group: h5py.Group, name: str, value: ArrayLike, kind: str, vector: tuple[float, float, float], depends_on: str
) -> None:
    """One link of a NeXus chain of transformations: a rotation in degrees or a translation in mm."""
    _field(
        group,
        name,
        np.asarray(value, np.float64),
        units="deg" if kind == "rotation" else "mm",
        transformation_type=kind,
        vector=np.array(vector),
        depends_on=depends_on,
    )


def _write_beam(instrument: h5py.Group, sim: Simulation) -> None:
    beam = _group(instrument, "beam", "NXbeam")
    _field(beam, "incident_wavelength", sim.model.wavelength, units="angstrom")
    _field(beam, "total_flux", 1e12, units="Hz")


def _write_detector(instrument: h5py.Group, sim: Simulation, mask: h5py.ExternalLink | None) -> None:
    model = sim.model
    detector = _group(instrument, "detector", "NXdetector")
    plain: Mapping[str, ArrayLike] = {
        "description": np.bytes_(model.description),
        "type": np.bytes_("Pixel"),
        "sensor_material": np.bytes_("Si"),
        "bit_depth_image": 16,
        "bit_depth_readout": 16,
        "saturation_value": model.saturation,
        "underload_value": 0,
        "pixel_mask_applied": 1,
    }
    for name, value in plain.items():
        detector[name] = value
    _field(detector, "sensor_thickness", model.sensor_thickness / 1000, units="m")
    _field(detector, "distance", model.distance / 1000, units="m")
    _field(detector, "x_pixel_size", model.pixel_size / 1000, units="m")
    _field(detector, "y_pixel_size", model.pixel_size / 1000, units="m")
    _field(detector, "beam_center_x", model.beam_centre[1], units="pixels")
    _field(detector, "beam_center_y", model.beam_centre[0], units="pixels")
    _field(detector, "count_time", sim.exposure_time, units="s")
    _field(detector, "frame_time", sim.frame_time, units="s")
    _write_specific(detector, sim)
    _write_masks(detector, sim, mask)
    detector["depends_on"] = np.bytes_(f"{_TRANSFORMATIONS}/det_z")
    chain = _group(detector, "transformations", "NXtransformations")
    _axis(chain, "det_z", [model.distance], "translation", (0, 0, 1), ".")
    _write_module(detector, sim)


def _write_specific(detector: h5py.Group, sim: Simulation) -> None:
    """How many images: DECTRIS counts them per trigger, one trigger for each row of a grid."""
    specific = _group(detector, "detectorSpecific", "NXcollection")
    columns, rows = sim.grid
    per_row = sim.layout.startswith("dectris") and sim.n_frames == columns * rows
    specific["nimages"] = columns if per_row else sim.n_frames
    specific["ntrigger"] = rows if per_row else 1
    specific["y_pixels_in_detector"], specific["x_pixels_in_detector"] = sim.model.shape


def _write_masks(detector: h5py.Group, sim: Simulation, mask: h5py.ExternalLink | None) -> None:
    """Put the mask where the layout has it."""
    if mask is not None:
        detector["pixel_mask"] = mask
    elif sim.layout == "dectris":
        write_mask(detector["detectorSpecific"], "pixel_mask", sim)
    elif sim.layout == "dectris-2024":
        for name in CHANNELS[: sim.channels]:
            write_mask(_group(detector, f"{name}_channel", "NXdetector_channel"), "pixel_mask", sim)
    else:
        write_mask(detector, "pixel_mask", sim)
        detector["detectorSpecific/pixel_mask"] = detector["pixel_mask"]


def _write_module(detector: h5py.Group, sim: Simulation) -> None:
    """Write the one module: where pixel (0, 0) is, and which way rows and columns run."""
    model = sim.model
    module = _group(detector, "module", "NXdetector_module")
    module["data_origin"] = np.zeros(2, np.uint32)
    module["data_size"] = np.array(model.shape, np.uint32)
    corner = np.array([*model.beam_centre[::-1], 0.0]) * model.pixel_size
    length = float(np.linalg.norm(corner))
    offset = f"{module.name}/module_offset"
    _axis(module, "module_offset", length, "translation", tuple(corner / length), f"{_TRANSFORMATIONS}/det_z")
    _axis(module, "fast_pixel_direction", model.pixel_size, "translation", (-1, 0, 0), offset)
    _axis(module, "slow_pixel_direction", model.pixel_size, "translation", (0, -1, 0), offset)


def _write_sample(entry: h5py.Group, sim: Simulation) -> None:
    """Write the sample's position at every frame, and omega: it turns, or stands still at some quarter turn."""
    sample = _group(entry, "sample", "NXsample")
    sample["depends_on"] = np.bytes_(f"{_SAMPLE}/sam_x")
    chain = _group(sample, "transformations", "NXtransformations")
    x, across = positions(sim)
    still = np.zeros(sim.n_frames)
    # what was across the beam lies along it after a quarter turn
    y, z = (still, across) if sim.turn % 2 else (across, still)
    _axis(chain, "omega", angles(sim), "rotation", (-1, 0, 0), ".")
    _axis(chain, "sam_z", z, "translation", (0, 0, 1), f"{_SAMPLE}/omega")
    _axis(chain, "sam_y", y, "translation", (0, 1, 0), f"{_SAMPLE}/sam_z")
    _axis(chain, "sam_x", x, "translation", (1, 0, 0), f"{_SAMPLE}/sam_y")
