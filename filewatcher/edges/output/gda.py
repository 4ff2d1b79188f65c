"""``Dials5AResults.json``: where the crystal of a grid scan is, in the file that GDA's autocentring picks up.

The fields and rules are production's (python-dlstbx, ``xray_centering``; method ``dlstbx``), so GDA reads what it
always did: ``status``, ``centre_x`` and ``centre_y`` (pixels of the snapshot), ``centre_x_box`` and ``centre_y_box``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from filewatcher.core.answers import METRIC
from filewatcher.core.centring import centre
from filewatcher.core.picture import picture_of

if TYPE_CHECKING:
    from filewatcher.core.lines import Json
    from filewatcher.core.report import ScanReport


def gda_results(report: ScanReport) -> dict[str, Json]:
    """Return the content of the file; pixels are null where nobody said where the grid lies. `Refused` without grid."""
    return centre(picture_of(report, METRIC), "dlstbx", snapshot=report.snapshot).production()
