"""Which of a scan's frames are analysed, in the words of Diamond's watcher (``every``, ``every-N``, ``select-N``)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from filewatcher.errors import Refused

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Selection:
    """A choice of logical frames: first a range of images, then a pattern within it."""

    pattern: str = "every"
    """``every`` | ``every-N`` (images 1, N+1, 2N+1, ...) | ``select-N`` (N equidistant ones including the last)."""
    first: int = 1
    """First image, from 1."""
    last: int | None = None
    """Last image, inclusive; None = to the end."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"every|(every|select)-[1-9][0-9]*", self.pattern):
            raise Refused(f"selection {self.pattern!r} is none of: every, every-N, select-N with N from 1 on")
        if self.first < 1 or (self.last is not None and self.last < self.first):
            last = "" if self.last is None else self.last
            raise Refused(f"images {self.first}-{last} are no range: images count from 1, as in 1-500")

    @classmethod
    def parse(cls, pattern: str = "every", images: str | None = None) -> Selection:
        """Read the words of the command line: a pattern and a range such as ``1-500``, ``7`` or ``100-``.

        >>> Selection.parse("every-2", "1-6").frames(100)
        array([0, 2, 4])
        """
        if images is None:
            return cls(pattern)
        match = re.fullmatch(r"([0-9]+)(-([0-9]*))?", images)
        if not match:
            raise Refused(f"images {images!r} is no range: write 1-500, 7 or 100- (images count from 1)")
        first, dash, last = match.groups()
        end = (int(last) if last else None) if dash else int(first)
        return cls(pattern, int(first), end)

    @property
    def needs_length(self) -> bool:
        """Whether the number of frames must be known before the first one can be chosen."""
        return self.pattern.startswith("select")

    def frames(self, total: int) -> NDArray[np.int64]:
        """Return the chosen logical frames (from 0, ascending) of a scan of `total` frames.

        >>> Selection("select-3").frames(10)
        array([0, 4, 9])
        >>> Selection("select-1").frames(10)
        array([9])
        """
        end = total if self.last is None else min(self.last, total)
        available: NDArray[np.int64] = np.arange(self.first - 1, end)
        kind, _, number = self.pattern.partition("-")
        if not number or not len(available):
            return available
        if kind == "every":
            return available[:: int(number)]
        count = min(int(number), len(available))
        if count == 1:
            return available[-1:]
        chosen: NDArray[np.int64] = available[np.rint(np.linspace(0, len(available) - 1, count)).astype(np.int64)]
        return chosen
