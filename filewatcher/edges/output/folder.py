"""All that is written of a collection, in one folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filewatcher.core.lines import summary_line
from filewatcher.edges.output.gda import gda_results
from filewatcher.edges.output.h5 import write_results
from filewatcher.edges.output.jsonfile import write_json
from filewatcher.errors import Broken

if TYPE_CHECKING:
    from pathlib import Path

    from filewatcher.core.centring import Centring3D
    from filewatcher.core.report import ScanReport

HEATMAP, CELLS, SPOTS = "heatmap.png", "cells.png", "spots.png"
SUMMARY, GDA, PAIR = "summary.json", "Dials5AResults.json", "centring_3d.json"


def name_of(name: str, scan: int) -> str:
    """Return the name of a file that there is one of for each scan: the first one's has no number.

    >>> name_of("summary.json", 0), name_of("summary.json", 1)
    ('summary.json', 'summary_scan_1.json')
    """
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}_scan_{scan}{dot}{suffix}" if scan else name


def write_all(folder: Path, *reports: ScanReport, pair: Centring3D | None = None) -> None:
    """Write everything into ``folder``, made if need be, in place of what is there; raises `Broken`.

    The numbers come first: they are safe whatever becomes of the pictures.
    """
    # matplotlib is slow to load, and nothing needs it before the end
    from filewatcher.edges.output.cells import write_cells  # noqa: PLC0415
    from filewatcher.edges.output.heatmap import write_heatmap  # noqa: PLC0415
    from filewatcher.edges.output.spots import write_spots  # noqa: PLC0415

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Broken(f"{folder} cannot be made: {error.strerror}; choose another --output") from error
    write_results(folder / "results.h5", *reports)
    for report in reports:
        write_json(folder / name_of(SUMMARY, report.scan), summary_line(report))
        if report.grid is not None:
            write_json(folder / name_of(GDA, report.scan), gda_results(report))
    if pair is not None:
        write_json(folder / PAIR, pair.production())
    for report in reports:
        for name in (GDA, HEATMAP, CELLS) if report.grid is None else (SPOTS,):
            (folder / name_of(name, report.scan)).unlink(missing_ok=True)
        if report.grid is None:
            write_spots(folder / name_of(SPOTS, report.scan), report)
        else:
            write_heatmap(folder / name_of(HEATMAP, report.scan), report)
            write_cells(folder / name_of(CELLS, report.scan), report)
