"""Which cell of a grid scan a frame is: order of acquisition <-> row and column of the picture.

Row 0 is the top of the picture and column 0 its left side. The order is that of SynchWeb and dlstbx
(``xray_centering.reshape_grid``), with *k* the frame and (nx, ny) = (columns, rows):

* horizontal: ``row, column = divmod(k, nx)``; vertical: ``column, row = divmod(k, ny)``;
* snaked: every second line runs backwards;
* another start corner mirrors the picture, left to right, top to bottom, or both.

The frames of a grid of 4 columns and 3 rows::

    start         horizontal    horizontal    vertical    vertical
                                snaked                    snaked

    top-left       0  1  2  3    0  1  2  3   0 3 6  9    0 5 6 11
                   4  5  6  7    7  6  5  4   1 4 7 10    1 4 7 10
                   8  9 10 11    8  9 10 11   2 5 8 11    2 3 8  9

    bottom-right  11 10  9  8   11 10  9  8  11 8 5  2   9 8 3  2
                   7  6  5  4    4  5  6  7  10 7 4  1  10 7 4  1
                   3  2  1  0    3  2  1  0   9 6 3  0  11 6 5  0
"""

from __future__ import annotations

import math
import re
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, cast, get_args

import numpy as np

from filewatcher.errors import Refused

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Orientation: TypeAlias = Literal["horizontal", "vertical"]
"""Along what a line of consecutive frames runs: a row, or a column."""

Corner: TypeAlias = Literal["top-left", "top-right", "bottom-left", "bottom-right"]
"""Where the first frame lies in the picture."""

