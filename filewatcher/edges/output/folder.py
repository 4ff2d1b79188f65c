"""All that is written of a scan, in one folder."""

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


def write_all(folder: Path, report: ScanReport) -> None:
    """Write everything into ``folder``, made if need be, in place of what is there; raises `Broken`.

    The numbers come first: they are safe whatever becomes of the picture.
    """
    # matplotlib is slow to load, and nothing needs it before the end
    from filewatcher.edges.output.heatmap import write_heatmap  # noqa: PLC0415
    from filewatcher.edges.output.spots import write_spots  # noqa: PLC0415

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Broken(f"{folder} cannot be made: {error.strerror}; choose another --output") from error
    write_results(folder / "results.h5", report)
    write_summary(folder / "summary.json", summary_line(report))
    if report.grid is None:
        write_spots(folder / SPOTS, report)
        (folder / HEATMAP).unlink(missing_ok=True)
    else:
        write_heatmap(folder / HEATMAP, report)
        (folder / SPOTS).unlink(missing_ok=True)
