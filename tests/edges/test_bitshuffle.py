"""Bitshuffle with LZ4 into a kept buffer: the same bytes as the detector maker's library, and no harm by any input."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotfinding import bitshuffle
from spotfinding.bitshuffle import INSTRUCTION_SETS
from spotfinding.bitshuffle._blocks import undo_blocks
from spotfinding.buffers import KeptBuffer
from spotfinding.chunks import Chunk, Decoder, Layout, read_chunk, read_frame
from spotfinding.errors import NotReadable

if TYPE_CHECKING:
    from numpy.typing import NDArray


def stored(image: NDArray[Any], nelems: int = 0) -> bytes:
    """What HDF5 stores for an image."""
    with h5py.File("bitshuffle", "w", driver="core", backing_store=False) as file:
        options = hdf5plugin.Bitshuffle(nelems=nelems, cname="lz4")
        data = file.create_dataset("data", data=image, chunks=image.shape, **options)
        return bytes(data.id.read_direct_chunk((0,) * image.ndim)[1])


def layout_of(image: NDArray[Any]) -> Layout:
    return Layout((image.shape[0], image.shape[1]), image.dtype.str, ((32008, (0, 4, image.itemsize, 0, 2)),))


def undone(data: bytes, width: int, nbytes: int, instruction_set: str) -> bytes:
    target = memoryview(bytearray(nbytes))
    bitshuffle.undo(memoryview(data)[12:], int.from_bytes(data[8:12], "big"), width, target, instruction_set)
    return target.tobytes()


@pytest.mark.parametrize("instruction_set", INSTRUCTION_SETS)
@given(
    dtype=st.sampled_from(["u1", "u2", "u4", "u8"]),
    length=st.integers(1, 9000),
    nelems=st.sampled_from([0, 8, 64, 256, 264, 1024]),
    most=st.sampled_from([0, 1, 3, 255, 256, 2**16, 2**31]),
    bright=st.floats(0, 1),
)
@settings(max_examples=150, deadline=None)
def test_all_instruction_sets_give_the_image_back(
    instruction_set: str, dtype: str, length: int, nelems: int, most: int, bright: float
) -> None:
    rng = np.random.default_rng([length, nelems, most])
    image = rng.integers(0, min(most, np.iinfo(dtype).max), length, endpoint=True).astype(dtype)
    image[rng.random(length) < bright**4] = np.iinfo(dtype).max
    data = stored(image, nelems)
    assert undone(data, image.itemsize, image.nbytes, instruction_set) == image.tobytes()


@pytest.mark.parametrize("instruction_set", INSTRUCTION_SETS)
def test_every_bit_comes_to_its_place(instruction_set: str) -> None:
    for dtype in ("u1", "u2", "u4"):
        bits = 8 * np.dtype(dtype).itemsize
        image = np.zeros((bits, 520), dtype)
        for bit in range(bits):
            image[bit, bit :: bits + 1] = 1 << bit
        assert undone(stored(image), image.itemsize, image.nbytes, instruction_set) == image.tobytes()


def test_damaged_chunks_are_refused_or_decoded_like_the_makers_library_does() -> None:
    """Nothing is read or written outside of the buffers: the process would not live to its end."""
    cases = 3000
    command = [sys.executable, str(Path(__file__).with_name("mutations.py")), str(cases)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert ran.returncode == 0, ran.stderr
    count = json.loads(ran.stdout.splitlines()[-1])
    assert count["refused"] + count["decoded"] >= cases
    assert min(count["refused"], count["compared"]) > cases // 4
    assert count["decoded"] > 0


@pytest.mark.parametrize(
    ("block", "width", "says"), [(0, 2, "8 pixels"), (24, 2, "8 pixels"), (2**31, 2, "8 pixels"), (64, 0, "8 pixels")]
)
def test_blocks_that_cannot_be_are_refused(block: int, width: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        bitshuffle.undo(memoryview(bytes(100)), block, width, memoryview(bytearray(64)))


def test_a_target_in_the_data_is_refused() -> None:
    both = memoryview(bytearray(200))
    with pytest.raises(ValueError, match="overlap"):
        bitshuffle.undo(both[:100], 64, 2, both[99:163])
    with pytest.raises(ValueError, match="overlap"):
        bitshuffle.undo(both[60:], 64, 2, both[:64])


def test_an_instruction_set_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="no instruction set sse9"):
        bitshuffle.undo(memoryview(b""), 64, 2, memoryview(bytearray(8)), "sse9")


def test_each_library_that_has_lz4_serves() -> None:
    image = np.random.default_rng(0).poisson(2, (50, 60)).astype("u2")
    data = stored(image)
    found = [address for name in bitshuffle.LIBRARIES if (address := bitshuffle.find_lz4([name])) is not None]
    assert found[0] == bitshuffle.LZ4
    for address in found:
        target = bytearray(image.nbytes)
        undo_blocks(address, data[12:], 8192, 2, target)
        assert target == image.tobytes()


def test_without_lz4s_address_the_makers_library_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(0).poisson(2, (50, 60)).astype("<u2")
    data = stored(image)
    monkeypatch.setattr(bitshuffle, "LZ4", None)
    decoder = Decoder(layout_of(image))
    np.testing.assert_array_equal(decoder.decode(data), image)
    with pytest.raises(NotReadable, match="cannot be decompressed"):
        decoder.decode(data[:-1])


def test_two_filters_that_keep_their_bytes_in_buffers_do_not_meet() -> None:
    """Shuffle leaves compressed bytes in one buffer, from which bitshuffle fills another."""
    image = np.random.default_rng(0).poisson(2, (50, 61)).astype("<u2")
    once = stored(image)
    size = len(once) // 2 * 2
    shuffled = np.frombuffer(once[:size], "u1").reshape(-1, 2).T.tobytes() + once[size:]
    layout = Layout((50, 61), "<u2", ((32008, (0, 4, 2, 0, 2)), (2, (2,))))
    np.testing.assert_array_equal(Decoder(layout).decode(shuffled), image)


def test_a_buffer_is_kept_until_more_is_asked_for() -> None:
    buffer = KeptBuffer()
    few = np.frombuffer(buffer.first(1000), "u1")
    assert few.ctypes.data % resource.getpagesize() == 0
    few[:] = 7
    same = np.frombuffer(buffer.first(500), "u1")
    assert (same.ctypes.data, len(same), set(same.tolist())) == (few.ctypes.data, 500, {7})
    assert len(buffer.first(100_000)) == 100_000
    assert few[999] == 7  # who has the old bytes keeps them
    assert len(KeptBuffer().first(0)) == 0


@pytest.mark.parametrize("nbytes", [2**62, 2**80])
def test_more_than_there_is_memory_is_said(nbytes: int, tmp_path: Path) -> None:
    with pytest.raises(MemoryError, match=f"no memory for {nbytes} bytes"):
        KeptBuffer().first(nbytes)
    with pytest.raises(NotReadable, match="no memory"):
        read_chunk(Chunk(str(tmp_path / "absent"), 0, nbytes))


def test_no_memory_is_mapped_anew_for_a_frame(tmp_path: Path) -> None:
    """As many pixels as glibc maps and unmaps for each new array (above 32 MB)."""
    image = np.random.default_rng(0).poisson(0.1, (4400, 4200)).astype("<u2")
    data = stored(image)
    path = tmp_path / "data"
    path.write_bytes(data)
    chunk, decoder = Chunk(str(path), 0, len(data)), Decoder(layout_of(image))
    read_frame(chunk, decoder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(3):
        pixels = read_frame(chunk, decoder)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    assert faults < image.nbytes / resource.getpagesize() / 10
    np.testing.assert_array_equal(pixels, image)
