"""What a beamline's database says of data collections, and what of it an ask did not say itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filewatcher.core.asks import Ask
    from filewatcher.core.gridinfo import GridInfo


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The data collections that were armed as one; tuples have one entry per master."""

    dcids: tuple[int, ...]
    """In order of the scans."""
    masters: tuple[str, ...]
    """Absolute paths."""
    frames: tuple[int | None, ...]
    """Images of each; None = the row does not say."""
    gridinfos: tuple[GridInfo | None, ...]
    """None = no grid."""
    visit: str | None = None
    beamline: str | None = None
    snapshot: str | None = None
    """Path of the on-axis camera's picture."""
    grid_to_come: bool = False
    """It is called a grid scan, and a grid is not there yet."""
    problems: tuple[str, ...] = ()
    """What could not be used, in words."""


def completed(ask: Ask, found: LookedUp) -> Ask:
    """Return an ask with what it leaves out; what it says itself wins.

    A pair is only made of an ask without a path: one that names its master means that one. The number of frames stays
    with the master, which knows how many were asked of the detector; the database may know of fewer, or more.
    """
    masters, infos, dcids = found.masters, found.gridinfos, found.dcids
    if ask.masters:
        masters, dcids = ask.masters, ask.dcids
        infos = tuple(found.gridinfos[found.dcids.index(dcid)] for dcid in dcids)
    whole = tuple(info for info in infos if info is not None)
    own = ask.gridinfos or ask.grid is not None
    return replace(
        ask,
        masters=masters,
        dcids=dcids,
        gridinfos=ask.gridinfos if own or len(whole) < len(masters) else whole,
        visit=ask.visit or found.visit,
        beamline=ask.beamline or found.beamline,
        snapshot=ask.snapshot or found.snapshot,
    )
