"""Which grid a collection is drawn on: the words of the command line, and the positions of the master."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from filewatcher.core.grid import Grid, parse
from filewatcher.core.gridinfo import GridInfo
from filewatcher.core.positions import fitted, from_positions
from filewatcher.core.selection import Selection
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from filewatcher.cli.collecting.wishes import Wishes
    from filewatcher.core.observations import Described

ANY_SHAPE = "1x1"


def checked_words(wishes: Wishes) -> None:
    """Raise `Refused` for words that make no grid, before anything is started."""
    read_gridinfo(wishes)
    for scan in range(len(wishes.masters)):
        one = words_of(wishes, scan)
        _from_words(one, one.grid or ANY_SHAPE, None, snaked=True)


def words_of(wishes: Wishes, scan: int) -> Wishes:
    """Return the wishes of one scan: words with commas name one grid per scan, others are for all of them.

    Raises `Refused` for as many words as there are no scans.
    """
    count = len(wishes.masters)

    def of_scan(option: str, words: str | None) -> str | None:
        each = words.split(",") if words is not None else [None]
        if len(each) not in (1, count):
            raise Refused(
                f"--{option} {words}: {len(each)} words for {count} scan{'s' * (count != 1)}; give one for each "
                "master, separated by commas, or one for all"
            )
        return each[scan % len(each)]

    return replace(
        wishes,
        grid=of_scan("grid", wishes.grid),
        orientation=of_scan("orientation", wishes.orientation),
        start=of_scan("start", wishes.start),
    )


def choose_gridinfo(wishes: Wishes, described: Described) -> tuple[GridInfo | None, tuple[str, ...]]:
    """As `choose_grid`, with where the grid lies in the camera's picture, if a file says it."""
    if wishes.gridinfo is None:
        return _as_known(wishes, described)
    info = read_gridinfo(wishes)[described.scan]
    if not _rest_is_left_out(wishes, len(described.frame_map), len(info.grid)):
        info.grid.check(len(described.frame_map), described.master.path)
    return info, ()


def _as_known(wishes: Wishes, described: Described) -> tuple[GridInfo | None, tuple[str, ...]]:
    """Words win over the database, it wins over positions; where it contradicts the master, that is said."""
    warnings: tuple[str, ...] = ()
    if wishes.gridinfos and not _given(wishes):
        info, master = wishes.gridinfos[described.scan], described.master.path
        try:
            if not _rest_is_left_out(wishes, len(described.frame_map), len(info.grid)):
                info.grid.check(len(described.frame_map), master)
        except Refused as problem:
            warnings = (f"what ISPyB says of the grid is not used: {problem}",)
        else:
            return info, ()
    grid, more = choose_grid(wishes, described)
    return None if grid is None else GridInfo(grid), warnings + more


def _given(wishes: Wishes) -> bool:
    """Whether any word of the command line says what the grid is."""
    words = (wishes.grid, wishes.orientation, wishes.snaked, wishes.start)
    return any(word is not None for word in words)


def read_gridinfo(wishes: Wishes) -> tuple[GridInfo, ...]:
    """Return what ``--gridinfo`` says of each scan; nothing without. Raises `Refused`."""
    path = wishes.gridinfo
    if path is None:
        return ()
    words = {"--grid": wishes.grid, "--orientation": wishes.orientation, "--start": wishes.start}
    words["--snaked"] = None if wishes.snaked is None else str(wishes.snaked)
    if given := [word for word, value in words.items() if value is not None]:
        raise Refused(f"{given[0]} and --gridinfo {path} both say what the grid is: leave one out")
    try:
        rows = json.loads(path.read_text())
    except OSError as error:
        raise Refused(f"--gridinfo {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise Refused(f"--gridinfo {path} is no JSON: {error}") from error
    rows = rows if isinstance(rows, list) else [rows]
    if len(rows) != len(wishes.masters) or not all(isinstance(row, dict) for row in rows):
        raise Refused(
            f"--gridinfo {path}: expected {len(wishes.masters)} object{'s' * (len(wishes.masters) != 1)} with steps_x, "
            "steps_y, snaked and so on, one per master"
        )
    return tuple(GridInfo.parse(row, f"--gridinfo {path}") for row in rows)


def choose_grid(wishes: Wishes, described: Described) -> tuple[Grid | None, tuple[str, ...]]:
    """Return the grid to draw a scan on, None for a scan without, and what is to be said about the choice.

    Words win over positions, and a contradiction is said. Raises `Refused` for a grid that does not match the number
    of frames, or that is not known well enough.
    """
    wishes = words_of(wishes, described.scan)
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
