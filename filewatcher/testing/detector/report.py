"""What a simulation says of itself; free of HDF5, for it crosses from the writers to whoever started them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """What a writer tells the process that started it."""

    frames: int
    """Written so far."""
    first: float = 0.0
    """Monotonic clock at the first frame, seconds; 0 = none yet."""
    last: float = 0.0
    """And at the last one so far."""
    lag: float = 0.0
    """The most seconds by which a frame was later than due."""
    finished: bool = False
    """Nothing more will be written; files may be held open."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a simulation."""

    frames: int
    """Written in all."""
    seconds: float
    """From the first frame to the last."""
    rate: float
    """Frames per second achieved; 0 for fewer than two frames."""
    lag: float
    """The most seconds by which a frame came later than it should; 0 where the rate is infinite."""
    killed: tuple[int, ...] = ()
    """Writers that died without closing their files, as ordered."""
