"""The pool: a few distinct images, simulated and compressed once, kept on disk between runs."""

from __future__ import annotations

import tempfile
import zipfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from filewatcher.config import read_settings
from filewatcher.errors import Refused
from filewatcher.reasons import in_words
from filewatcher.testing.detector.sample import stills

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filewatcher.testing.detector.settings import Simulation

VERSION = 1
"""Raise it whenever the same settings would give other bytes."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Compressed images, as they go into the files."""

    chunks: tuple[bytes, ...]
    """Bitshuffle-LZ4 with the 12-byte header of HDF5 filter 32008; in the order of `sample.stills`."""


def pool_path(sim: Simulation) -> Path:
    """Return where the pool of these settings is kept: below ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    what = repr((VERSION, sim.model, sim.seed, stills(sim)))
    return read_settings().cache_dir / "simulated" / f"{sim.detector}-{sha256(what.encode()).hexdigest()[:16]}.npz"


def make_pool(sim: Simulation) -> Path:
    """Simulate and compress the pool unless it is there, whole; return its path.

    Raises `Refused` if the cache cannot be written.
    """
    path = pool_path(sim)
    if _read(path) is not None:
        return path
    chunks = _simulate(sim)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as part:
            whole = Path(part) / path.name
            np.savez(whole, **{f"image_{i}": np.frombuffer(c, np.uint8) for i, c in enumerate(chunks)})
            whole.replace(path)  # so that nobody ever reads half a pool
    except OSError as error:
        reason = f"{path.parent}: cannot keep the simulated images there ({in_words(error)}); "
        raise Refused(reason + "set XDG_CACHE_HOME to a folder that you may write") from error
    return path


def load_pool(sim: Simulation) -> Pool:
    """Read the pool that `make_pool` has made."""
    chunks = _read(pool_path(sim))
    if chunks is None:
        raise Refused(f"{pool_path(sim)}: the simulated images vanished from the cache; start again")
    return Pool(chunks)


def damaged(chunk: bytes) -> bytes:
    """Return the chunk as after the loss of part of its blocks: zeros from the first compressed length on.

    A zero length cannot be decompressed, whatever the library; the header with the image's size stays.
    """
    return chunk[:12] + bytes(len(chunk) - 12)


def _read(path: Path) -> tuple[bytes, ...] | None:
    """Return the chunks, or None if there is no whole pool."""
    try:
        with np.load(path) as stored:
            return tuple(stored[f"image_{i}"].tobytes() for i in range(len(stored.files)))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def _simulate(sim: Simulation) -> tuple[bytes, ...]:
    from filewatcher.testing.detector.images import Camera  # noqa: PLC0415  only where a pool is made

    camera = Camera(sim.model, sim.seed)
    return tuple(_compress(camera.image(shown, number)) for number, shown in enumerate(stills(sim)))


def _compress(image: NDArray[np.uint16]) -> bytes:
    """Compress by HDF5's own filter, in a file that is never on disk, so that the bytes are just those of a file."""
    import h5py  # noqa: PLC0415  not in the process that only starts the writers
    import hdf5plugin  # noqa: PLC0415

    with h5py.File("pool", "w", driver="core", backing_store=False) as memory:
        data = memory.create_dataset("image", data=image, chunks=image.shape, **hdf5plugin.Bitshuffle(cname="lz4"))
        chunk: bytes = data.id.read_direct_chunk((0, 0))[1]
        return chunk
