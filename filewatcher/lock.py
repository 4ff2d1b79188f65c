"""One process at a time in a folder of ours."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from filewatcher.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path


class Held(Exception):
    """Another process holds the lock."""

    def __init__(self, owner: str) -> None:
        super().__init__(owner)
        self.owner = owner
        """Its pid."""


def lock(path: Path) -> int:
    """Make and lock a file, with our pid in it; returns its descriptor, which lets go when it is closed.

    Raises `Held`, and `Refused` where its folder cannot be used.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise Refused(f"cannot keep state in {path.parent}: {error.strerror}; set FILEWATCHER_STATE_DIR") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(descriptor, 32, 0).decode().strip()
        os.close(descriptor)
        raise Held(owner) from None
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        os.close(descriptor)
        raise Refused(
            f"cannot keep state in {path.parent}: {error.strerror}; make room, or set FILEWATCHER_STATE_DIR"
        ) from error
    return descriptor
