"""What the loop needs from the outside, as Protocols: the real things are in `filewatcher.edges`, fakes in testing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from filewatcher.core.answers import Answer
    from filewatcher.core.asks import Ask
    from filewatcher.core.batching import Batch, BatchEnded, BatchLost
    from filewatcher.core.gridinfo import GridInfo
    from filewatcher.core.messages import ChunkLayout, Outcome, Recorded
    from filewatcher.core.observations import Described, Observation
    from filewatcher.core.run import Finished, Job, Run


class Observer(Protocol):
    """The disk, as seen by the watcher's child process."""

    async def report(self, tell: Callable[[Sequence[Observation]], None]) -> None:
        """Tell all news the moment that it comes; ends by raising `Broken` when there will be none."""

    def look_again(self, file: int, row: int) -> None:
        """Report a row anew."""

    async def close(self) -> None:
        """Leave nothing running."""


class Pool(Protocol):
    """The workers."""

    @property
    def places(self) -> int:
        """How many more batches to hand out now."""

    def unsupported(self, layout: ChunkLayout) -> str | None:
        """Why images stored like this cannot be read; None = they can."""

    async def start(self) -> None:
        """Have workers; harmless if they are there."""

    async def arm(self, job: Job) -> None:
        """Make every worker ready for this collection."""

    def submit(self, job: str, batch: Batch) -> None:
        """Hand out a batch; there must be a place."""

    async def ended(self) -> Sequence[BatchEnded | BatchLost]:
        """Wait for batches to come back."""

    async def close(self) -> None:
        """Leave nothing running."""


class Share(Pool, Protocol):
    """What one of several collections has of the workers; `close` gives its places to the others."""

    priority: int
    """The lowest is served first; may be set once it is known what the collection is."""


class Workers(Protocol):
    """Workers that many collections share."""

    def share(self, priority: int = 0) -> Share:
        """Make room for one more collection."""

    async def close(self) -> None:
        """Leave nothing running."""


WORKER_NEWS = "filewatcher-workers"
"""Dask's topic on which is told which workers came, are leaving (they take nothing new) or went."""
COURIER = "filewatcher-courier"
"""Dask's name of what, in a scheduler, carries batches to workers; its ``in_hand`` says how many each has."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What proves that a process belongs to a run; in memory, and in the environment of its jobs, never on a disk."""

    certificate: str
    """PEM; signed by its own key, so it is the authority as well."""
    key: str = field(repr=False)
    """PEM."""


@dataclass(frozen=True, slots=True)
class Door:
    """How to reach a Dask scheduler."""

    address: str
    """``tls://host:port`` or ``tcp://host:port``."""
    credentials: Credentials | None
    """None = those of Dask's own configuration, if any."""
    workers: int
    """On this machine and there from the beginning; 0 = they come when their cluster gives them."""


class Cluster(Protocol):
    """A Dask scheduler and whoever provides its workers."""

    async def start(self) -> Door:
        """Have a scheduler, and workers there or on their way; harmless if it is there. Raises `Unreachable`."""

    def want(self, workers: int) -> None:
        """Say how many workers would keep up."""

    def judged(self, worker: str, *, fit: bool) -> None:
        """Say whether a worker, by name, can be used; whoever gave one that cannot be gives another."""

    async def lost(self) -> str:
        """Wait until the scheduler is gone; says why. `start` gives another one."""

    async def close(self) -> None:
        """Leave nothing running that was started for us, neither process nor job."""


class Journal(Protocol):
    """What survives a restart."""

    @property
    def key(self) -> str:
        """Name of the run."""

    def recorded(self) -> Sequence[Recorded]:
        """What earlier processes recorded."""

    async def add(self, ended: Sequence[Recorded]) -> None:
        """Record; returns when it is safe."""

    def complete(self, run: Run) -> None:
        """Every frame has ended."""

    def retire(self) -> None:
        """Its files are another collection's now: never resume it."""

    def close(self) -> None:
        """Let go."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What is decided of a run before its first frame is analysed."""

    journal: Journal
    grids: tuple[GridInfo | None, ...]
    """One per scan; None = no grid scan."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a collection stands, in frames."""

    expected: int
    written: int
    """Seen on disk, those of an earlier process included."""
    done: int
    failed: int
    missing: int

    @property
    def behind(self) -> int:
        """On disk and not analysed yet."""
        return self.written - self.done - self.failed


class Listener(Protocol):
    """Whoever wants to know; called from the loop, must not block it."""

    def described(self, described: Sequence[Described], run: Run, recorded: int) -> None:
        """The masters are there, one per scan; outcomes that an earlier process recorded follow, so many."""

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Frames have ended, and it is on record."""

    def centred(self, answer: Answer) -> None:
        """Where the crystal is, as far as is known; the last one of a scan says that it is final."""

    def trouble(self, sentence: str) -> None:
        """A file that is there cannot be read, for longer than it takes to create one; told once."""

    def progress(self, progress: Progress) -> None:
        """Called about every `TICK`."""


class Follower(Protocol):
    """Whoever wants to know of all collections of a daemon, by their ids; called from the loop, must not block it."""

    def began(self, collection: str, ask: Ask, /) -> None:
        """Somebody asked for it, or it goes on after a restart."""

    def described(self, collection: str, described: Sequence[Described], run: Run, /) -> None:
        """Its masters are there; the name of its journal is known from now on."""

    def outcomes(self, collection: str, outcomes: Sequence[Outcome], /) -> None:
        """Frames have ended, and it is on record."""

    def centred(self, collection: str, answer: Answer, /) -> None:
        """Where the crystal is."""

    def ended(self, collection: str, state: str, finished: Finished | None, /) -> None:
        """It is over: ``done``, or ``failed`` or ``cancelled`` with None."""


class Resolver(Protocol):
    """Whoever knows what belongs to a data collection id."""

    async def resolve(self, ask: Ask) -> Ask:
        """Return the ask with what it leaves out: masters, frames, grids, visit, beamline, snapshot.

        Waits for an id that is not there yet. An ask that has its masters comes back without a wait, as it is where
        nobody answers. Raises `Refused` for an id that can be no collection.
        """
