"""A writer that writes as fast as it can, in a process of its own: every byte that it writes can be told in advance."""

from __future__ import annotations

import multiprocessing
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess
    from pathlib import Path


def payload(row: int) -> bytes:
    """Bytes of the chunk of a row: 8 to 1,007 of them, all different from those of other rows."""
    return random.Random(row).randbytes(8 + row * 7919 % 1000)  # noqa: S311  no secret


def start_writing(path: Path, rows: int, *, growing: bool) -> BaseProcess:
    """Start a SWMR writer of one file: chunks put down as they are, flushed after every one, closed in the end."""
    process = multiprocessing.get_context("spawn").Process(target=_write, args=(str(path), rows, growing), daemon=True)
    process.start()
    return process


def _write(path: str, rows: int, growing: bool) -> None:
    import h5py  # noqa: PLC0415  not in the process of the tests

    with h5py.File(path, "w", libver=("v110", "v110"), locking=False) as file:
        images = file.create_dataset(
            "data",
            (0 if growing else rows, 20, 30),
            "<u2",
            chunks=(1, 20, 30),
            maxshape=(None, 20, 30) if growing else None,
            compression="gzip",
        )
        file.swmr_mode = True
        for row in range(rows):
            if growing:
                images.id.set_extent((row + 1, 20, 30))
            images.id.write_direct_chunk((row, 0, 0), payload(row))
            images.id.flush()
