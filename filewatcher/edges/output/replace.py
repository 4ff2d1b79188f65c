"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filewatcher.errors import Broken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Lend a temporary name beside ``path``; what was written there takes its place at the end.

    A reader sees the old file or the new one. Raises `Broken` if the system refuses (permissions, a full disk); then,
    as after any other error, the old file is as it was.
    """
    # a name of our own, not tempfile's: that one would be private to this user
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or error
        raise Broken(f"{path} cannot be written: {reason}; free the place or choose another --output") from error
    finally:
        temporary.unlink(missing_ok=True)
