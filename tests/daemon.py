"""What a viewer of a daemon knows, and small files for it to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import numpy as np

from filewatcher.core.cells import HEADER
from filewatcher.core.messages import METRICS
from filewatcher.testing.tinyfiles import IMAGE, LIBVER, image, write_metadata, write_virtual

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


class Cells:
    """What a viewer knows, from messages alone."""

    def __init__(self) -> None:
        self.generation: int | None = None
        self.cursor = 0
        self.cells: dict[int, tuple[int, NDArray[np.float32]]] = {}

    def take(self, message: bytes) -> None:
        _, generation, since, version, n, _frames = HEADER.unpack_from(message)
        if generation != self.generation:
            assert since == 0, "another generation begins with everything"
            self.generation, self.cursor, self.cells = generation, 0, {}
        assert since == self.cursor
        place = HEADER.size
        frames = np.frombuffer(message, "<u4", n, place)
        states = np.frombuffer(message, np.uint8, n, place + 4 * n)
        place += 4 * n + (n + 3) // 4 * 4
        values = np.frombuffer(message, "<f4", n * len(METRICS), place).reshape(len(METRICS), n)
        for i, frame in enumerate(frames.tolist()):
            assert frame not in self.cells, "each frame is sent once"
            self.cells[frame] = int(states[i]), values[:, i]
        self.cursor = version


def write_tiny(master: Path, frames: int = 6) -> Path:
    """Write a finished collection of tiny images: a master and one data file."""
    master.parent.mkdir(parents=True, exist_ok=True)
    data = master.with_name(f"{master.stem}_000001.h5")
    with h5py.File(data, "w", libver=LIBVER) as file:
        images = file.create_dataset("data", (frames, *IMAGE), "<u2", chunks=(1, *IMAGE))
        for row in range(frames):
            images[row] = image(row)
    with h5py.File(master, "w", libver=LIBVER) as file:
        write_metadata(file, frames)
        axis = (0, 1, 1, frames)
        write_virtual(file, "entry/data/data", (frames, *IMAGE), [(axis, data.name, "data", axis)])
    return master
