"""What comes back from a worker, in the words of the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from filewatcher.core.batching import BatchEnded, Unreadable
from filewatcher.core.messages import Disagreement, FrameFailed, FrameResult, Statistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from filewatcher.core.batching import Batch
    from filewatcher.core.messages import FrameReady
    from filewatcher.edges.dask_pool.worker import Answer, Verdict

Outcome: TypeAlias = FrameResult | FrameFailed | Unreadable


def ended(batch: Batch, answers: Sequence[Answer], seconds: float) -> BatchEnded:
    """Return what a worker has answered, an outcome per frame."""
    outcomes = tuple(_outcome(*one) for one in zip(batch.frames, batch.attempts, answers, strict=True))
    return BatchEnded(batch, outcomes, seconds)


def _outcome(frame: FrameReady, attempts: int, answer: Answer) -> Outcome:
    match answer:
        case ("done", (engine, *numbers), *verdict):
            statistics = Statistics(*numbers)
            return FrameResult(frame.scan, frame.frame, statistics, engine, attempts, _verified(verdict))
        case ("unreadable", reason):
            return Unreadable(frame, reason)
        case (_, reason, *verdict):
            return FrameFailed(frame.scan, frame.frame, reason, attempts, _verified(verdict))


def _verified(verdict: list[Verdict]) -> tuple[Disagreement, ...] | None:
    return tuple(Disagreement(*difference) for difference in verdict[0]) if verdict else None
