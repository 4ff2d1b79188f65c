"""Hours of collections at random, disturbed at random: `make soak`, or ``python benchmarks/soak.py --seconds 60``.

What must hold: every frame ends once, counts add up, bytes are right the moment a frame is announced, all that was
flushed is announced, every scan ends within its time-out, nothing of a round stays behind. Ends with exit code 1,
the seed and the round, where it does not; ``--seed S --first N --rounds 1`` plays that round again.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from figures import descriptors, resident_mib
from soak_plans import draw
from soak_rounds import Violation, play

from filewatcher.errors import FilewatcherError

LEAK_MIB = 8.0
"""By how much the memory of this process may grow between the second quarter and the last."""
ENOUGH = 40
"""Rounds before memory is judged: allocators take a while to settle."""


class Leftovers:
    """What rounds leave behind in this process."""

    def __init__(self) -> None:
        self._descriptors: list[str] | None = None
        self._mib: list[float] = []

    def check(self) -> None:
        """After a round. Raises `Violation`."""
        gc.collect()
        if running := multiprocessing.active_children():
            raise Violation(f"processes left behind: {running}")
        if (threads := threading.active_count()) > 1:
            raise Violation(f"{threads - 1} threads left behind: {threading.enumerate()}")
        now = descriptors()
        if self._descriptors is None:
            self._descriptors = now  # of the first round: what Python itself keeps, e.g. multiprocessing's tracker
        if now != self._descriptors:
            raise Violation(f"descriptors left behind: {now} instead of {self._descriptors}")
        self._mib.append(resident_mib())
        if len(self._mib) >= ENOUGH and self.growth > LEAK_MIB:
            raise Violation(f"memory grows: {self.growth:.1f} MiB in {len(self._mib)} rounds")

    @property
    def growth(self) -> float:
        """MiB from the median of the second quarter of all rounds to that of the last."""
        quarter = len(self._mib) // 4
        if not quarter:
            return 0.0
        return float(np.median(self._mib[-quarter:]) - np.median(self._mib[quarter : 2 * quarter]))


def soak(seed: int, first: int, rounds: int | None, seconds: float, root: Path) -> int:
    """Play rounds until the time is up; returns the exit code."""
    begun, number = time.monotonic(), first
    leftovers = Leftovers()
    print(f"seed {seed}", flush=True)
    while time.monotonic() - begun < seconds and (rounds is None or number < first + rounds):
        plan = draw(seed, number, root / "raw")
        at = time.monotonic()
        try:
            went = play(plan, root)
            leftovers.check()
        except (Violation, FilewatcherError) as error:
            print(f"round {number}: {plan}: VIOLATED: {error}", flush=True)
            print(f"again: --seed {seed} --first {number} --rounds 1")
            return 1
        print(f"round {number}: {plan}: {went} ({time.monotonic() - at:.1f} s)", flush=True)
        number += 1
    print(
        f"{number - first} rounds in {time.monotonic() - begun:.0f} s with seed {seed}: nothing violated; "
        f"memory {resident_mib():.1f} MiB, grown by {leftovers.growth:+.1f} MiB from the second quarter to the last"
    )
    return 0


def main() -> int:
    """Read the command line and soak."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600.0, help="no round begins after so long (default 3600)")
    parser.add_argument("--seed", type=int, default=None, help="of all that is random (default: another each time)")
    parser.add_argument("--first", type=int, default=0, help="number of the first round (default 0)")
    parser.add_argument("--rounds", type=int, default=None, help="how many at most (default: as time permits)")
    parser.add_argument("--folder", type=Path, help="where files are recorded (default: the temporary folder)")
    wanted = parser.parse_args()
    seed = wanted.seed if wanted.seed is not None else random.SystemRandom().randrange(10**6)
    with tempfile.TemporaryDirectory(prefix="filewatcher-soak-", dir=wanted.folder) as folder:
        return soak(seed, wanted.first, wanted.rounds, wanted.seconds, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
