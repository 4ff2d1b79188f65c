"""What happens in a round of the soak: drawn at random, the same for the same seed and number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from odin_writer import Recording

from filewatcher.testing.layouts import LAYOUTS

if TYPE_CHECKING:
    from pathlib import Path

DEEDS = ("kill child", "stop child", "stop writers", "kill writers", "again, new files", "again, same files")
"""What is done in the middle of a recording; the last two write another collection over the same names."""
ODDS = (0.3, 0.08, 0.3, 0.12, 0.1, 0.1)


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that is done to a recording while it is watched."""

    what: str
    """One of `DEEDS`."""
    after: int
    """Frames announced before it is done."""
    seconds: float
    """How long writers stay stopped."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One round."""

    number: int
    recording: Recording
    deeds: tuple[Deed, ...]
    layout: str | None = None
    """Instead of a recording: this layout of `filewatcher.testing.layouts`, complete."""

    def __str__(self) -> str:
        """One line."""
        if self.layout is not None:
            return f"layout {self.layout}"
        r = self.recording
        deeds = "".join(f", {deed.what} after {deed.after}" for deed in self.deeds)
        return (
            f"{r.frames} frames, {r.blocks} files, {r.writers} writers, {r.rate:.0f} Hz"
            + (", unlimited" if r.growing else "")
            + (f", {len(r.never)} never written" if r.never else "")
            + (f", shuffled by {r.shuffle}" if r.shuffle > 1 else "")
            + (f", a writer dies at {r.dies_at}" if r.dies_at is not None else "")
            + deeds
        )


def draw(seed: int, number: int, folder: Path) -> Plan:
    """Draw a round; `folder` is where its raw files go: the same one, and so the same names, in every round."""
    rng = np.random.default_rng([seed, number])
    frames = int(rng.integers(20, 1500))
    recording = Recording(
        folder,
        frames,
        rate=float(rng.choice([100.0, 300.0, 1000.0, 4000.0])) * max(1.0, frames / 1000),
        writers=int(rng.integers(1, 4)),
        per_file=max(int(rng.choice([25, 50, 100, 1000])), frames // 20),
        growing=bool(rng.random() < 0.3),
        payload=(200, int(rng.choice([300, 2_000, 20_000]))),
        run=2 * number + 1,
        never=_never(rng, frames),
        shuffle=int(rng.choice([1, 1, 4, 16])),
        dies_at=int(rng.integers(frames)) if rng.random() < 0.1 else None,
    )
    layout = str(rng.choice(sorted(LAYOUTS))) if rng.random() < 0.25 else None
    return Plan(number, recording, _deeds(rng, frames), layout)


def _never(rng: np.random.Generator, frames: int) -> frozenset[int]:
    if rng.random() < 0.6:
        return frozenset()
    if rng.random() < 0.5:  # aborted: nothing from there on
        return frozenset(range(int(rng.integers(1, frames)), frames))
    return frozenset(rng.choice(frames, size=int(rng.integers(1, 1 + frames // 5)), replace=False).tolist())


def _deeds(rng: np.random.Generator, frames: int) -> tuple[Deed, ...]:
    chosen = rng.choice(DEEDS, size=int(rng.choice([0, 1, 1, 2])), p=ODDS).tolist()
    deeds = [Deed(what, int(rng.integers(1, frames)), float(rng.uniform(0.1, 1.5))) for what in chosen]
    return tuple(sorted(deeds, key=lambda deed: deed.after))