ScalarT = TypeVar("ScalarT", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Grid:
    """Shape and order of a grid scan.

    >>> import numpy as np
    >>> frames = np.arange(12)
    >>> Grid(4, 3, snaked=True).picture(frames, fill=-1)
    array([[ 0,  1,  2,  3],
           [ 7,  6,  5,  4],
           [ 8,  9, 10, 11]])
    >>> Grid(4, 3, snaked=True, orientation="vertical").picture(frames, fill=-1)
    array([[ 0,  5,  6, 11],
           [ 1,  4,  7, 10],
           [ 2,  3,  8,  9]])
    >>> Grid(4, 3, snaked=True, start="bottom-right").picture(frames, fill=-1)
    array([[11, 10,  9,  8],
           [ 4,  5,  6,  7],
           [ 3,  2,  1,  0]])
    """

    columns: int
    """At least 1."""
    rows: int
    """At least 1."""
    _: KW_ONLY
    snaked: bool
    """Every second line runs backwards; there is no default, because a wrong one draws stripes."""
    orientation: Orientation = "horizontal"
    start: Corner = "top-left"
    step: tuple[float, float] | None = None
    """mm, from one column to the next on its right and from one row to the next below; may be negative."""
    origin: tuple[float, float] | None = None
    """mm, (x, y) of the centre of the top left cell, whichever corner the scan starts in; None = 0, 0."""

    def __post_init__(self) -> None:
        """Refuse what is no grid, in the words of the command line."""
        if self.columns < 1 or self.rows < 1:
            raise Refused(f"grid {self}: a grid has at least 1 column and 1 row, as in 30x8")
        if self.orientation not in get_args(Orientation):
            raise Refused(f"orientation {self.orientation!r}: choose horizontal or vertical")
        if self.start not in get_args(Corner):
            raise Refused(f"start {self.start!r}: choose one of {', '.join(get_args(Corner))}")
        if self.step is not None and not all(math.isfinite(s) and s != 0.0 for s in self.step):
            raise Refused(f"grid step {self.step}: both steps are mm other than 0, as in (0.02, 0.02)")

    def __str__(self) -> str:
        """Return COLSxROWS, as `parse` reads it.

        >>> str(Grid(30, 8, snaked=True))
        '30x8'
        """
        return f"{self.columns}x{self.rows}"

    def __len__(self) -> int:
        """Cells, which is also frames of the whole scan."""
        return self.columns * self.rows

    def check(self, frames: int, where: str = "the scan") -> None:
        """Raise `Refused` unless the scan (``where``: its master file) has one frame for each cell."""
        if frames != len(self):
            longer = f", or --images 1-{len(self)} if the rest is not on the grid" if frames > len(self) else ""
            raise Refused(
                f"grid {self} has {len(self)} cells, but {where} has {frames} frames: "
                f"give the columns and rows of this scan (COLSxROWS), or no grid{longer}"
            )

    def coarser(self, cells: int) -> Grid:
        """Return the grid of a scan that took one frame for every ``cells`` cells of a line; raises `Refused`.

        >>> str(Grid(30, 8, snaked=True, step=(0.02, 0.02), origin=(0.0, 0.0)).coarser(3))
        '10x8'
        """
        if cells < 1 or self._line_length % cells:
            raise Refused(
                f"grid {self}: {cells} cells per frame do not divide its lines of {self._line_length} cells: "
                "a frame lies in one line"
            )
        along = 0 if self.orientation == "horizontal" else 1
        step, origin = self.step, self.origin
        if step is not None and origin is not None:
            # the middle of the first cells together
            first = [*origin]
            first[along] += (cells - 1) / 2 * step[along]
            origin = (first[0], first[1])
        if step is not None:
            wider = [*step]
            wider[along] *= cells
            step = (wider[0], wider[1])
        shape = [self.columns, self.rows]
        shape[along] //= cells
        return replace(self, columns=shape[0], rows=shape[1], step=step, origin=origin)

    # ---- frame <-> cell -----------------------------------------------------------------------------------------

    def cells(self, frames: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (rows, columns) of logical frames, in the shape of ``frames``; IndexError if one is not in the grid.

        >>> rows, columns = Grid(3, 2, snaked=True).cells([0, 2, 3, 5])
        >>> rows.tolist(), columns.tolist()
        ([0, 0, 1, 1], [0, 2, 2, 0])
        """
        frame = _inside(frames, len(self), "frame", self)
        line, place = np.divmod(frame, self._line_length)
        place = self._turned(line, place)
        row, column = (line, place) if self.orientation == "horizontal" else (place, line)
        return self._mirrored(row, column)

    def frames(self, rows: ArrayLike, columns: ArrayLike) -> NDArray[np.int64]:
        """Return the logical frames of cells: the inverse of `cells`; IndexError if one is not in the grid.

        >>> Grid(3, 2, snaked=True).frames([1, 1], [2, 0]).tolist()
        [3, 5]
        """
        row, column = self._mirrored(
            _inside(rows, self.rows, "row", self), _inside(columns, self.columns, "column", self)
        )
        line, place = (row, column) if self.orientation == "horizontal" else (column, row)
        return np.asarray(line * self._line_length + self._turned(line, place), dtype=np.int64)

    def cell(self, frame: int) -> tuple[int, int]:
        """Return (row, column) of one logical frame."""
        rows, columns = self.cells(frame)
        return int(rows), int(columns)

    def frame(self, row: int, column: int) -> int:
        """Return the logical frame of one cell."""
        return int(self.frames(row, column))

    @property
    def _line_length(self) -> int:
        return self.columns if self.orientation == "horizontal" else self.rows

    def _turned(self, line: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.int64]:
        """Place along a line, counted from the other end in every second line of a snake; its own inverse."""
        if not self.snaked:
            return place
        return np.where(line % 2 == 1, self._line_length - 1 - place, place)

    def _mirrored(
        self, row: NDArray[np.int64], column: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Cells as counted from the start corner -> cells of the picture; its own inverse."""
        if self.start.startswith("bottom"):
            row = self.rows - 1 - row
        if self.start.endswith("right"):
            column = self.columns - 1 - column
        return row, column

    # ---- pictures -----------------------------------------------------------------------------------------------

    def picture(
        self, values: NDArray[ScalarT], frames: ArrayLike | None = None, fill: float = math.nan
    ) -> NDArray[ScalarT]:
        """Values per frame, laid out as seen: shape (rows, columns), the dtype of ``values``.

        ``values[i]`` belongs to ``frames[i]`` (default: to frame i); cells without a frame get ``fill``. ValueError
        for NaN among integers, IndexError if a frame is not in the grid.
        """
        if math.isnan(fill) and not np.issubdtype(values.dtype, np.inexact):
            raise ValueError(f"a picture of {values.dtype} cannot hold NaN: name another fill")
        which = np.arange(len(values)) if frames is None else frames
        picture = np.full((self.rows, self.columns), fill, dtype=values.dtype)
        picture[self.cells(which)] = values
        return picture

    def axes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centres of the columns (x) and of the rows (y): mm if the step is known, else counted from 0.

        >>> x, y = Grid(3, 2, snaked=True, step=(0.02, -0.01), origin=(1.0, 0.5)).axes()
        >>> x.round(3).tolist(), y.round(3).tolist()
        ([1.0, 1.02, 1.04], [0.5, 0.49])
        """
        dx, dy = self.step or (1.0, 1.0)
        x0, y0 = (self.origin or (0.0, 0.0)) if self.step else (0.0, 0.0)
        return x0 + dx * np.arange(self.columns), y0 + dy * np.arange(self.rows)


def _inside(values: ArrayLike, count: int, what: str, grid: Grid) -> NDArray[np.int64]:
    """Indices as an array; IndexError for the first that is negative or too large."""
    array = np.asarray(values, dtype=np.int64)
    outside = array[(array < 0) | (array >= count)]
    if outside.size:
        raise IndexError(f"{what} {outside.flat[0]} is not in grid {grid}: its {what}s are 0 to {count - 1}")
    return array


def parse(text: str, *, snaked: bool, orientation: str = "horizontal", start: str = "top-left") -> Grid:
    """Grid from the words of the command line, ``--grid COLSxROWS`` and the rest; raises `Refused`.

    ``COLSxROWS/N`` is that of a scan which took one frame for every N cells along its lines.

    >>> parse("30x8", snaked=True)
    Grid(columns=30, rows=8, snaked=True, orientation='horizontal', start='top-left', step=None, origin=None)
    >>> parse("30", snaked=True)
    Traceback (most recent call last):
    filewatcher.errors.Refused: grid '30': expected COLSxROWS, two whole numbers from 1, as in 30x8
    >>> str(parse("30x8/3", snaked=True))
    '10x8'
    """
    match = re.fullmatch(r"\s*([0-9]{1,9})\s*[xX×]\s*([0-9]{1,9})\s*(?:/\s*([0-9]{1,9})\s*)?", text)  # noqa: RUF001  people do write it
    if match is None:
        raise Refused(f"grid {text!r}: expected COLSxROWS, two whole numbers from 1, as in 30x8")
    grid = Grid(
        int(match[1]),
        int(match[2]),
        snaked=snaked,
        orientation=cast("Orientation", orientation),
        start=cast("Corner", start),
    )
    return grid if match[3] is None else grid.coarser(int(match[3]))
