"""What a worker does with a frame: bytes -> pixels -> spots -> ten numbers.

`Analysis` is built once per worker and collection, and costs seconds; calling it costs only the frame.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from spotfinding.chunks import Decoder, read_frame, unsupported
from spotfinding.errors import AnalysisError, NotReadable
from spotfinding.parameters import ParameterError, resolve_parameters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spotfinding.chunks import Chunk, Layout
    from spotfinding.detector import Detector
    from spotfinding.parameters import Parameters

__all__ = ["Analysis", "AnalysisError", "Engine", "NotReadable", "Record", "engine_version", "resolve_engine"]


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


class Engine(Protocol):
    """Finds spots on one image at a time; built for one detector and one set of parameters."""

    def find(self, pixels: NDArray[np.generic]) -> Record:
        """Analyse pixels of shape (slow, fast), of any dtype of `spotfinding.chunks.DTYPES`.

        Does not change the pixels. Raises `AnalysisError` for an image that cannot be analysed.
        """


class Analysis:
    """Spot finding for one collection, ready to run.

    Raises `ParameterError` if the engine or the parameters cannot be had here, `AnalysisError` if the detector
    cannot be understood.
    """

    def __init__(self, detector: Detector, parameters: Parameters, engine_name: str) -> None:
        self.detector = detector
        self.engine_name = resolve_engine(engine_name)
        self.parameters = resolve_parameters(parameters, self.engine_name)
        self._engine = _build(self.engine_name, detector, self.parameters)
        self._decoders: dict[Layout, Decoder] = {}

    def __call__(self, chunk: Chunk, layout: Layout, patience: float = 0.0) -> Record:
        """Analyse the image whose stored bytes are `chunk`; `patience`: seconds, see `read_frame`.

        Raises `NotReadable` if the bytes are not whole (give the frame back, to be re-issued), else
        `AnalysisError`.
        """
        decoder = self._decoders.get(layout)
        if decoder is None:
            decoder = self._decoders.setdefault(layout, self._decoder(chunk.path, layout))
        return self._engine.find(read_frame(chunk, decoder, patience=patience))

    def warm_up(self) -> None:
        """Run one blank image, so that the first real one is as fast as the others."""
        self._engine.find(np.zeros(self.detector.shape, dtype=np.uint16))

    def _decoder(self, path: str, layout: Layout) -> Decoder:
        reason = unsupported(layout)
        if reason is not None:
            raise AnalysisError(f"{path}: {reason}")
        if layout.shape != self.detector.shape:
            raise AnalysisError(
                f"{path}: its images have {layout.shape[0]} x {layout.shape[1]} pixels (slow x fast), but the "
                f"detector in the master has {self.detector.shape[0]} x {self.detector.shape[1]}"
            )
        return Decoder(layout)


def resolve_engine(name: str) -> str:
    """Return the engine that a name means here: ``auto`` and ``dials`` mean ``dials``.

    Raises `ParameterError` for any other, and where DIALS is not installed or cannot be imported.
    """
    if name == "native":
        raise ParameterError("this version has no native engine; use --engine dials")
    if name not in ("auto", "dials"):
        raise ParameterError(f"unknown engine {name}: there are auto and dials")
    if importlib.util.find_spec("dials") is None or importlib.util.find_spec("dxtbx") is None:
        raise ParameterError(
            "the engine dials needs DIALS, which this Python does not have: install Debian's package "
            "python3-dials, DIALS from conda-forge, or load your facility's dials module"
        )
    try:
        importlib.import_module("spotfinding.dials_rules")
    except (ImportError, OSError, RuntimeError, AssertionError) as error:  # libtbx looks for its build, or numpy 2
        raise ParameterError(
            f"the engine dials needs DIALS, which is installed here but cannot be imported ({error}): "
            "check LIBTBX_BUILD and that numpy is older than 2 if DIALS was built with an older one"
        ) from error
    return "dials"


def engine_version(name: str) -> str:
    """Return what a resolved engine is, e.g. ``DIALS 3.12, dxtbx 3.11.2``; two workers that differ do not mix."""
    if name != "dials":
        raise ParameterError(f"unknown engine {name}: there is dials")
    from spotfinding.dials_rules import installed_version  # noqa: PLC0415  imports DIALS

    return installed_version()


def _build(name: str, detector: Detector, parameters: Parameters) -> Engine:
    """The engine itself; the only place that knows which there are."""
    if name != "dials":
        raise ParameterError(f"unknown engine {name}: there is dials")
    from spotfinding.dials_engine import DialsEngine  # noqa: PLC0415  imports DIALS

    return DialsEngine(detector, parameters)
