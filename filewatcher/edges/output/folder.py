"""All that is written of a collection, in one folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filewatcher.core.lines import summary_line
from filewatcher.edges.output.h5 import write_results
from filewatcher.edges.output.summary import write_summary
from filewatcher.errors import Broken

if TYPE_CHECKING:
    from pathlib import Path

    from filewatcher.core.report import ScanReport

HEATMAP, SPOTS = "heatmap.png", "spots.png"


def name_of(name: str, scan: int) -> str:
    """Return the name of a file that there is one of for each scan: the first one's has no number.

    >>> name_of("summary.json", 0), name_of("summary.json", 1)
    ('summary.json', 'summary_scan_1.json')
    """
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}_scan_{scan}{dot}{suffix}" if scan else name


def write_all(folder: Path, *reports: ScanReport) -> None:
    """Write everything into ``folder``, made if need be, in place of what is there; raises `Broken`.

    The numbers come first: they are safe whatever becomes of the pictures.
    """
    # matplotlib is slow to load, and nothing needs it before the end
    from filewatcher.edges.output.heatmap import write_heatmap  # noqa: PLC0415
    from filewatcher.edges.output.spots import write_spots  # noqa: PLC0415

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Broken(f"{folder} cannot be made: {error.strerror}; choose another --output") from error
    write_results(folder / "results.h5", *reports)
    for report in reports:
        write_summary(folder / name_of("summary.json", report.scan), summary_line(report))
    for report in reports:
        heatmap, spots = folder / name_of(HEATMAP, report.scan), folder / name_of(SPOTS, report.scan)
        if report.grid is None:
            write_spots(spots, report)
            heatmap.unlink(missing_ok=True)
        else:
            write_heatmap(heatmap, report)
            spots.unlink(missing_ok=True)
