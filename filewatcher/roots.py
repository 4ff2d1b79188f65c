"""Which files a daemon may be asked to read: those below allowed folders, whatever links and dots say."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from filewatcher.errors import Forbidden, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 4096
"""Characters of a path."""


class Roots:
    """Allowed folders."""

    def __init__(self, folders: Iterable[Path]) -> None:
        """Raise `Refused` for a folder that is not there: a misspelt one would allow what nobody meant."""
        self.folders = tuple(folders)
        for folder in self.folders:
            if not folder.is_absolute() or not folder.is_dir():
                raise Refused(f"root {folder} is no folder here: give absolute paths of folders that exist")

    def check(self, path: str) -> None:
        """Raise `Forbidden` for a path outside, or that a link leads outside; it need not exist. May touch a disk."""
        words = PurePosixPath(path)
        if len(path) > LONGEST or not path.isprintable():
            raise Forbidden("this is no path: give the absolute path of a master file")
        if not words.is_absolute() or ".." in words.parts:
            raise Forbidden(f"{path}: give an absolute path without '..'")
        try:
            real = Path(os.path.realpath(path))
        except (OSError, ValueError) as error:
            raise Forbidden(f"{path} cannot be followed: {error}") from error
        if not any(real.is_relative_to(os.path.realpath(folder)) for folder in self.folders):
            raise Forbidden(f"{path} is outside the folders that this server may read")
