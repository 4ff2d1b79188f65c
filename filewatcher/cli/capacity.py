"""Between what is seen of a collection and the cluster: asks for the workers that keep up, and says what is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filewatcher.core.capacity import Capacity, Demand

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from filewatcher.core.answers import Answer
    from filewatcher.core.messages import Outcome
    from filewatcher.core.observations import Described
    from filewatcher.core.run import Run
    from filewatcher.edges.dask_pool import DaskPool
    from filewatcher.ports import Cluster, Progress

ASK = 1.0
"""Seconds between two looks."""
SAY = 10.0
"""Seconds between two sentences."""
BEHIND = 5.0
"""Seconds behind from which on it is said."""


class CapacityKeeper:
    """A listener that asks `cluster` for as many workers as the frames need."""

    def __init__(
        self, cluster: Cluster, pool: DaskPool, say: Callable[[str], None], clock: Callable[[], float]
    ) -> None:
        self._cluster, self._pool, self._say, self._clock = cluster, pool, say, clock
        self._capacity = Capacity()
        self._asked, self._said = -ASK, -SAY

    def described(self, described: Sequence[Described], run: Run, recorded: int) -> None:
        """Nothing: what a frame costs is not known yet."""

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Nothing: the numbers of `progress` say it."""

    def centred(self, answer: Answer) -> None:
        """Nothing."""

    def trouble(self, sentence: str) -> None:
        """Nothing."""

    def progress(self, progress: Progress) -> None:
        """Look, at most every `ASK`."""
        now = self._clock()
        if now - self._asked < ASK:
            return
        self._asked = now
        self._capacity.measured(self._pool.frames_back, self._pool.worker_seconds)
        demand = self._capacity.demand(progress.written, progress.done + progress.failed, self._pool.ready, now)
        if demand is not None:
            # a collection has one worker at least, from its first frame to its last
            self._cluster.want(max(1, demand.cores_needed))
            self._tell(demand, now)

    def _tell(self, demand: Demand, now: float) -> None:
        if demand.behind >= BEHIND and now - self._said >= SAY:
            self._said = now
            self._say(str(demand))
