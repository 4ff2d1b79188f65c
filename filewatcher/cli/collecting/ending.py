"""How a collection ended, in words for a person."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from filewatcher.cli.collecting.told import told_2d
from filewatcher.core.messages import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filewatcher.core.report import ScanReport
    from filewatcher.core.verification import Verification

REASONS = 10
"""Why images failed or are missing: sentences that a person reads."""


def ending(report: ScanReport, reason: str, *, alone: bool) -> Iterator[str]:
    """Sentences about one scan; `reason`: why it ended; `alone`: the only one of its collection."""
    counts = ", ".join(
        f"{report.count(state)} {word}"
        for state, word in ((State.DONE, "analysed"), (State.FAILED, "failed"), (State.MISSING, "missing"))
    )
    why = "" if reason == "complete" else f" ({reason})"
    which = f"{PurePath(report.master.path).name}: " if not alone else ""
    yield f"{which}{report.expected} frames: {counts}{why}"
    reasons = _reasons(report)
    for what, frames in list(reasons.items())[:REASONS]:
        yield f"  {_images(frames)}: {what}"
    if more := sum(len(frames) for frames in list(reasons.values())[REASONS:]):
        yield f"  {more} more image{'s' * (more != 1)} with reasons of their own: they are in results.h5"
    if report.verification is not None:
        yield _verdict(report.verification)
    if (best := report.best("n_spots_total")) is not None and report.values["n_spots_total"][best] > 0:
        frame, spots = int(report.frames[best]), int(report.values["n_spots_total"][best])
        where = ""
        if report.grid is not None:
            row, column = report.grid.cell(frame)
            where = f", row {row + 1} of {report.grid.rows}, column {column + 1} of {report.grid.columns}"
        yield f"most spots: {spots} on image {frame + 1}{where}"
    if report.centring is not None:
        yield " ".join(next(told_2d(report.centring)).split())


def _verdict(found: Verification) -> str:
    """Say in a line how the engine compares with DIALS."""
    if not found.disagreeing:
        return f"verified: DIALS says the same of {found.frames} frame{'s' * (found.frames != 1)}"
    frame, first = found.listed[0]
    return (
        f"DIALS DISAGREES on {found.disagreeing} of {found.frames} frames that it analysed too, first on image "
        f"{frame + 1}: {first.number} is {first.ours}, by DIALS {first.dials}; all are in the summary"
    )


def _reasons(report: ScanReport) -> dict[str, list[int]]:
    reasons: dict[str, list[int]] = {}
    for place, reason in report.errors.items():
        reasons.setdefault(reason, []).append(int(report.frames[place]) + 1)
    return reasons


def _images(images: list[int]) -> str:
    """Name images, counted from 1: the first few are enough for a person.

    >>> _images([7]), _images([3, 4, 5, 6]), _images([1, 3, 5, 7, 9, 11])
    ('image 7', 'images 3-6', 'images 1, 3, 5, 7 and 2 more')
    """
    if len(images) == 1:
        return f"image {images[0]}"
    if images[-1] - images[0] == len(images) - 1:
        return f"images {images[0]}-{images[-1]}"
    more = f" and {len(images) - 4} more" if len(images) > 4 else ""
    return f"images {', '.join(map(str, images[:4]))}{more}"
