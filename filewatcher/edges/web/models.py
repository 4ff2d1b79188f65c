"""What may be sent to the server, as OpenAPI tells it; unknown keys are refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from filewatcher.core.asks import Ask, GridWords, Priority
from filewatcher.core.grid import Corner, Grid, Orientation
from filewatcher.core.gridinfo import GridInfo
from filewatcher.errors import Refused

LONGEST_PATH = 4096
Path = Annotated[str, Field(min_length=1, max_length=LONGEST_PATH)]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\w.+-]+$")]
Parameter = Annotated[str, Field(max_length=1000, pattern=r"^\w+=[^\x00]*$")]
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]


class Strict(BaseModel):
    """Nothing that is not named."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class GridBody(Strict):
    """A grid scan; what is left out is read from the positions in the master."""

    columns: Annotated[int, Field(ge=1, le=10**6)] | None = None
    rows: Annotated[int, Field(ge=1, le=10**6)] | None = None
    orientation: Orientation | None = None
    snaked: bool | None = None
    start: Corner | None = None

    def words(self) -> GridWords:
        """Return it in the words of the core. Raises `Refused`."""
        if (self.columns is None) != (self.rows is None):
            raise Refused("grid: give both columns and rows, or neither")
        shape = None if self.columns is None else f"{self.columns}x{self.rows}"
        return GridWords(shape, self.orientation, self.snaked, self.start)


class Analysis(Strict):
    """How to analyse."""

    parameters: Annotated[list[Parameter], Field(max_length=100)] = Field(default=[], examples=[["d_min=2.5"]])
    """key=value, as on the command line."""
    engine: Literal["auto", "native", "dials"] = "auto"
    verify: Number | None = None
    """Real DIALS analyses every Nth frame too."""
    priority: Literal["interactive", "rotation", "reprocess"] | None = None
    """Who goes first where workers are scarce; by default grid scans, then rotations, then what is reprocessed."""


class AskBody(Analysis):
    """A collection to analyse, from before its first file exists to its end."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"master": "/data/visit/grid_1.nxs"},
                {
                    "masters": ["/data/visit/xtal_1.nxs", "/data/visit/xtal_2.nxs"],
                    "dcids": [6153461, 6153462],
                    "visit": "mx1-1",
                    "parameters": ["d_max=30"],
                },
                {"master": "/data/visit/grid_1.nxs", "grid": {"columns": 30, "rows": 8, "snaked": True}},
            ]
        }
    )
    master: Path | None = None
    """Absolute path of the master file; it need not exist yet."""
    masters: Annotated[list[Path], Field(max_length=10)] = []
    """Those of several scans over the same data files, in place of ``master``."""
    frames: Number | None = None
    """How many will come; by default as the master says."""
    grid: GridBody | None = None
    gridinfo: Annotated[list[dict[str, Any]], Field(max_length=10)] = []
    """Rows of ISPyB's GridInfo, one per master, in place of ``grid``."""
    dcid: Number | None = None
    """Data collection id; where ISPyB is known to the server, it may stand for all the rest."""
    dcids: Annotated[list[Number], Field(max_length=10)] = []
    visit: Name | None = None
    beamline: Name | None = None
    snapshot: Path | None = None
    """Picture of the on-axis camera."""

    def ask(self) -> Ask:
        """Return it in the words of the core. Raises `Refused`."""
        if self.master is not None and self.masters:
            raise Refused("give 'master' or 'masters', not both")
        if self.dcid is not None and self.dcids:
            raise Refused("give 'dcid' or 'dcids', not both")
        if self.grid is not None and self.gridinfo:
            raise Refused("give 'grid' or 'gridinfo', not both")
        return Ask(
            tuple(self.masters) if self.master is None else (self.master,),
            self.frames,
            None if self.grid is None else self.grid.words(),
            tuple(GridInfo.parse(row) for row in self.gridinfo),
            tuple(self.dcids) if self.dcid is None else (self.dcid,),
            self.visit,
            self.beamline,
            self.snapshot,
            tuple(self.parameters),
            self.engine,
            None if self.priority is None else Priority.parse(self.priority),
            self.verify,
        )


class ReprocessBody(Analysis):
    """The same collection once more, another way; what is left out is as at first."""

    parameters: Annotated[list[Parameter], Field(max_length=100)] | None = None  # type: ignore[assignment]
    engine: Literal["auto", "native", "dials"] | None = None  # type: ignore[assignment]
    grid: GridBody | None = None


class OrderBody(Strict):
    """A grid as a person says that it is, whole."""

    columns: Annotated[int, Field(ge=1, le=10**6)]
    rows: Annotated[int, Field(ge=1, le=10**6)]
    snaked: bool
    orientation: Orientation = "horizontal"
    start: Corner = "top-left"

    def grid(self) -> Grid:
        """Return it in the words of the core."""
        return Grid(self.columns, self.rows, snaked=self.snaked, orientation=self.orientation, start=self.start)


class GridsBody(Strict):
    """How the scans of a collection are to be shown."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"grids": [{"columns": 30, "rows": 8, "snaked": True}]}, {"grids": []}]}
    )
    grids: Annotated[list[OrderBody | None], Field(max_length=10)]
    """One per scan, null = as collected; none at all = all as collected."""


class LoginBody(Strict):
    """A token, for a cookie."""

    token: Annotated[str, Field(min_length=1, max_length=500)]


class AskedAnswer(BaseModel):
    """Which collection it is."""

    id: str
    new: bool
    """False: somebody had asked for the same before."""
    url: str
