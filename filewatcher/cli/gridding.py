"""Which grid a collection is drawn on: the words of the command line, and the positions of the master."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filewatcher.core.grid import Grid, parse
from filewatcher.core.positions import fitted, from_positions
from filewatcher.core.selection import Selection
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from filewatcher.cli.wishes import Wishes
    from filewatcher.core.observations import Described

ANY_SHAPE = "1x1"


def checked_words(wishes: Wishes) -> None:
    """Raise `Refused` for words that make no grid, before anything is started."""
    _from_words(wishes, wishes.grid or ANY_SHAPE, None, snaked=True)


def choose_grid(wishes: Wishes, described: Described) -> tuple[Grid | None, tuple[str, ...]]:
    """Return the grid to draw on, None for a scan without, and what is to be said about the choice.

    Words win over positions, and a contradiction is said. Raises `Refused` for a grid that does not match the number
    of frames, or that is not known well enough.
    """
    master, positions = described.master.path, described.positions
    there = from_positions(positions.x, positions.y) if positions is not None else None
    words = {"--orientation": wishes.orientation, "--start": wishes.start, "--snaked": wishes.snaked}
    given = [word for word, value in words.items() if value is not None]
    shape = wishes.grid or (str(there) if there is not None else None)
    if shape is None:
        if given:
            raise Refused(f"{given[0]} needs --grid COLSxROWS: {master} has no positions to tell the shape from")
        return None, ()
    if wishes.grid is None and not given:
        return there, ()
    alike = there if str(there) == shape else None
    grid = _from_words(wishes, shape, alike, snaked=_snaked(wishes, shape, alike))
    frames = len(described.frame_map)
    if not _rest_is_left_out(wishes, frames, len(grid)):
        grid.check(wishes.frames or frames if described.frame_map.open_ended else frames, master)
    if positions is None:
        return grid, ()
    placed = fitted(grid, positions.x[: len(grid)], positions.y[: len(grid)])
    if placed is not None or there is None:
        return placed or grid, ()
    warning = (
        f"the grid asked for ({_told(grid)}) contradicts the positions in {master} ({_told(there)}): drawn as asked, "
        "without mm; leave the words for the grid out to use the positions"
    )
    return grid, (warning,)


def _rest_is_left_out(wishes: Wishes, frames: int, cells: int) -> bool:
    """Whether a scan is longer than its grid, and ``--images`` takes only frames that are on it."""
    last = Selection.parse(wishes.select, wishes.images).last
    return last is not None and last <= cells < frames


def _snaked(wishes: Wishes, shape: str, there: Grid | None) -> bool:
    if wishes.snaked is not None:
        return wishes.snaked
    if there is not None:
        return there.snaked
    grid = _from_words(wishes, shape, there, snaked=False)
    if 1 in (grid.columns, grid.rows):
        return False  # a single line has no second one
    raise Refused(f"grid {grid}: say --snaked or --no-snaked, the master does not tell")


def _from_words(wishes: Wishes, shape: str, there: Grid | None, *, snaked: bool) -> Grid:
    orientation = wishes.orientation or ("horizontal" if there is None else there.orientation)
    return parse(shape, snaked=snaked, orientation=orientation, start=wishes.start or "top-left")


def _told(grid: Grid) -> str:
    return f"{grid} {grid.orientation} {'snaked' if grid.snaked else 'not snaked'} from {grid.start}"
