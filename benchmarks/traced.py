"""``filewatcher serve`` that notes of each frame when it was seen, handed out and back, and what its worker took.

Run as a program: a file for the notes, then the words of the command. Numbers per frame of scan 0, see `Notes`; those
of whichever collection came last.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from filewatcher.core.batching import Batch, BatchEnded, BatchLost

SEEN, SUBMITTED, BACK, WORKER = range(4)


def notes(path: Path, frames: int | None = None) -> NDArray[np.float64]:
    """Open notes, or make them for so many frames: shape (frames, 4), seconds.

    Seen on disk, handed out, back: by CLOCK_MONOTONIC, which all processes have in common. Then the time of its worker.
    0 = it has not happened.
    """
    at: Any = np.lib.format.open_memmap
    opened: NDArray[np.float64] = at(path, "r+") if frames is None else at(path, "w+", np.float64, (frames, 4))
    return opened


def main() -> None:
    """Serve."""
    # not above: the child that reads HDF5 imports this file too, and wants nothing of it
    import time  # noqa: PLC0415

    from filewatcher.cli import main as command  # noqa: PLC0415
    from filewatcher.cli.serving import server, workshop  # noqa: F401, PLC0415  the first sets what the others need
    from filewatcher.cli.serving.stages import Timed  # noqa: PLC0415

    noted = notes(Path(sys.argv.pop(1)))

    class Traced(Timed):
        """Notes the times of every frame, not only what stages took."""

        def submit(self, job: str, batch: Batch) -> None:
            super().submit(job, batch)
            now = time.monotonic()
            for one in batch.frames:
                if one.frame < len(noted):
                    noted[one.frame, SEEN] = self._places.seen_at(one.scan, one.frame) or 0.0
                    noted[one.frame, SUBMITTED] = now

        async def ended(self) -> Sequence[BatchEnded | BatchLost]:
            some = await super().ended()
            now = time.monotonic()
            for one in some:
                for frame in one.batch.frames:
                    if frame.frame < len(noted):
                        noted[frame.frame, BACK] = now
                        noted[frame.frame, WORKER] = getattr(one, "seconds", 0.0)
            return some

    workshop.Timed = Traced  # type: ignore[attr-defined]  # the one place of the product that is not as it is shipped
    command()


if __name__ == "__main__":
    main()
