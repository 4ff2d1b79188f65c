"""What is asked of the cluster is what all collections need together."""

from __future__ import annotations

from dataclasses import dataclass, field

from filewatcher.cli.collecting.capacity import CapacityKeeper
from filewatcher.ports import Door, Progress


@dataclass
class Wanted:
    """A cluster that notes how many workers it is asked for."""

    workers: list[int] = field(default_factory=list)

    async def start(self) -> Door:
        raise NotImplementedError

    def want(self, workers: int) -> None:
        self.workers.append(workers)

    def judged(self, worker: str, *, fit: bool) -> None:
        raise NotImplementedError

    async def lost(self) -> str:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


@dataclass
class Done:
    """Two workers, and frames of 0.1 s."""

    frames_back: int = 0
    ready: int = 2

    @property
    def worker_seconds(self) -> float:
        return 0.1 * self.frames_back

    @worker_seconds.setter
    def worker_seconds(self, seconds: float) -> None:
        raise NotImplementedError


def progress(written: int, done: int) -> Progress:
    return Progress(expected=10_000, written=written, done=done, failed=0, missing=0)


def test_collections_add_up_and_one_that_has_ended_needs_nobody() -> None:
    now, said = 0.0, list[str]()
    cluster, workers = Wanted(), Done()
    keeper = CapacityKeeper(cluster, workers, said.append, lambda: now)
    one, other = keeper.collection(), keeper.collection()
    one.progress(progress(0, 0))
    assert cluster.workers == []
    for second in range(1, 11):
        now, workers.frames_back = float(second), 200 * second
        one.progress(progress(100 * second, 100 * second))
        other.progress(progress(100 * second, 100 * second))
    # 200 frames/s of 0.1 s, and a tenth of headroom
    assert cluster.workers[-1] == 22
    assert said == []

    now = 11.0
    one.progress(progress(1000, 1000))
    now = 12.0
    other.progress(progress(1400, 1000))
    assert cluster.workers[-1] > 10
    assert len(said) == 1
    assert "2 here, behind by 20 s" in said[0]

    one.close()
    assert cluster.workers[-1] > 0
    now = 30.0
    other.progress(progress(1400, 1400))
    assert cluster.workers[-1] >= 1
    other.close()
    other.close()
    assert cluster.workers[-1] == 0
