"""Read ``results.h5`` again: the report of each scan, as it was written."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import h5py

from filewatcher.core.grid import Grid
from filewatcher.core.messages import METRICS
from filewatcher.core.observations import MasterFile
from filewatcher.core.report import ScanReport
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

SIGNATURE = b"\x89HDF\r\n\x1a\n"
"""What an HDF5 file begins with."""


def read_results(content: bytes, name: str) -> tuple[ScanReport, ...]:
    """Return the scans of a results file, in their order; raises `Refused`, naming the file, if it is none."""
    if not content.startswith(SIGNATURE):
        raise Refused(f"{name} is no HDF5 file: give the results.h5 of a run")
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            entry = file["entry"]
            scans = sorted((int(key[5:]), key) for key in entry if key.startswith("scan_") and key[5:].isdigit())
            process = _process(entry) | {"collection": _word(entry["title"][()])}
            # masters are listed in the order of the scans
            reports = tuple(_report(entry[key], number, row, process) for row, (number, key) in enumerate(scans))
    except (OSError, KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise Refused(
            f"{name} is not a whole results.h5 of filewatcher: {error}; analyse the collection again"
        ) from error
    if not reports:
        raise Refused(f"{name} holds no scan: give the results.h5 of a run")
    return reports


def _process(entry: Any) -> dict[str, Any]:
    process = entry["process"]
    return {name: json.loads(_word(process[name][()])) for name in ("parameters", "versions", "times")} | {
        "engine": _word(process["engine"][()]),
        "masters": process["masters"],
    }


def _report(scan: Any, number: int, row: int, process: Mapping[str, Any]) -> ScanReport:
    frames, masters = scan["frames"], process["masters"]
    states: NDArray[np.uint8] = frames["state"][()]
    words = [_word(error) for error in frames["error"][()]]
    return ScanReport(
        collection=process["collection"],
        scan=number,
        master=MasterFile(_word(masters["path"][row]), 0, 0, int(masters["size"][row]), int(masters["mtime"][row])),
        expected=len(states),
        frames=frames["frame"][()],
        states=states,
        values={name: frames[name][()] for name in METRICS},
        errors={place: word for place, word in enumerate(words) if word},
        attempts=frames["attempts"][()],
        engine=process["engine"],
        grid=_grid(scan["grid"]) if "grid" in scan else None,
        parameters=process["parameters"],
        versions=process["versions"],
        times=process["times"],
    )


def _grid(group: Any) -> Grid:
    rows, columns = group["state"].shape
    attributes = group.attrs
    return Grid(
        columns,
        rows,
        snaked=bool(attributes["snaked"]),
        orientation=attributes["orientation"],
        start=attributes["start"],
        step=_pair(attributes.get("step_mm")),
        origin=_pair(attributes.get("origin_mm")),
    )


def _pair(numbers: NDArray[np.float64] | None) -> tuple[float, float] | None:
    return None if numbers is None else (float(numbers[0]), float(numbers[1]))


def _word(value: bytes | str) -> str:
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else value
