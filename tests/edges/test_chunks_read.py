"""Reading a chunk from a file that may not be whole yet."""

from __future__ import annotations

import pickle
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from spotfinding.chunks import RETRY_DELAYS, Chunk, Decoder, Layout, read_chunk, read_frame
from spotfinding.errors import NotReadable

if TYPE_CHECKING:
    from numpy.typing import NDArray


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Chunk, Decoder, NDArray[Any]]:
    """An image behind 100 other bytes."""
    image: NDArray[Any] = np.random.default_rng(0).poisson(3, (30, 40)).astype("<u2")
    layout = Layout((30, 40), "<u2", ((1, (6,)),))
    data = zlib.compress(image.tobytes())
    path = tmp_path / "data.h5"
    path.write_bytes(b"x" * 100 + data + b"y" * 100)
    return Chunk(str(path), 100, len(data)), Decoder(layout), image


def test_a_frame_is_read_from_its_place(stored: tuple[Chunk, Decoder, NDArray[Any]]) -> None:
    chunk, decoder, image = stored
    before = open_files()
    np.testing.assert_array_equal(read_frame(chunk, decoder, sleep=no_sleep), image)
    assert open_files() == before


def open_files() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def no_sleep(_: float) -> None:
    pytest.fail("there is nothing to wait for")


def test_a_frame_that_comes_late_is_read_when_it_is_there(stored: tuple[Chunk, Decoder, NDArray[Any]]) -> None:
    """File absent, then too short, then with zeros, then whole."""
    chunk, decoder, image = stored
    whole = Path(chunk.path).read_bytes()
    states = iter([whole[:150], whole[:150] + bytes(len(whole) - 150), whole])
    Path(chunk.path).unlink()
    waited = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        Path(chunk.path).write_bytes(next(states))

    np.testing.assert_array_equal(read_frame(chunk, decoder, sleep=sleep), image)
    assert waited == [0.002, 0.010, 0.050]


def test_a_frame_that_does_not_come_is_given_back(stored: tuple[Chunk, Decoder, NDArray[Any]]) -> None:
    chunk, decoder, _ = stored
    beyond = Chunk(chunk.path, chunk.offset + 150, chunk.size)
    waited: list[float] = []
    there = Path(chunk.path).stat().st_size - beyond.offset
    says = (
        f"{chunk.path}: only {there} of {chunk.size} bytes are there "
        f"({chunk.size} bytes at {beyond.offset}, read 5 times)"
    )
    with pytest.raises(NotReadable, match=re.escape(says)) as caught:
        read_frame(beyond, decoder, sleep=waited.append)
    assert waited == list(RETRY_DELAYS)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), str(copy)) == (NotReadable, says)


def test_a_file_that_is_not_there_is_not_readable(tmp_path: Path) -> None:
    with pytest.raises(NotReadable, match="No such file or directory"):
        read_chunk(Chunk(str(tmp_path / "absent.h5"), 0, 10))


def test_a_worker_with_patience_tries_for_as_long(stored: tuple[Chunk, Decoder, NDArray[Any]]) -> None:
    chunk, decoder, _ = stored
    waited: list[float] = []
    with pytest.raises(NotReadable, match=r"read 12 times"):
        read_frame(Chunk(chunk.path, 1000, 10), decoder, patience=2.0, sleep=waited.append)
    assert 2.0 <= sum(waited) < 2.0 + RETRY_DELAYS[-1]
