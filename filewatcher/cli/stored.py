"""What a command reads that works on stored results: a file, or standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from filewatcher.errors import Refused

STDIN = Path("-")


def read_input(path: Path) -> tuple[bytes, str]:
    """Return the content of a file, of standard input for ``-``, and its name for sentences; raises `Refused`."""
    if path == STDIN:
        return sys.stdin.buffer.read(), "standard input"
    try:
        return path.read_bytes(), str(path)
    except OSError as error:
        raise Refused(
            f"{path} cannot be read: {error.strerror}; give a results.h5, JSON, or - for JSON on stdin"
        ) from error
