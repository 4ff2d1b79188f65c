"""Between all that is seen and the cluster: asks for the workers that keep up, and says what is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from filewatcher.core.capacity import Capacity, Demand

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from filewatcher.core.answers import Answer
    from filewatcher.core.messages import Outcome
    from filewatcher.core.observations import Described
    from filewatcher.core.run import Run
    from filewatcher.ports import Cluster, Progress

ASK = 1.0
"""Seconds between two looks."""
SAY = 10.0
"""Seconds between two sentences."""
BEHIND = 5.0
"""Seconds behind from which on it is said."""


class Workers(Protocol):
    """What workers have done so far, of all collections."""

    frames_back: int
    """Frames that they have answered."""
    worker_seconds: float
    """Seconds that they took."""

    @property
    def ready(self) -> int:
        """Workers that take frames."""


class CapacityKeeper:
    """Asks `cluster` for as many workers as the frames of all collections need."""

    def __init__(
        self, cluster: Cluster, workers: Workers, say: Callable[[str], None], clock: Callable[[], float]
    ) -> None:
        self._cluster, self._workers, self._say, self._clock = cluster, workers, say, clock
        self._capacity = Capacity()
        self._asked, self._said = -ASK, -SAY
        self._open: set[Need] = set()
        self._ended = 0

    def collection(self) -> Need:
        """Return the listener of one more collection; to be closed when it has ended."""
        need = Need(self)
        self._open.add(need)
        return need

    def close(self, need: Need) -> None:
        """A collection has ended: it needs nobody any more."""
        if need in self._open:
            self._open.remove(need)
            self._ended += need.written
            if not self._open:
                self._cluster.want(0)

    def look(self) -> None:
        """Compare, at most every `ASK`."""
        now = self._clock()
        if now - self._asked < ASK:
            return
        self._asked = now
        self._capacity.measured(self._workers.frames_back, self._workers.worker_seconds)
        seen = self._ended + sum(need.written for need in self._open)
        answered = self._ended + sum(need.answered for need in self._open)
        demand = self._capacity.demand(seen, answered, self._workers.ready, now)
        if demand is not None:
            # a collection has one worker at least, from its first frame to its last
            self._cluster.want(max(1, demand.cores_needed))
            self._tell(demand, now)

    def _tell(self, demand: Demand, now: float) -> None:
        if demand.behind >= BEHIND and now - self._said >= SAY:
            self._said = now
            self._say(str(demand))


class Need:
    """A listener that knows how much of one collection has come, and how much of that is through; frames."""

    def __init__(self, keeper: CapacityKeeper) -> None:
        self._keeper = keeper
        self.written = self.answered = 0

    def described(self, described: Sequence[Described], run: Run, recorded: int) -> None:
        """Nothing: what a frame costs is not known yet."""

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Nothing: the numbers of `progress` say it."""

    def centred(self, answer: Answer) -> None:
        """Nothing."""

    def trouble(self, sentence: str) -> None:
        """Nothing."""

    def progress(self, progress: Progress) -> None:
        """Note it, and let all be looked at."""
        self.written, self.answered = progress.written, progress.done + progress.failed
        self._keeper.look()

    def close(self) -> None:
        """The collection has ended."""
        self._keeper.close(self)
