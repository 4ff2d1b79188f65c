"""What the service needs from the outside, as Protocols; how much it may do at once, and what it remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from filewatcher.core.asks import Ask
    from filewatcher.core.cells import CellLog
    from filewatcher.core.grid import Grid
    from filewatcher.core.lines import Json
    from filewatcher.core.run import Finished
    from filewatcher.ports import Listener, Opened, Progress


@dataclass(frozen=True, slots=True)
class Terms:
    """How much at once."""

    running: int = 16
    """Collections that are watched; each has a reader of its own."""
    queued: int = 200
    """Collections that wait for that."""
    remembered: int = 5000
    """Collections that have ended and are still told of."""
    in_memory: int = 8
    """Of these, those whose frames are kept in memory."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a registry remembers of one collection."""

    id: str
    ask: Ask
    created: str
    """ISO 8601, UTC."""
    state: str
    """``queued``, ``waiting``, ``running``; and in the end ``done``, ``failed`` or ``cancelled``."""
    reason: str | None = None
    """Why it failed, in words."""
    ended: str | None = None
    """ISO 8601, UTC."""
    key: str | None = None
    """Of its journal; None before its masters were there."""
    folder: str | None = None
    """Where its results are."""
    age: str | None = None
    """What its masters looked like in the end: another one is another collection's."""
    stopped: str | None = None
    """ISO 8601, UTC: when the detector was said to have stopped."""
    grids: tuple[Grid | None, ...] = ()
    """By scan, as a person says that they are: whoever looks sees these; () and None = as collected."""
    summary: Mapping[str, Json] = field(default_factory=dict)
    """As it was told last, for a process that did not see it run."""


class Registry(Protocol):
    """The collections that were asked for."""

    def load(self, ended: int) -> Sequence[Kept]:
        """Return those that have not ended and the last so many that have, in the order of asking."""

    async def keep(self, kept: Kept) -> None:
        """Remember one, in place of what was known of it; returns when it is safe."""

    def close(self) -> None:
        """Let go."""


@dataclass(frozen=True, slots=True)
class Ended:
    """One collection has been watched to its end, and its results are filed."""

    finished: Finished
    folder: str
    summaries: tuple[Mapping[str, Json], ...]
    """The last line of each scan."""


class Work(Protocol):
    """The loop of one collection with all that it needs."""

    @property
    def opened(self) -> Opened | None:
        """Journal and grids; None before the masters were there."""

    @property
    def progress(self) -> Sequence[Progress]:
        """Where each scan stands."""

    async def run(self) -> Ended:
        """Watch until the end, and file the results. Raises `FilewatcherError`; may be cancelled."""

    def end(self) -> None:
        """The detector has stopped: what does not come soon will not come."""

    async def view(self, scan: int, frame: int, what: str, black: float | None) -> bytes:
        """Return a frame as ``image`` (PNG; `black`: counts, None = chosen) or ``notes`` (JSON).

        Raises `Unknown` where it was not seen, `Unreachable` where no worker is ready.
        """

    async def close(self) -> None:
        """Leave nothing running."""


class Works(Protocol):
    """Whoever builds that."""

    async def check(self, ask: Ask) -> None:
        """Raise `Refused` for what can be known at once to be wrong."""

    async def prepare(self, ask: Ask) -> None:
        """Raise `Refused` for what else is wrong, before it is opened; may take seconds."""

    def age(self, masters: Sequence[str]) -> str:
        """Tell masters from others of the same names, written over them."""

    def open(self, name: str, ask: Ask, listener: Listener) -> Work:
        """Build it; nothing runs yet. Raises `Refused`."""

    async def view(self, kept: Kept, scan: int, frame: int, what: str, black: float | None) -> bytes:
        """As `Work.view`, of a collection that has ended."""

    async def archive(self, kept: Kept) -> Sequence[CellLog]:
        """Return what is on record of a collection that has ended, one log per scan."""
