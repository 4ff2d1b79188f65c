"""Results in any order, late, repeated or never, in; one outcome per frame, out.

Results are slots, not a stream: a frame's outcome goes into its slot, the first one stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.messages import METRICS, FrameFailed, FrameMissing, FrameResult, State, numbers_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from filewatcher.core.messages import Disagreement, Outcome


STATE_OF = {FrameResult: State.DONE, FrameFailed: State.FAILED, FrameMissing: State.MISSING}
"""How a frame stands that has ended like this."""


@dataclass(frozen=True, slots=True)
class Results:
    """What is known of a scan at one moment; never changes."""

    version: int
    """Outcomes recorded so far: grows with every change."""
    states: NDArray[np.uint8]
    """`State` per logical frame, shape (frames,)."""
    values: Mapping[str, NDArray[np.float64]]
    """Name of a number -> its value per logical frame, shape (frames,); NaN unless the frame is done."""
    attempts: NDArray[np.int64]
    """Shape (frames,)."""
    errors: Mapping[int, str]
    """Logical frame -> why it failed or is missing."""
    verified: Mapping[int, tuple[Disagreement, ...]]
    """Logical frame that real DIALS has analysed too -> on what it disagrees."""


class Collector:
    """The only place where outcomes are added; everyone else reads `Results`."""

    def __init__(self, frames: int = 0) -> None:
        self._states = bytearray(frames)  # a frame at a time, it costs a tenth of an array of numpy's
        self._values = np.full((frames, len(METRICS)), np.nan)
        self._attempts = np.zeros(frames, np.int64)
        self._errors: dict[int, str] = {}
        self._verified: dict[int, tuple[Disagreement, ...]] = {}
        self._ended = dict.fromkeys((State.DONE, State.FAILED, State.MISSING), 0)
        self._results: Results | None = None
        self.repeated = 0
        """Outcomes that came for a frame that had one."""

    def expect(self, frames: int) -> None:
        """Make room for logical frames 0 to `frames` - 1, where a scan turns out longer."""
        more = frames - len(self._states)
        if more > 0:
            self._results = None
            self._states.extend(bytes(more))
            self._attempts = np.concatenate([self._attempts, np.zeros(more, np.int64)])
            self._values = np.concatenate([self._values, np.full((more, len(METRICS)), np.nan)])

    def record(self, outcome: Outcome) -> bool:
        """Take an outcome; False if its frame has ended already, and nothing changed."""
        frame = outcome.frame
        if self._states[frame]:
            self.repeated += 1
            return False
        self._results = None
        state = STATE_OF[type(outcome)]
        self._states[frame] = state
        self._ended[state] += 1
        if not isinstance(outcome, FrameMissing) and outcome.verified is not None:
            self._verified[frame] = outcome.verified
        if isinstance(outcome, FrameResult):
            self._values[frame] = numbers_of(outcome.statistics)
            self._attempts[frame] = outcome.attempts
            return True
        self._errors[frame] = outcome.reason
        if isinstance(outcome, FrameFailed):
            self._attempts[frame] = outcome.attempts
        return True

    def count(self, state: State) -> int:
        """How many frames have ended like this."""
        return self._ended[state]

    def waiting(self, frame: int) -> bool:
        """Whether a frame has no outcome yet."""
        return not self._states[frame]

    def results(self) -> Results:
        """Return a snapshot; the same object until something changes."""
        if self._results is None:
            values = dict(zip(METRICS, self._values.T.copy(), strict=True))
            self._results = Results(
                sum(self._ended.values()),
                np.array(self._states, np.uint8),
                values,
                self._attempts.copy(),
                dict(self._errors),
                dict(self._verified),
            )
        return self._results
