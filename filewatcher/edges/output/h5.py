"""``results.h5``: everything that is known of a collection, in the terms of NeXus.

::

    /                      NXroot        default -> entry
    /entry                 NXentry       default -> scan_0
        process            NXprocess     program, version, date; engine, parameters, versions, times, warnings (JSON)
            masters        NXcollection  path, size, mtime: one of each per scan
        scan_0             NXcollection  default -> grid, or plot
            frames         NXcollection  one dataset per key of the JSON line, one value per frame selected
            grid           NXdata        of a grid scan: one picture per metric, row 0 = top, and ``state``
            plot           NXdata        of any other: links to ``frames``, so that a viewer opens with a curve; of a
                                         rotation against ``omega``, the angle at which each frame begins
        scan_1 ...

NaN = unknown. ``frames`` keeps the -1.0 of an image with too few spots to say, as the JSON lines do; the pictures
have NaN there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from filewatcher.core.lines import to_json
from filewatcher.core.messages import METRICS, State
from filewatcher.core.report import UNITS
from filewatcher.edges.output.replace import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from filewatcher.core.grid import Grid
    from filewatcher.core.report import ScanReport

SIGNAL = "n_spots_total"
"""What a viewer shows first."""

NOT_SELECTED = 255
"""State of a cell whose frame is not in the selection."""

_TEXT = h5py.string_dtype()


def write_results(path: Path, *scans: ScanReport) -> None:
    """Write ``results.h5`` of a collection, in place of one that is there; raises `Broken` if that fails."""
    with replacing(path) as temporary:
        temporary.write_bytes(_image(scans))


def _image(scans: tuple[ScanReport, ...]) -> bytes:
    """The whole file, made in memory: on a full disk libhdf5 does not fail, it crashes when it closes."""
    # HDF5 1.10 reads it, so also DIALS's and the viewers of older systems
    libver = ("earliest", "v110")
    with h5py.File("results.h5", "w", libver=libver, driver="core", backing_store=False) as file:
        file.attrs.update({"NX_class": "NXroot", "default": "entry", "creator": "filewatcher"})
        entry = _group(file, "entry", "NXentry", default=f"scan_{scans[0].scan}")
        entry["title"] = _text(scans[0].collection)
        _write_process(entry, scans)
        for report in scans:
            default = "plot" if report.grid is None else "grid"
            scan = _group(entry, f"scan_{report.scan}", "NXcollection", default=default)
            frames = _write_frames(scan, report)
            if report.grid is None:
                _write_plot(scan, frames, report.angles)
            else:
                _write_grid(scan, report, report.grid)
        file.flush()
        return bytes(file.id.get_file_image())


def _group(parent: Any, name: str, nx_class: str, **attributes: object) -> Any:
    group = parent.create_group(name)
    group.attrs.update({"NX_class": nx_class, **attributes})
    return group


def _text(words: str) -> str:
    """Words as HDF5 can hold them: without NUL, and without bytes of a file name that are no text."""
    return words.replace("\0", "\\0").encode(errors="backslashreplace").decode()


def _write_process(entry: Any, scans: Iterable[ScanReport]) -> None:
    """How the numbers came about; one run has one engine and one set of parameters, whatever its scans."""
    scans = list(scans)
    first = scans[0]
    process = _group(entry, "process", "NXprocess")
    process["program"] = "filewatcher"
    process["version"] = str(first.versions.get("filewatcher", ""))
    process["date"] = str(first.times.get("ended", ""))
    process["engine"] = first.engine
    for name in ("parameters", "versions", "times"):
        process[name] = json.dumps(to_json(getattr(first, name)), allow_nan=False)
    process["warnings"] = json.dumps([warning for scan in scans for warning in scan.warnings])
    masters = _group(process, "masters", "NXcollection")
    masters.create_dataset("path", data=[_text(scan.master.path) for scan in scans], dtype=_TEXT)
    masters["size"] = np.array([scan.master.size for scan in scans], dtype=np.int64)
    masters["size"].attrs["units"] = "bytes"
    masters["mtime"] = np.array([scan.master.mtime_ns for scan in scans], dtype=np.int64)
    masters["mtime"].attrs.update({"units": "ns", "long_name": "since 1970-01-01T00:00:00Z"})


def _write_frames(scan: Any, report: ScanReport) -> Any:
    """One dataset per key of the JSON line; returns their group."""
    frames = _group(scan, "frames", "NXcollection")
    shape = report.frames.shape
    engine_met = np.isin(report.states, (State.DONE, State.FAILED))
    numbers: dict[str, ArrayLike] = {
        "scan": np.full(shape, report.scan, dtype=np.int64),
        "frame": report.frames.astype(np.int64),
        "file-number": report.frames.astype(np.int64) + 1,
        "state": report.states,
        **{name: report.values[name] for name in METRICS},
        "attempts": report.attempts.astype(np.int64),
    }
    for name, data in numbers.items():
        frames[name] = data
    words = {
        "type": ["frame"] * len(engine_met),
        "engine": [report.engine if met else "" for met in engine_met],
        "error": [_text(report.errors.get(i, "")) for i in range(len(engine_met))],
    }
    for name, texts in words.items():
        frames.create_dataset(name, data=np.array(texts, dtype=object), dtype=_TEXT)
    _name_states(frames["state"])
    for name, unit in UNITS.items():
        frames[name].attrs["units"] = unit
    return frames


def _name_states(dataset: Any) -> None:
    """The words of the codes, in their order: ``names[code]``."""
    dataset.attrs.create("names", [state.word for state in State], dtype=_TEXT)


def _write_grid(scan: Any, report: ScanReport, grid: Grid) -> None:
    """Pictures as they are seen: row 0 on top, column 0 on the left."""
    group = _group(scan, "grid", "NXdata", signal=SIGNAL, title=_text(f"{report.collection} {grid}"))
    group.attrs.create("axes", ["y", "x"], dtype=_TEXT)
    group.attrs.create("auxiliary_signals", [name for name in METRICS if name != SIGNAL], dtype=_TEXT)
    for name in METRICS:
        group[name] = grid.picture(report.known(name), report.frames)
        if name in UNITS:
            group[name].attrs["units"] = UNITS[name]
    group["state"] = grid.picture(report.states, report.frames, fill=NOT_SELECTED)
    _name_states(group["state"])
    group["state"].attrs["not_selected"] = np.uint8(NOT_SELECTED)
    for name, centres, counted in zip(("x", "y"), grid.axes(), ("column", "row"), strict=True):
        group[name] = centres
        group[name].attrs["long_name"] = f"{name} (mm)" if grid.step else counted
        if grid.step:
            group[name].attrs["units"] = "mm"
    for name in ("orientation", "snaked", "start"):
        group.attrs[name] = getattr(grid, name)
    # the axes alone do not tell the step of a single row or column
    for name, pair in (("step_mm", grid.step), ("origin_mm", grid.origin)):
        if pair is not None:
            group.attrs[name] = np.array(pair, dtype=np.float64)


def _write_plot(scan: Any, frames: Any, angles: NDArray[np.float64] | None) -> None:
    """Spots, resolution and intensity against image number or angle, by links: nothing is written twice."""
    plot = _group(scan, "plot", "NXdata", signal=SIGNAL)
    plot.attrs.create("axes", ["file-number" if angles is None else "omega"], dtype=_TEXT)
    plot.attrs.create("auxiliary_signals", ["estimated_d_min", "total_intensity"], dtype=_TEXT)
    for name in (SIGNAL, "file-number", "estimated_d_min", "total_intensity"):
        plot[name] = frames[name]
    if angles is not None:
        plot["omega"] = angles
        plot["omega"].attrs.update({"units": "deg", "long_name": "angle at which the image begins (deg)"})
        plot.attrs["file-number_indices"] = plot.attrs["omega_indices"] = 0
