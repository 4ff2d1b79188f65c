from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.observations import MasterFile
from filewatcher.core.run import Run
from filewatcher.core.selection import Selection

MASTER = MasterFile("/data/m.nxs", 1, 2, 3, 4)
RUN = Run((MASTER,), Selection(), {"d_max": 40.0, "gain": None}, "dials")


@given(st.integers(), st.integers())
def test_a_live_master_grows_and_stays_the_same_run(size: int, mtime: int) -> None:
    older = replace(RUN, masters=(replace(MASTER, size=size, mtime_ns=mtime),))
    assert older.key == RUN.key


def test_the_order_of_parameters_is_of_no_meaning() -> None:
    assert replace(RUN, parameters={"gain": None, "d_max": 40.0}).key == RUN.key


@pytest.mark.parametrize(
    "change",
    [
        {"masters": (replace(MASTER, inode=9),)},
        {"masters": (replace(MASTER, path="/data/n.nxs"),)},
        {"masters": (MASTER, MASTER)},
        {"selection": Selection("every-2")},
        {"parameters": {"d_max": None, "gain": None}},
        {"engine": "native"},
        {"channel": "threshold_2"},
    ],
)
def test_another_way_is_another_run(change: dict[str, Any]) -> None:
    assert replace(RUN, **change).key != RUN.key
