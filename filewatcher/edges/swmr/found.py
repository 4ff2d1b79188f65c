"""What was found in one data file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Found:
    """Rows of one data file, and where their bytes are; columns as in `OnDisk`."""

    rows: NDArray[np.int64]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    masks: NDArray[np.uint32]

    @classmethod
    def of(cls, table: Sequence[tuple[int, int, int, int]]) -> Self:
        """From a table of (row, offset, size, filter mask)."""
        columns = np.array(table, np.int64).reshape(-1, 4)
        return cls(columns[:, 0].copy(), columns[:, 1].copy(), columns[:, 2].copy(), columns[:, 3].astype(np.uint32))

    def __len__(self) -> int:
        return len(self.rows)

    def without(self, rows: NDArray[np.int64]) -> Found:
        """All but these rows."""
        return self.pick(~np.isin(self.rows, rows)) if len(rows) else self

    def and_(self, *others: Found) -> Found:
        """All, one after the other."""
        parts = [part for part in (self, *others) if len(part)]
        if len(parts) < 2:
            return parts[0] if parts else self
        return Found(
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.offsets for part in parts]),
            np.concatenate([part.sizes for part in parts]),
            np.concatenate([part.masks for part in parts]),
        )

    def pick(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Found:
        """Some of them."""
        return Found(self.rows[which], self.offsets[which], self.sizes[which], self.masks[which])

    def within(self, end: int) -> Found:
        """Those whose bytes lie within a file of `end` bytes: of others there is nothing to be read yet."""
        inside = self.offsets + self.sizes <= end
        return self if inside.all() else self.pick(inside)


NOTHING = Found.of([])
