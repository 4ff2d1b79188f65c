"""The reader of a master, without the process around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.observations import Described, OnDisk
from filewatcher.edges.swmr.reader import MasterReader
from filewatcher.edges.swmr.request import Request
from filewatcher.testing.layouts import direct

if TYPE_CHECKING:
    from pathlib import Path


def all_news(reader: MasterReader) -> list[object]:
    news: list[object] = []
    while not reader.done:
        news += reader.step(0.0)
    reader.close()
    return news


def test_a_step_over_many_files_says_that_it_is_alive(tmp_path: Path) -> None:
    signs: list[None] = []
    reader = MasterReader(Request(str(direct(tmp_path).master), wait=False), alive=lambda: signs.append(None))
    news = all_news(reader)
    (described,) = [item for item in news if isinstance(item, Described)]
    assert len(signs) >= 3 * len(described.frame_map.files), "when described, when checked, when scanned"


def test_a_row_asked_for_again_before_the_master_was_read_is_not_forgotten(tmp_path: Path) -> None:
    request = Request(str(direct(tmp_path).master), wait=False)
    chunks = next(item for item in all_news(MasterReader(request)) if isinstance(item, OnDisk)).chunks
    seen = {file: np.ones(1000, bool) for file in range(10)}
    reader = MasterReader(request, seen)
    reader.forget(0, chunks[0].row)
    found = [item for item in all_news(reader) if isinstance(item, OnDisk)]
    assert [(item.file, [chunk.row for chunk in item.chunks]) for item in found] == [(0, [chunks[0].row])]
