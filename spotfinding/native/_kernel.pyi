from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

Columns: TypeAlias = tuple[
    NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int32], NDArray[np.int32]
]

class InstructionSet:
    __members__: ClassVar[dict[str, InstructionSet]]
    name: str

def available(instruction_set: InstructionSet) -> bool: ...
def best_available() -> InstructionSet: ...

class Parameters:
    extended: bool
    kernel_slow: int
    kernel_fast: int
    sigma_background: float
    sigma_strong: float
    global_threshold: float
    min_local: int
    has_gain: bool
    gain: float
    masked_pixels_erode: bool
    min_spot_size: int
    max_spot_size: int
    max_separation: float

class Finder:
    def __init__(
        self,
        shape: tuple[int, int],
        parameters: Parameters,
        mask: NDArray[np.bool_] | None,
        instruction_set: InstructionSet,
    ) -> None: ...
    def find(
        self, pixels: NDArray[Any], low: float, high: float, gain: float, most: int
    ) -> tuple[Columns | None, int]: ...
    def find_stored(
        self,
        lz4: int,
        data: memoryview,
        block: int,
        dtype: np.dtype[Any],
        low: float,
        high: float,
        gain: float,
        most: int,
    ) -> tuple[Columns | None, int] | None: ...
    def strong_pixels(self, pixels: NDArray[Any], low: float, high: float, gain: float) -> NDArray[np.bool_]: ...
