"""Stand-ins for the outside world; `tests/contracts` holds each to what the real thing does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from filewatcher.core.batching import BatchEnded, BatchLost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from filewatcher.core.answers import Answer
    from filewatcher.core.batching import Batch, Unreadable
    from filewatcher.core.messages import ChunkLayout, FrameFailed, FrameReady, FrameResult, Outcome, Recorded
    from filewatcher.core.observations import Described, Observation
    from filewatcher.core.run import Job, Run
    from filewatcher.ports import Progress


class ScriptedObserver:
    """A disk on which happens what the script says."""

    def __init__(self, *script: Sequence[Observation]) -> None:
        self._news: asyncio.Queue[Sequence[Observation]] = asyncio.Queue()
        for news in script:
            self.say(*news)
        self.looked_again: list[tuple[int, int]] = []
        self.on_look_again: Callable[[int, int], None] = lambda _file, _row: None

    def say(self, *observations: Observation) -> None:
        """Let this be the next news."""
        self._news.put_nowait(observations)

    async def report(self, tell: Callable[[Sequence[Observation]], None]) -> None:
        """Tell what the script says."""
        while True:
            tell(await self._news.get())

    def look_again(self, file: int, row: int) -> None:
        """Note it, and do what the script says."""
        self.looked_again.append((file, row))
        self.on_look_again(file, row)

    async def close(self) -> None:
        """Nothing is running."""


def filter_problem(layout: ChunkLayout) -> str | None:
    """Why images cannot be read: every filter below 40000 is one that fakes can undo."""
    bad = [f.id for f in layout.filters if f.id >= 40000]
    return f"images stored with HDF5 filter {bad[0]} cannot be read" if bad else None


class InlinePool:
    """Workers that answer at once, in the caller's thread; `analyse` None = the worker dies over that frame."""

    def __init__(
        self, analyse: Callable[[FrameReady, int], FrameResult | FrameFailed | Unreadable | None], places: int = 4
    ) -> None:
        self._analyse = analyse
        self._places = places
        self._jobs: set[str] = set()
        self._ended: asyncio.Queue[BatchEnded | BatchLost] = asyncio.Queue()
        self.batches: list[Batch] = []

    @property
    def places(self) -> int:
        """Places not taken by batches that have not been fetched."""
        return self._places - self._ended.qsize()

    def unsupported(self, layout: ChunkLayout) -> str | None:
        """As all fakes."""
        return filter_problem(layout)

    async def start(self) -> None:
        """Nothing to start."""

    async def arm(self, job: Job) -> None:
        """Remember it."""
        self._jobs.add(job.name)

    def submit(self, job: str, batch: Batch) -> None:
        """Analyse it now."""
        assert job in self._jobs
        self.batches.append(batch)
        outcomes = [self._analyse(*one) for one in zip(batch.frames, batch.attempts, strict=True)]
        whole = tuple(outcome for outcome in outcomes if outcome is not None)
        if len(whole) == len(outcomes):
            self._ended.put_nowait(BatchEnded(batch, whole, 0.001))
        else:
            self._ended.put_nowait(BatchLost(batch, "its worker died", blameless=False))

    async def ended(self) -> Sequence[BatchEnded | BatchLost]:
        """Wait for the next batch."""
        return [await self._ended.get()]

    async def close(self) -> None:
        """Nothing is running."""


class MemoryJournal:
    """A journal without a file."""

    def __init__(self, *recorded: Recorded) -> None:
        self._recorded = {(one.outcome.scan, one.outcome.frame): one for one in recorded}
        self.is_complete = False
        self.closed = False

    @property
    def key(self) -> str:
        """Any name."""
        return "0123456789abcdef"

    def recorded(self) -> list[Recorded]:
        """By scan and frame."""
        return [self._recorded[place] for place in sorted(self._recorded)]

    async def add(self, ended: Sequence[Recorded]) -> None:
        """Keep the first outcome of the same bytes."""
        for one in ended:
            key = (one.outcome.scan, one.outcome.frame)
            if key not in self._recorded or self._recorded[key].place != one.place:
                self._recorded[key] = one

    def complete(self, run: Run) -> None:  # noqa: ARG002  the Protocol's
        """Note it."""
        self.is_complete = True

    def retire(self) -> None:
        """Forget everything: the next one to open it begins another run."""
        self._recorded.clear()

    def close(self) -> None:
        """Note it."""
        self.closed = True


class Recording:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.frames: list[Outcome] = []
        self.answers: list[Answer] = []
        self.troubles: list[str] = []
        self.last: Progress | None = None
        self.told = asyncio.Event()
        """Set at every progress; whoever waits for one clears it."""

    def described(self, described: Sequence[Described], run: Run, recorded: int) -> None:  # noqa: ARG002  the Protocol's
        """Remember the run."""
        self.runs.append(run)

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Remember them."""
        self.frames.extend(outcomes)

    def centred(self, answer: Answer) -> None:
        """Remember it."""
        self.answers.append(answer)

    def trouble(self, sentence: str) -> None:
        """Remember it."""
        self.troubles.append(sentence)

    def progress(self, progress: Progress) -> None:
        """Remember the last one."""
        self.last = progress
        self.told.set()
