"""What goes to a worker and comes back: bytes, for Dask looks at every object of a task several times on its way.

Frames are numbers in a row, those of one data file together; what is said in words is about the few that are not done.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from filewatcher.core.batching import BatchEnded, Unreadable
from filewatcher.core.messages import COUNTS, METRICS, Disagreement, FrameFailed, FrameResult, Statistics

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from filewatcher.core.batching import Batch
    from spotfinding.judge import Difference

PLACE = Struct("=qqI")
"""Of one chunk: offset in bytes, size in bytes, filter mask."""
NUMBERS = Struct("=" + "".join("q" if name in COUNTS else "d" for name in METRICS))
"""Of one frame that is done, as `METRICS`."""
NO_NUMBERS = bytes(NUMBERS.size)

Outcome: TypeAlias = FrameResult | FrameFailed | Unreadable


class Parcel(NamedTuple):
    """A batch, as a worker gets it."""

    path: str
    layout: tuple[Any, ...]
    """What `spotfinding.chunks.Layout` is made of."""
    places: bytes
    """One `PLACE` per frame."""
    judged: tuple[int, ...]
    """Which of them DIALS is to analyse too, from 0."""

    def each(self) -> Iterator[tuple[Any, ...]]:
        """Yield offset, size and filter mask of every frame."""
        return PLACE.iter_unpack(self.places)


class Answers(NamedTuple):
    """What a worker says of a batch."""

    engine: str
    numbers: bytes
    """One `NUMBERS` per frame."""
    words: Mapping[int, tuple[bool, str]]
    """Of each frame that is not done: whether its bytes can be looked for again, and why it is not."""
    verdicts: Mapping[int, tuple[Difference, ...]]
    """Of each frame that was judged: where DIALS says otherwise."""
    seconds: float
    """That it took."""


def parcel(batch: Batch, every: int) -> Parcel:
    """Return a batch for a worker; DIALS is to judge frames 0, `every`, 2 `every`, ..., or none (0)."""
    first, layout = batch.frames[0], batch.frames[0].layout
    places = b"".join([PLACE.pack(frame.offset, frame.size, frame.filter_mask) for frame in batch.frames])
    judged = tuple(i for i, frame in enumerate(batch.frames) if frame.frame % every == 0) if every else ()
    return Parcel(first.path, plain(layout), places, judged)


def plain(layout: Any) -> tuple[Any, ...]:
    """Return a `ChunkLayout` as names and numbers."""
    return layout.shape, layout.dtype, tuple((f.id, f.options) for f in layout.filters)


def ended(batch: Batch, answers: Answers) -> BatchEnded:
    """Return what a worker has said, an outcome per frame."""
    return BatchEnded(batch, tuple(_outcomes(batch, answers)), answers.seconds)


def _outcomes(batch: Batch, answers: Answers) -> Iterator[Outcome]:
    engine, numbers, words, verdicts, _ = answers
    each = zip(batch.frames, batch.attempts, NUMBERS.iter_unpack(numbers), strict=True)
    if not words and not verdicts:  # nearly always
        for frame, attempts, values in each:
            yield FrameResult(frame.scan, frame.frame, Statistics(*values), engine, attempts)
        return
    for i, (frame, attempts, values) in enumerate(each):
        verified = _verified(verdicts[i]) if i in verdicts else None
        if i not in words:
            yield FrameResult(frame.scan, frame.frame, Statistics(*values), engine, attempts, verified)
            continue
        again, why = words[i]
        yield Unreadable(frame, why) if again else FrameFailed(frame.scan, frame.frame, why, attempts, verified)


def _verified(verdict: Sequence[Difference]) -> tuple[Disagreement, ...]:
    return tuple(Disagreement(*difference) for difference in verdict)
