# In C++ what `reference` says in Python.
from collections.abc import Mapping, Sequence

from filewatcher.core.messages import ChunkLayout
from filewatcher.core.observations import Observation, StoredChunk

class Entries:
    def __init__(self, fd: int, base: int, size: int, mask_at: int, chunk_size: int, step: int) -> None: ...
    def find(self, address: int, wanted: bytearray, first: int, stop: int) -> tuple[list[StoredChunk], list[int]]: ...

class Tail:
    def __init__(
        self,
        entries: Entries,
        piece: tuple[int, int, int],
        missing: bytearray,
        seen: bytearray,
        oldest: int,
        last: int,
        left: int,
        end: int,
    ) -> None: ...
    @property
    def oldest(self) -> int: ...
    @property
    def left(self) -> int: ...
    @property
    def last(self) -> int: ...
    @property
    def newest(self) -> int: ...
    @property
    def end(self) -> int: ...

def on_disk(
    data: bytes, begin: int, end: int, told: Mapping[int, tuple[int, int, ChunkLayout]]
) -> list[Observation]: ...
def look_at(tails: Sequence[Tail]) -> list[tuple[int, list[StoredChunk] | None]]: ...
def follow(
    tails: Sequence[Tail], files: Sequence[int], line: int, hints: int, begun: float, period: float, until: float
) -> tuple[str, int, float, float]: ...
