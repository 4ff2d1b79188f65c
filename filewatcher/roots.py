"""Which files a daemon may be asked to read: those below allowed folders, whatever links and dots say."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from filewatcher.errors import Forbidden, Refused
from filewatcher.reasons import in_words

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
            if not folder.is_absolute() or not os.path.isdir(folder):  # noqa: PTH112  it raises nothing
                raise Refused(f"root {folder} is no folder here: give absolute paths of folders that exist")
        self.everywhere = Path("/") in self.folders
        """Nothing is refused."""
        self.names = () if self.everywhere else tuple(map(str, self.folders))
        """For whoever reads on other machines; empty = nothing is refused."""

    def check(self, path: str) -> None:
        """Raise `Forbidden` for a path that somebody asks for and that is, or leads, outside; it need not exist."""
        words = PurePosixPath(path)
        if len(path) > LONGEST or not path.isprintable():
            raise Forbidden("this is no path: give the absolute path of a master file")
        if not words.is_absolute() or ".." in words.parts:
            raise Forbidden(f"{path}: give an absolute path without '..'")
        self.check_link(path)

    def check_link(self, path: str) -> None:
        """Raise `Forbidden` for a file that another one leads to (``..`` is usual there); before it is opened."""
        if self.everywhere:
            return
        try:
            real = os.path.realpath(path)
        except (OSError, ValueError) as error:
            raise Forbidden(f"{path} cannot be followed: {in_words(error)}") from error
        self._check(path, real)

    def check_open(self, descriptor: int, path: str) -> None:
        """Raise `Forbidden` if what was opened under this name is outside: links may change after any look at them."""
        if not self.everywhere:
            self._check(path, str(Path(f"/proc/self/fd/{descriptor}").readlink()))

    def _check(self, path: str, real: str) -> None:
        # an allowed folder may be a link itself, and lead elsewhere tomorrow
        if not any(Path(real).is_relative_to(os.path.realpath(folder)) for folder in self.folders):
            raise Forbidden(f"{path} is, or leads, outside the folders that this server may read")


ANYWHERE = Roots([Path("/")])
"""For who reads what the own user may read."""
