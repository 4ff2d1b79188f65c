"""Our own engine, through the interface that a worker uses; and its steps, one by one."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import h5py
import hdf5plugin
import numpy as np
from contestant import serve
from frames import Frames

from spotfinding import bitshuffle
from spotfinding.analysis import Analysis
from spotfinding.buffers import KeptBuffer
from spotfinding.chunks import Decoder, read_chunk
from spotfinding.errors import AnalysisError
from spotfinding.native import NativeSpotFinder
from spotfinding.parameters import Parameters
from spotfinding.validity import valid_range

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

ROUNDS = 9
"""Of every step; its figure is the median."""
PART = slice(64, 192), slice(64, 960)
"""Of a frame, within its first module: 0.2 MB."""


class Native:
    """The native engine, warm, for the frames of one master."""

    def prepare(self, frames: dict[str, Any]) -> None:
        """Build engine and buffers."""
        self._frames = Frames.from_json(frames)
        self._analysis = Analysis(self._frames.detector, Parameters(), "native")
        self._analysis.warm_up()
        mask, parameters = self._frames.detector.pixel_mask(), self._analysis.parameters
        self._finder = NativeSpotFinder(self._frames.detector.shape, parameters, mask)
        # every strong pixel is one too many: thresholded, then refused instead of connected
        refusing = replace(parameters, max_strong_pixel_fraction=0.0)
        self._threshold = NativeSpotFinder(self._frames.detector.shape, refusing, mask)
        self._decoder, self._buffer = Decoder(self._frames.layout), KeptBuffer()
        part = self._decoder.decode(read_chunk(self._frames.chunks[-1]))[PART]
        self._part, self._part_finder = _packed(part), NativeSpotFinder(part.shape, parameters)

    def analyse(self, frame: int) -> dict[str, Any]:
        """Return what a worker would answer."""
        return asdict(self._analysis(self._frames.chunks[frame], self._frames.layout))

    def many(self, seconds: float) -> dict[str, float]:
        """Return frames per second, all frames in turn, for so many seconds."""
        return _rates(lambda done: self.analyse(done % len(self._frames.chunks)), seconds)

    def small(self, seconds: float) -> dict[str, float]:
        """Return how often per second spots are found in a part of a frame that fits into the core's own cache."""
        return _rates(lambda _: self._part_finder.find_packed(self._part, None, 65533), seconds)

    def steps(self, frame: int) -> dict[str, float]:
        """Return the milliseconds of each step, measured alone; of LZ4 alone; and of a copy of the image.

        ``both``: decompressed and thresholded block by block, as an image is.
        """
        chunk, layout = self._frames.chunks[frame], self._frames.layout
        data = read_chunk(chunk)
        pixels = self._decoder.decode(data).copy()
        inclusive = self._analysis.parameters.trusted_range == "inclusive"
        low, high = valid_range(pixels.dtype, self._frames.detector.trusted_range, inclusive=inclusive)
        target = self._buffer.first(layout.nbytes)
        block, flat = int.from_bytes(data[8:12], "big"), pixels.reshape(-1).view(np.uint8)

        packed = self._decoder.packed(data)
        assert packed is not None

        def threshold() -> None:
            with suppress(AnalysisError):
                self._threshold.find(pixels, low, high)

        def both() -> None:
            with suppress(AnalysisError):
                self._threshold.find_packed(packed, low, high)

        times = _medians({
            "read": lambda: read_chunk(chunk, self._decoder.stored),
            "decompress": lambda: self._decoder.decode(data),
            "threshold": threshold,
            "both": both,
            "threshold, label": lambda: self._finder.find(pixels, low, high),
            "threshold, label, statistics": lambda: self._analysis.find(pixels),
            "lz4": lambda: bitshuffle.undo(data[12:], block, pixels.itemsize, target, "none"),
            "memcpy": lambda: np.copyto(np.frombuffer(target, np.uint8), flat),
        })  # fmt: skip
        whole, labelled = times.pop("threshold, label, statistics"), times.pop("threshold, label")
        return times | {"label": max(0.0, labelled - times["threshold"]), "statistics": max(0.0, whole - labelled)}


def _rates(work: Callable[[int], object], seconds: float) -> dict[str, float]:
    """How often per second it was done, by the clock and by the CPU time of this process."""
    done, start, cpu = 0, time.perf_counter(), time.process_time()
    while (passed := time.perf_counter() - start) < seconds:
        work(done)
        done += 1
    return {"per-second": done / passed, "per-cpu-second": done / (time.process_time() - cpu)}


def _packed(pixels: NDArray[np.generic]) -> bitshuffle.Packed:
    """An image as a detector stores it."""
    with h5py.File("part", "w", driver="core", backing_store=False) as file:
        compression = hdf5plugin.Bitshuffle(cname="lz4")
        stored = file.create_dataset("image", data=pixels, chunks=pixels.shape, **compression)
        _, data = stored.id.read_direct_chunk((0, 0))
    block = int.from_bytes(data[8:12], "big")
    return bitshuffle.Packed(memoryview(data)[12:], block, pixels.shape, pixels.dtype)


def _medians(steps: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Milliseconds of each, in turns."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(ROUNDS):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            times[name].append((time.perf_counter() - start) * 1e3)
    return {name: float(np.median(each)) for name, each in times.items()}


if __name__ == "__main__":
    serve(Native())
