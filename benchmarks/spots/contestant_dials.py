"""Real DIALS, as its own server analyses an image; nothing of ours is imported (it needs HDF5_PLUGIN_PATH)."""

from __future__ import annotations

from typing import Any

from contestant import serve
from dials.command_line import find_spots_server


class Dials:
    """DIALS's per-image analysis of the images of one master."""

    def __init__(self) -> None:
        self._master = ""

    def prepare(self, frames: dict[str, Any]) -> None:
        """Remember the master."""
        self._master = frames["master"]

    def analyse(self, frame: int) -> dict[str, Any]:
        """Return what its server would answer."""
        answer: dict[str, Any] = find_spots_server.work(
            self._master, ["d_max=40", f"scan_range={frame + 1},{frame + 1}"]
        )
        return answer


if __name__ == "__main__":
    serve(Dials())
