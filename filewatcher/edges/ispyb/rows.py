"""What is known of a run, in the columns of ISPyB.

========================= ==========================================================
``ImageQualityIndicators`` key ``dataCollectionId``, ``imageNumber`` (from 1 in its scan)
``spotTotal``, ``inResTotal`` ``n_spots_total``
``goodBraggCandidates``   ``n_spots_no_ice``
``method1Res``, ``method2Res`` ``estimated_d_min``, angstrom; -1 = too few spots to say, as production writes it
``totalIntegratedSignal`` ``total_intensity``, counts
========================= ==========================================================

It has no column for a state: a frame that failed or is missing has no row.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

if TYPE_CHECKING:
    from filewatcher.core.centring import Centring, Centring3D, Crystal, Crystal3D
    from filewatcher.core.messages import FrameResult

IMAGE_COLUMNS = (
    "dataCollectionId",
    "imageNumber",
    "autoProcProgramId",
    "spotTotal",
    "inResTotal",
    "goodBraggCandidates",
    "method1Res",
    "method2Res",
    "totalIntegratedSignal",
)
ImageRow: TypeAlias = tuple[int, int, int | None, int, int, int, float, float, float]
FileType: TypeAlias = Literal["Log", "Result", "Graph", "Debug", "Input"]
LONGEST = 255
"""Characters of a path or a message."""


def image_row(result: FrameResult, dcid: int, program: int | None) -> ImageRow:
    """Return the row of an analysed frame, in the order of `IMAGE_COLUMNS`."""
    found = result.statistics
    total, resolution = found.n_spots_total, found.estimated_d_min
    no_ice, signal = found.n_spots_no_ice, found.total_intensity
    return dcid, result.frame + 1, program, total, total, no_ice, resolution, resolution, signal


@dataclass(frozen=True, slots=True)
class CrystalRow:
    """A row of ``XrayCentringResult``; cells, the middle of the first one is 0.5. None where there is no such axis."""

    centreOfMassX: float  # noqa: N815  the names of the columns
    centreOfMassY: float  # noqa: N815
    centreOfMassZ: float | None  # noqa: N815
    maxVoxelX: int  # noqa: N815
    maxVoxelY: int  # noqa: N815
    maxVoxelZ: int | None  # noqa: N815
    numberOfVoxels: int  # noqa: N815
    totalCount: float  # noqa: N815
    boundingBoxMinX: float  # noqa: N815
    boundingBoxMinY: float  # noqa: N815
    boundingBoxMinZ: float | None  # noqa: N815
    boundingBoxMaxX: float  # noqa: N815
    boundingBoxMaxY: float  # noqa: N815
    boundingBoxMaxZ: float | None  # noqa: N815


CRYSTAL_COLUMNS = tuple(field.name for field in fields(CrystalRow))


@dataclass(frozen=True, slots=True)
class CentringRow:
    """A row of ``XrayCentring`` with those of its results."""

    scan: int
    """Whose group it belongs to."""
    xrayCentringType: Literal["2d", "3d"]  # noqa: N815
    crystals: tuple[CrystalRow, ...]

    @property
    def status(self) -> str:
        """``success`` or ``failed``."""
        return "success" if self.crystals else "failed"


@dataclass(frozen=True, slots=True)
class ScanEnding:
    """How a scan ended, for ``AutoProcProgram``."""

    success: bool
    """At least one frame was analysed."""
    message: str
    ended: str
    """Local time, ISO 8601, without its zone: as the database keeps times."""
    files: tuple[tuple[FileType, str], ...] = ()
    """Absolute paths, the most important first."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What is written of a run when it has ended."""

    scans: tuple[ScanEnding, ...]
    centrings: tuple[CentringRow, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it for a line or a table; `from_json` reads it again."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Self:
        """Read what `as_json` made."""
        scans = [ScanEnding(**{**one, "files": tuple(map(tuple, one["files"]))}) for one in kept["scans"]]
        centrings = [
            CentringRow(one["scan"], one["xrayCentringType"], tuple(CrystalRow(**row) for row in one["crystals"]))
            for one in kept["centrings"]
        ]
        return cls(tuple(scans), tuple(centrings))


def flat_centring(scan: int, found: Centring) -> CentringRow:
    """Return the rows of a centring of one grid: of its best crystal."""
    return CentringRow(scan, "2d", tuple(_flat(crystal) for crystal in found.crystals[:1]))


def solid_centring(scan: int, found: Centring3D) -> CentringRow:
    """Return the rows of a centring of a pair."""
    return CentringRow(scan, "3d", tuple(_solid(crystal) for crystal in found.crystals))


def _flat(crystal: Crystal) -> CrystalRow:
    (x, y), (px, py), ((x0, y0), (x1, y1)) = crystal.centre, crystal.peak, crystal.bounding_box
    return CrystalRow(x, y, None, px, py, None, crystal.n_cells, crystal.total, x0, y0, None, x1, y1, None)


def _solid(crystal: Crystal3D) -> CrystalRow:
    first, last = crystal.bounding_box
    return CrystalRow(*crystal.centre_of_mass, *crystal.max_voxel, crystal.n_voxels, crystal.total_count, *first, *last)
