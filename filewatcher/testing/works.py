"""Stand-ins for what a service needs: work that ends when it is told to, a registry without a file."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.cells import CellLog
from filewatcher.core.collector import Collector
from filewatcher.core.framemap import DataFile, FrameMap
from filewatcher.core.messages import FrameMissing, ScanEnded
from filewatcher.core.observations import Described, MasterFile
from filewatcher.core.run import Finished, FinishedScan, Run
from filewatcher.core.scanwatch import SUPERSEDED
from filewatcher.core.selection import Selection
from filewatcher.errors import Broken
from filewatcher.ports import Opened, Progress
from filewatcher.service import Ended
from filewatcher.testing.fakes import MemoryJournal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from filewatcher.core.asks import Ask
    from filewatcher.errors import FilewatcherError
    from filewatcher.ports import Listener
    from filewatcher.service import Kept

FRAMES = 3


class ScriptedWork:
    """A collection of three frames, all missing; it ends when the test says so."""

    def __init__(self, name: str, ask: Ask, listener: Listener) -> None:
        self.name, self.ask = name, ask
        self._listener = listener
        self._end: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.opened: Opened | None = None
        self.progress: list[Progress] = []
        self.stopped = self.closed = False

    def describe(self) -> None:
        """Let the masters be there."""
        frame_map = FrameMap((DataFile("/data/m_1.h5", "/data"),), np.zeros(FRAMES, np.int32), np.arange(FRAMES))
        masters = tuple(MasterFile(path, 1, 2, 3, 4) for path in self.ask.masters)
        described = [Described(master, frame_map, 0.01, None, scan=scan) for scan, master in enumerate(masters)]
        self.opened = Opened(MemoryJournal(), (None,) * len(masters))
        self.progress = [Progress(FRAMES, 0, 0, 0, 0)] * len(masters)
        self._listener.described(described, Run(masters, Selection(), {"d_max": 40.0}, "native"), 0)

    def tell(self, *frames: int) -> None:
        """Let frames of scan 0 end."""
        self._listener.outcomes([FrameMissing(0, frame, "late") for frame in frames])

    def finish(self, reason: str = "complete") -> None:
        """Let it end."""
        self._end.set_result(reason)

    def supersede(self) -> None:
        """Let its files be another collection's."""
        self.finish(f"another: {SUPERSEDED}")

    def fail(self, error: Exception) -> None:
        """Let it break."""
        self._end.set_exception(error)

    async def run(self) -> Ended:
        """Wait for the test."""
        reason = await self._end
        scan = FinishedScan(
            Described(
                MasterFile(self.ask.masters[0], 1, 2, 3, 4),
                FrameMap((), np.zeros(0, np.int32), np.zeros(0, np.int64)),
                None,
                None,
            ),
            np.arange(FRAMES),
            Collector(FRAMES).results(),
            ScanEnded(0, FRAMES, 0, reason),
        )
        run = Run((), Selection(), {}, "native")
        return Ended(Finished(run, (scan,), None, ("a warning",)), "/results/m", ())

    def end(self) -> None:
        """Note it."""
        self.stopped = True

    async def view(self, scan: int, frame: int, what: str, black: float | None) -> bytes:
        """Say what was asked for."""
        return f"live {scan} {frame} {what} {black}".encode()

    async def close(self) -> None:
        """Note it."""
        self.closed = True


@dataclass
class ScriptedWorks:
    """Makes them, and remembers them by the name of the collection."""

    made: dict[str, ScriptedWork] = field(default_factory=dict)
    refused: FilewatcherError | None = None
    ages: dict[str, int] = field(default_factory=dict)
    """Master -> how often it was written over."""

    async def check(self, ask: Ask) -> None:  # noqa: ARG002  the Protocol's
        """Refuse what the test refuses."""
        if self.refused is not None:
            raise self.refused

    async def prepare(self, ask: Ask) -> None:
        """As check."""
        await self.check(ask)

    def age(self, masters: Sequence[str]) -> str:
        """As the test says."""
        return " ".join(str(self.ages.get(master, 0)) for master in masters)

    def open(self, name: str, ask: Ask, listener: Listener) -> ScriptedWork:
        """Make one."""
        self.made[name] = ScriptedWork(name, ask, listener)
        return self.made[name]

    async def view(self, kept: Kept, scan: int, frame: int, what: str, black: float | None) -> bytes:  # noqa: ARG002
        """Say what was asked for."""
        return f"ended {scan} {frame} {what} {black}".encode()

    async def archive(self, kept: Kept) -> list[CellLog]:  # noqa: ARG002  the Protocol's
        """Three frames that are missing."""
        log = CellLog(FRAMES)
        log.record([FrameMissing(0, frame, "late") for frame in range(FRAMES)])
        return [log]


class MemoryRegistry:
    """A registry that a restart survives as long as the test does."""

    def __init__(self) -> None:
        self.rows: dict[str, Kept] = {}
        self.closed = self.full = False

    def load(self, ended: int) -> list[Kept]:
        """Return those that have not ended and the last so many that have."""
        over = [one.id for one in self.rows.values() if one.ended is not None]
        forgotten = set(over[: max(0, len(over) - ended)])
        return [one for one in self.rows.values() if one.id not in forgotten]

    async def keep(self, kept: Kept) -> None:
        """Remember it, unless it is `full`."""
        if self.full:
            raise Broken("the list of collections cannot be written")
        self.rows[kept.id] = kept

    def close(self) -> None:
        """Note it."""
        self.closed = True
