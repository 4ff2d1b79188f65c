"""What a worker does with a frame: bytes -> pixels -> spots -> ten numbers.

`Analysis` is built once per worker and collection, and costs seconds; calling it costs only the frame.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol

import numpy as np

from spotfinding.chunks import Decoder, read_and, read_frame, unsupported
from spotfinding.engines import build, resolve
from spotfinding.errors import AnalysisError, NotReadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from spotfinding.bitshuffle import Packed
    from spotfinding.chunks import Chunk, Layout
    from spotfinding.detector import Detector
    from spotfinding.parameters import Parameters
    from spotfinding.spots import Spots

__all__ = ["Analysis", "AnalysisError", "Engine", "Measured", "NotReadable", "Record"]


@dataclass(frozen=True, slots=True)
class Record:
    """The numbers of one image, named as in DIALS's per-image analysis; -1.0 = too few spots to say."""

    n_spots_total: int
    n_spots_no_ice: int
    n_spots_4A: int  # noqa: N815  the field's own spelling
    """Spots with d > 4 angstrom."""
    total_intensity: float
    """Counts, summed over the spots outside ice rings."""
    estimated_d_min: float
    """Angstrom."""
    d_min_distl_method_1: float
    """Angstrom."""
    d_min_distl_method_2: float
    """Angstrom."""
    noisiness_method_1: float
    noisiness_method_2: float
    n_strong_pixels: int
    """Thresholded pixels, before any spot filter."""

    def numbers(self) -> tuple[float, ...]:
        """Return them in this order; ``dataclasses.astuple`` would copy each."""
        return _numbers_of(self)


_numbers_of: Callable[[Record], tuple[float, ...]] = attrgetter(*(field.name for field in fields(Record)))


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """The spots of one image that count, and their resolution."""

    spots: Spots
    d: NDArray[np.float64]
    """Angstrom, shape (spots,)."""


class Engine(Protocol):
    """Finds spots on one image at a time; built for one detector and one set of parameters."""

    def find(self, pixels: NDArray[np.generic]) -> Record:
        """Analyse pixels of shape (slow, fast), of any dtype of `spotfinding.chunks.DTYPES`.

        Does not change the pixels. Raises `AnalysisError` for an image that cannot be analysed.
        """

    def find_packed(self, image: Packed) -> Record | None:
        """The same for an image that is still compressed; None: this engine needs the pixels of this image.

        Raises `NotReadable` for bytes that are not an image.
        """

    def spots(self, pixels: NDArray[np.generic]) -> Measured:
        """Return the spots that `find` counts, ice included; arguments and errors as there."""


class Analysis:
    """Spot finding for one collection, ready to run.

    Raises `ParameterError` if the engine or the parameters cannot be had here, `AnalysisError` if the detector
    cannot be understood.
    """

    def __init__(self, detector: Detector, parameters: Parameters, engine_name: str) -> None:
        self.detector = detector
        resolved = resolve(engine_name, parameters, detector, load=engine_name == "dials")
        self.engine_name, self.parameters = resolved.engine, resolved.parameters
        self._engine = build(self.engine_name, detector, self.parameters)
        self._decoders: dict[Layout, Decoder] = {}

    def __call__(self, chunk: Chunk, layout: Layout, patience: float = 0.0) -> Record:
        """Analyse the image whose stored bytes are `chunk`; `patience`: seconds, see `read_frame`.

        Raises `NotReadable` if the bytes are not whole (give the frame back, to be re-issued), else
        `AnalysisError`.
        """
        decoder = self._decoder(chunk.path, layout)

        def analyse(stored: memoryview) -> Record:
            image = decoder.packed(stored, chunk.filter_mask)
            record = None if image is None else self._engine.find_packed(image)
            return record or self.find(decoder.decode(stored, chunk.filter_mask))

        return read_and(analyse, chunk, decoder, patience=patience)

    def find(self, pixels: NDArray[np.generic]) -> Record:
        """Analyse an image, shape (slow, fast). Raises `AnalysisError`."""
        return self._engine.find(pixels)

    def spots(self, chunk: Chunk, layout: Layout, patience: float = 0.0) -> Measured:
        """Return the spots of an image; arguments and errors as for a call."""
        return self.spots_on(self.pixels(chunk, layout, patience))

    def spots_on(self, pixels: NDArray[np.generic]) -> Measured:
        """Return the spots of an image, shape (slow, fast). Raises `AnalysisError`."""
        return self._engine.spots(pixels)

    @cached_property
    def mask(self) -> NDArray[np.bool_] | None:
        """Shape (slow, fast), True = masked; None where the master has no mask."""
        return self.detector.pixel_mask()

    def pixels(self, chunk: Chunk, layout: Layout, patience: float = 0.0) -> NDArray[np.generic]:
        """Return an image, shape (slow, fast); arguments and errors as for a call."""
        return read_frame(chunk, self._decoder(chunk.path, layout), patience=patience)

    def warm_up(self) -> None:
        """Run one blank image, so that the first real one is as fast as the others."""
        self._engine.find(np.zeros(self.detector.shape, dtype=np.uint16))

    def _decoder(self, path: str, layout: Layout) -> Decoder:
        decoder = self._decoders.get(layout)
        return decoder or self._decoders.setdefault(layout, self._new_decoder(path, layout))

    def _new_decoder(self, path: str, layout: Layout) -> Decoder:
        reason = unsupported(layout)
        if reason is not None:
            raise AnalysisError(f"{path}: {reason}")
        if layout.shape != self.detector.shape:
            raise AnalysisError(
                f"{path}: its images have {layout.shape[0]} x {layout.shape[1]} pixels (slow x fast), but the "
                f"detector in the master has {self.detector.shape[0]} x {self.detector.shape[1]}"
            )
        return Decoder(layout)
