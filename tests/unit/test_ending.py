"""What a person reads when a collection has ended."""

from __future__ import annotations

import numpy as np
import pytest

from filewatcher.cli.collecting.ending import REASONS, ending
from filewatcher.core.messages import METRICS, State
from filewatcher.core.observations import MasterFile
from filewatcher.core.report import ScanReport


def failed(reasons: list[str]) -> ScanReport:
    """Return the report of a scan whose frames failed for these reasons."""
    frames = len(reasons)
    return ScanReport(
        collection="c",
        scan=0,
        master=MasterFile("/data/m.nxs", 0, 0, 0, 0),
        expected=frames,
        frames=np.arange(frames),
        states=np.full(frames, State.FAILED, np.uint8),
        values={name: np.full(frames, np.nan) for name in METRICS},
        errors=dict(enumerate(reasons)),
        attempts=np.full(frames, 3, np.int64),
        engine="native",
        grid=None,
    )


def told(reasons: list[str]) -> list[str]:
    return [line for line in ending(failed(reasons), "complete", alone=True) if line.startswith("  ")]


def test_images_with_one_reason_are_told_in_one_sentence() -> None:
    assert told(["short"] * 500) == ["  images 1-500: short"]


@pytest.mark.parametrize(("more", "word"), [(1, "1 more image with"), (90, "90 more images with")])
def test_a_screen_of_reasons_is_enough_and_the_rest_is_counted(more: int, word: str) -> None:
    lines = told([f"reason {i}" for i in range(REASONS + more)])
    assert len(lines) == REASONS + 1
    assert word in lines[-1]
    assert "results.h5" in lines[-1]
