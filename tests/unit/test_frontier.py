"""Which rows are missing, and where news is looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.observations import StoredChunk
from filewatcher.edges.swmr.frontier import OVERTAKEN, WIDEST, Frontier

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH = 8


def chunks(rows: Iterable[int]) -> list[StoredChunk]:
    return [StoredChunk(row, 1, 1, 0) for row in rows]


class Disk:
    """Rows that are stored, and how many were asked for."""

    def __init__(self, rows: set[int]) -> None:
        self.rows = rows
        self.asked = 0

    def look(self, frontier: Frontier, rows: int = 1 << 40) -> list[int]:
        def ask(first: int, stop: int) -> list[StoredChunk]:
            missing = [row for row in range(first, stop) if frontier.missing[row]]
            self.asked += len(missing)
            return chunks(row for row in missing if row in self.rows)

        found = frontier.near(ask, rows, WIDTH)
        frontier.mark(found)
        return [chunk.row for chunk in found]


@given(
    wanted=st.lists(st.booleans(), max_size=200),
    steps=st.lists(st.tuples(st.sampled_from(["mark", "forget", "know", "want"]), st.integers(0, 199)), max_size=40),
)
def test_it_counts_as_sets_do(wanted: list[bool], steps: list[tuple[str, int]]) -> None:
    frontier = Frontier(np.array(wanted, bool))
    seen: set[int] = set()
    for step, row in steps:
        if step == "mark" and row < len(wanted):
            frontier.mark(chunks([row]))
            seen.add(row)
        elif step == "forget":
            frontier.forget(row)
            seen.discard(row)
        elif step == "know":
            frontier.know(np.arange(len(wanted)) == row)
            seen |= {row} & set(range(len(wanted)))
        elif step == "want":
            wanted = [*wanted, True]
            frontier.want(np.array(wanted, bool))
    missing = {row for row, w in enumerate(wanted) if w} - seen
    assert {row for row, yes in enumerate(frontier.missing) if yes} == missing
    assert frontier.left == len(missing)
    if missing:
        assert Disk({min(missing)}).look(frontier) == [min(missing)]
    else:
        assert Disk(set(range(1000))).look(frontier) == []


def test_frames_in_order_are_found_at_once_however_many() -> None:
    frontier = Frontier(np.ones(100_000, bool))
    disk = Disk(set(range(50_000)))
    assert disk.look(frontier) == list(range(50_000))
    assert disk.asked < 50_000 + 2 * WIDEST
    disk.asked = 0
    disk.rows.add(50_000)
    assert disk.look(frontier) == [50_000]
    assert disk.asked == WIDTH


def test_a_gap_holds_up_nobody_and_is_not_forgotten() -> None:
    frontier = Frontier(np.ones(1000, bool))
    disk = Disk(set(range(500)) - {3})
    frontier.mark(chunks(sorted(disk.rows)))
    disk.rows |= {500, 501}
    assert disk.look(frontier) == [500, 501]
    disk.rows.add(3)
    assert disk.look(frontier) == [3]


def test_frames_that_were_overtaken_are_found_behind_a_lasting_gap() -> None:
    frontier = Frontier(np.ones(1000, bool))
    disk = Disk(set(range(100, 500)) - {499 - OVERTAKEN + 2})
    frontier.mark(chunks(sorted(disk.rows)))
    disk.rows |= {499 - OVERTAKEN + 2}
    assert disk.look(frontier) == [499 - OVERTAKEN + 2]


def test_rows_that_hold_no_frame_are_not_asked_for() -> None:
    frontier = Frontier(np.arange(100) % 10 == 9)
    disk = Disk(set(range(100)))
    assert disk.look(frontier) == list(range(9, 100, 10))


def test_rows_beyond_the_end_are_not_asked_for() -> None:
    frontier = Frontier(np.ones(100, bool))
    assert Disk(set(range(100))).look(frontier, rows=5) == [0, 1, 2, 3, 4]
