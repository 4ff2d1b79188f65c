"""What makes two analyses of a collection the same run: the same one resumes, another one gets its own output."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from filewatcher.core.detector import Detector
    from filewatcher.core.observations import MasterFile
    from filewatcher.core.selection import Selection


@dataclass(frozen=True, slots=True)
class Run:
    """A collection analysed one way. Workers and profile are not part of it."""

    masters: tuple[MasterFile, ...]
    """One per scan."""
    selection: Selection
    parameters: Mapping[str, Any]
    """Every parameter with its value, as resolved at arming; JSON values."""
    engine: str
    """As resolved: never ``auto``."""
    channel: str | None = None
    """Of a 4-D DECTRIS file."""

    @property
    def key(self) -> str:
        """16 hexadecimal digits; equal for equal runs.

        A master's size and age are not in it, because a live one grows: they are compared when a run is complete.
        """
        identity = {
            "masters": [(m.path, m.device, m.inode) for m in self.masters],
            "selection": asdict(self.selection),
            "parameters": dict(self.parameters),
            "engine": self.engine,
            "channel": self.channel,
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def age(self) -> str:
        """Size and age of the masters, as JSON: differs once a complete master has been written again."""
        return json.dumps([(m.size, m.mtime_ns) for m in self.masters])


@dataclass(frozen=True, slots=True)
class Job:
    """What workers need to know before the first frame: built once per worker and collection, at arming."""

    name: str
    """Unique per run."""
    detector: Detector
    parameters: Mapping[str, Any]
    """Every analysis parameter, resolved; JSON values."""
    engine: str
    """``native`` or ``dials``."""
