"""Numbers for Prometheus: what has become of frames and collections, and how long each stage took."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from filewatcher.core.collector import STATE_OF
from filewatcher.core.messages import FrameMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from filewatcher.core.answers import Answer
    from filewatcher.core.asks import Ask
    from filewatcher.core.messages import Outcome
    from filewatcher.core.observations import Described
    from filewatcher.core.run import Finished, Run

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
"""Edges of the bins."""


class Metrics:
    """Follows all collections; `workers`: those that take frames, `busy`: those that have some, asked when read."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self, workers: Callable[[], int], busy: Callable[[], int]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the only one of its functions without types
        self._registry = CollectorRegistry()
        self._frames = Counter("filewatcher_frames", "Frames that have ended", ["state"], registry=self._registry)
        self._disagreeing = Counter(
            "filewatcher_frames_dials_disagrees", "Frames of which DIALS says otherwise", registry=self._registry
        )
        self._verified = Counter(
            "filewatcher_frames_verified", "Frames that DIALS analysed too", registry=self._registry
        )
        self._collections = Gauge(
            "filewatcher_collections", "Collections known, by state", ["state"], registry=self._registry
        )
        self._ended = Counter("filewatcher_collections_ended", "By how", ["state"], registry=self._registry)
        self._stages = Histogram(
            "filewatcher_stage_seconds",
            "How long a stage of a frame's life took",
            ["stage"],
            buckets=SECONDS,
            registry=self._registry,
        )
        Gauge("filewatcher_workers", "Workers that take frames", registry=self._registry).set_function(workers)
        Gauge("filewatcher_workers_busy", "Workers that have frames", registry=self._registry).set_function(busy)
        Gauge("filewatcher_started_seconds", "When the daemon began", registry=self._registry).set(time.time())
        for state in STATE_OF.values():
            self._frames.labels(state.word)

    def text(self, counts: Mapping[str, int]) -> bytes:
        """Return all numbers as Prometheus reads them; `counts`: collections by state."""
        self._collections.clear()
        for state, count in counts.items():
            self._collections.labels(state).set(count)
        return generate_latest(self._registry)

    def stage(self, name: str, seconds: float) -> None:
        """Note how long a stage took."""
        self._stages.labels(name).observe(seconds)

    # ---- as a follower

    def began(self, collection: str, ask: Ask, /) -> None:
        """Nothing."""

    def described(self, collection: str, described: Sequence[Described], run: Run, /) -> None:
        """Nothing."""

    def outcomes(self, collection: str, outcomes: Sequence[Outcome], /) -> None:  # noqa: ARG002  the Protocol's
        """Count frames."""
        for outcome in outcomes:
            self._frames.labels(STATE_OF[type(outcome)].word).inc()
            if not isinstance(outcome, FrameMissing) and outcome.verified is not None:
                self._verified.inc()
                self._disagreeing.inc(bool(outcome.verified))

    def centred(self, collection: str, answer: Answer, /) -> None:
        """Nothing."""

    def ended(self, collection: str, state: str, finished: Finished | None, /) -> None:  # noqa: ARG002
        """Count collections."""
        self._ended.labels(state).inc()
