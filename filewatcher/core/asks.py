"""What a trigger asks for, before anything of it is looked up: by HTTP, from a directory, a message or a command."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from filewatcher.core.grid import Grid
from filewatcher.core.gridinfo import GridInfo, Snapshot
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from filewatcher.core.lines import Json

Origin: TypeAlias = Literal["http", "directory", "zocalo", "command"]


class Priority(IntEnum):
    """Who is served first, where workers are scarce: the lowest number."""

    INTERACTIVE = 0
    """A grid scan: people wait for it, to centre the crystal."""
    ROTATION = 1
    REPROCESS = 2

    @property
    def word(self) -> str:
        """As JSON has it."""
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> Priority:
        """Read a word; raises `Refused`.

        >>> Priority.parse("rotation")
        <Priority.ROTATION: 1>
        """
        try:
            return cls[word.upper()]
        except KeyError:
            words = ", ".join(one.word for one in cls)
            raise Refused(f"priority {word!r}: choose one of {words}") from None


@dataclass(frozen=True, slots=True)
class GridWords:
    """A grid in the words of the command line; where there are several scans, commas part those of each."""

    shape: str | None = None
    """``COLSxROWS``; None = from the positions in the master."""
    orientation: str | None = None
    """``horizontal`` or ``vertical``."""
    snaked: bool | None = None
    start: str | None = None
    """Corner of the first image, as ``top-left``."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One collection that somebody wants to have analysed, one way."""

    masters: tuple[str, ...] = ()
    """Absolute paths, one per scan; they need not exist yet. Empty: `dcids` says where they are."""
    frames: int | None = None
    """How many will come; None = as the master says."""
    grid: GridWords | None = None
    """None = from the positions in the master."""
    gridinfos: tuple[GridInfo, ...] = ()
    """Grids as a database has them, one per master, in place of `grid`."""
    dcids: tuple[int, ...] = ()
    """Data collection ids, one per master; empty = unknown."""
    visit: str | None = None
    beamline: str | None = None
    snapshot: str | None = None
    """Path of the on-axis camera's picture; where the grid lies in it is in `gridinfos`."""
    parameters: tuple[str, ...] = ()
    """``key=value``."""
    engine: str = "auto"
    priority: Priority | None = None
    """None = by the kind of collection, once it is known: `priority_of`."""
    verify: int | None = None
    """Real DIALS analyses every Nth frame too."""
    reprocess_of: str | None = None
    """Id of the collection that is analysed once more."""
    wait: bool = True
    """False: what is not on disk now is not waited for."""
    origin: Origin = "http"
    timeout_first: float | None = None
    """Seconds to wait for the first frame; None = as always."""
    timeout: float | None = None
    """Seconds without a new frame; None = by the exposure."""

    def __post_init__(self) -> None:
        """Raise `Refused` for what cannot be meant."""
        if not self.masters and not self.dcids:
            raise Refused("neither a master nor a data collection id is given: name the master file")
        if len(set(self.masters)) < len(self.masters):
            raise Refused(f"{self.masters[0]} is given twice: give the masters of different scans")
        if self.frames is not None and len(self.masters) > 1:
            raise Refused(f"frames {self.frames} is for one master: leave it out for {len(self.masters)} of them")
        for what, given in (("dcids", self.dcids), ("gridinfos", self.gridinfos)):
            if given and self.masters and len(given) != len(self.masters):
                raise Refused(f"{len(given)} {what} for {len(self.masters)} masters: give one for each")

    @property
    def sketched(self) -> bool:
        """Whether it says that it is about a grid scan."""
        return self.grid is not None or bool(self.gridinfos)

    def alike(self, other: Ask) -> bool:
        """Whether both ask for the same analysis of the same collection, as far as words can tell.

        A data collection id names a collection; without one it is the masters, which may be written over.

        >>> Ask(("/data/m.nxs",)).alike(Ask(("/data/m.nxs",), dcids=(7,)))
        True
        >>> Ask(("/data/m.nxs",), dcids=(8,)).alike(Ask(("/data/m.nxs",), dcids=(7,)))
        False
        >>> Ask(dcids=(8,)).alike(Ask(("/data/m.nxs", "/data/n.nxs"), dcids=(7, 8)))  # the other half of a pair
        True
        """
        same_way = (
            sorted(self.parameters) == sorted(other.parameters)
            and (self.engine, self.verify, self.reprocess_of) == (other.engine, other.verify, other.reprocess_of)
        )  # fmt: skip
        if self.dcids and other.dcids:
            return same_way and not set(self.dcids).isdisjoint(other.dcids)
        return same_way and bool(self.masters) and self.masters == other.masters


