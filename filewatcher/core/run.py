"""What is asked (`Order`), which run that is (`Run`), what workers are told (`Job`), how it ended (`Finished`)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from filewatcher.core.answers import Answer
    from filewatcher.core.collector import Results
    from filewatcher.core.detector import Detector
    from filewatcher.core.messages import ScanEnded
    from filewatcher.core.observations import Described, MasterFile
    from filewatcher.core.selection import Selection


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done with a collection."""

    masters: tuple[str, ...]
    """Paths, as they are called; one per scan."""
    selection: Selection
    parameters: Mapping[str, Any]
    """Resolved; JSON values."""
    engine: str
    """Resolved."""
    channel: str | None = None
    verify: int = 0
    """Real DIALS analyses frames 0, N, 2N, ... too; 0 = none."""
    roots: tuple[str, ...] = ()
    """Folders outside which nothing may be read; none = all may."""

    def job(self, name: str, detector: Detector) -> Job:
        """Return what workers are told, once the detector is known; `name`: that of the run."""
        return Job(name, detector, self.parameters, self.engine, self.verify, self.masters, self.roots)


@dataclass(frozen=True, slots=True)
class Run:
    """A collection analysed one way: the same run resumes, another one gets its own output.

    Workers and profile are not part of it.
    """

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
    verify: int = 0
    """As in `Order`."""
    paths: tuple[str, ...] = ()
    """Files that every worker must be able to read."""
    roots: tuple[str, ...] = ()
    """As in `Order`: what a name leads to may have changed when a worker comes to read it."""


@dataclass(frozen=True, slots=True)
class FinishedScan:
    """A scan has ended: expected = done + failed + missing."""

    described: Described
    selected: NDArray[np.int64]
    """Logical frames, ascending."""
    results: Results
    ended: ScanEnded


@dataclass(frozen=True, slots=True)
class Finished:
    """A collection has ended."""

    run: Run
    scans: tuple[FinishedScan, ...]
    detector: Detector | None
    warnings: tuple[str, ...]
    answers: tuple[Answer, ...] = ()
    """The final ones: where the crystal is."""
