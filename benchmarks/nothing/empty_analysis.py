"""An analysis that does nothing: what is left is the cost of getting frames to workers and their results back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spotfinding.analysis import Record

if TYPE_CHECKING:
    from spotfinding.chunks import Chunk, Layout
    from spotfinding.detector import Detector
    from spotfinding.parameters import Parameters

NOTHING = Record(0, 0, 0, 0.0, -1.0, -1.0, -1.0, -1.0, -1.0, 0)


class EmptyAnalysis:
    """Stands in for `spotfinding.analysis.Analysis` on the workers of the bench; reads no byte."""

    engine_name = "none"

    def __init__(self, _detector: Detector, _parameters: Parameters, _engine_name: str) -> None:
        """Need nothing."""

    def __call__(self, _chunk: Chunk, _layout: Layout, _patience: float = 0.0) -> Record:
        """Say that there are no spots."""
        return NOTHING

    def warm_up(self) -> None:
        """Be warm."""