def priority_of(ask: Ask, *, grid: bool) -> Priority:
    """Return an ask's priority, once it is known whether it is a grid scan.

    >>> priority_of(Ask(("/data/m.nxs",)), grid=True)
    <Priority.INTERACTIVE: 0>
    """
    if ask.priority is not None:
        return ask.priority
    if ask.reprocess_of is not None:
        return Priority.REPROCESS
    return Priority.INTERACTIVE if grid else Priority.ROTATION


@dataclass(frozen=True, slots=True)
class Asked:
    """The answer to an ask."""

    id: str
    """Of the collection."""
    new: bool
    """False: somebody had asked for the same before."""


def ask_json(ask: Ask) -> dict[str, Json]:
    """Return an ask as JSON keeps it; `ask_from` reads it again."""
    words = ask.grid
    return {
        "masters": list(ask.masters),
        "frames": ask.frames,
        "grid": None if words is None else [words.shape, words.orientation, words.snaked, words.start],
        "gridinfos": [_info_json(info) for info in ask.gridinfos],
        "dcids": list(ask.dcids),
        "visit": ask.visit,
        "beamline": ask.beamline,
        "snapshot": ask.snapshot,
        "parameters": list(ask.parameters),
        "engine": ask.engine,
        "priority": None if ask.priority is None else ask.priority.word,
        "verify": ask.verify,
        "reprocess_of": ask.reprocess_of,
        "wait": ask.wait,
        "timeout_first": ask.timeout_first,
        "timeout": ask.timeout,
        "origin": ask.origin,
    }


def ask_from(kept: Mapping[str, Any]) -> Ask:
    """Return the ask that `ask_json` kept."""
    grid, priority = kept["grid"], kept["priority"]
    names = (
        "frames",
        "visit",
        "beamline",
        "snapshot",
        "engine",
        "verify",
        "wait",
        "timeout_first",
        "timeout",
        "origin",
    )
    rest = {name: kept[name] for name in names}
    return Ask(
        tuple(kept["masters"]),
        grid=None if grid is None else GridWords(*grid),
        gridinfos=tuple(_info_from(info) for info in kept["gridinfos"]),
        dcids=tuple(kept["dcids"]),
        parameters=tuple(kept["parameters"]),
        priority=None if priority is None else Priority.parse(priority),
        reprocess_of=kept["reprocess_of"],
        **rest,
    )


def _info_json(info: GridInfo) -> dict[str, Json]:
    grid, seen = info.grid, info.snapshot
    shape: list[Json] = [grid.columns, grid.rows, grid.snaked, grid.orientation, grid.start]
    return {
        "grid": shape,
        "step": None if grid.step is None else list(grid.step),
        "origin": None if grid.origin is None else list(grid.origin),
        "snapshot": None if seen is None else [*seen.offset, *seen.microns_per_pixel],
    }


def _info_from(kept: Mapping[str, Any]) -> GridInfo:
    columns, rows, snaked, orientation, start = kept["grid"]
    pairs = {name: None if kept[name] is None else tuple(kept[name]) for name in ("step", "origin")}
    grid = Grid(columns, rows, snaked=snaked, orientation=orientation, start=start, **pairs)
    seen = kept["snapshot"]
    return GridInfo(grid, None if seen is None else Snapshot((seen[0], seen[1]), (seen[2], seen[3])))
