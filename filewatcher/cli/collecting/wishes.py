"""What a command line asks of one collection, before any of it is checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filewatcher.core.gridinfo import GridInfo


@dataclass(frozen=True, slots=True)
class Wishes:
    """All that a command line may ask of one collection; the defaults are those of `watch`."""

    master: Path
    """Absolute."""
    words: tuple[str, ...] = ()
    engine: str = "auto"
    workers: int | None = None
    output: Path | None = None
    as_json: bool = False
    force: bool = False
    quiet: bool = False
    select: str = "every"
    images: str | None = None
    channel: str | None = None
    grid: str | None = None
    orientation: str | None = None
    snaked: bool | None = None
    start: str | None = None
    frame_timeout: float | None = None
    """Seconds; None = as the profile."""
    frames: int | None = None
    timeout_first: float = 3600.0
    timeout: float | None = None
    watch_share: float | None = None
    wait: bool = True
    profile: str | None = None
    """Name or path; None = as the environment says, else the local one."""
    settings: tuple[str, ...] = ()
    """KEY=VALUE, for this profile."""
    dry_run: bool = False
    verify: int | None = None
    others: tuple[Path, ...] = ()
    """Masters of further scans of the same collection; absolute."""

    notify: tuple[str, ...] = ()
    """``udp://host:port``, ``http://...`` or ``ispyb:``."""
    dcid: str | None = None
    """Data collection ids, one per scan, separated by commas."""

    results: Path | None = None
    """Folder in which each run gets one of its own, where `output` names none; None = the current one."""

    gridinfo: Path | None = None
    """JSON with a row of ISPyB's GridInfo per scan."""

    gridinfos: tuple[GridInfo, ...] = ()
    """What the database says of each scan; words win over it. Empty = it says nothing."""

    @property
    def masters(self) -> tuple[Path, ...]:
        """One per scan."""
        return (self.master, *self.others)
