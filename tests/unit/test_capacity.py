"""The cores that it says are needed do keep up, in a simulation of frames that come and are worked off."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.capacity import CATCH_UP, Capacity


def test_nothing_is_said_before_a_frame_has_been_answered() -> None:
    capacity = Capacity()
    assert capacity.demand(10, 0, 2, 0.0) is None
    capacity.measured(0, 0.0)
    assert capacity.demand(20, 0, 2, 1.0) is None


def test_a_steady_stream_that_is_kept_up_with() -> None:
    capacity = Capacity()
    capacity.measured(100, 2.0)
    for second in range(10):
        demand = capacity.demand(281 * second, 281 * second, 8, float(second))
    assert demand is not None
    assert demand.rate == pytest.approx(281)
    assert demand.cores_needed == 7  # 281 x 0.02 x 1.1
    assert demand.behind == 0
    assert str(demand) == "281 frames/s of 20 ms: 7 cores needed, 8 here"


def test_what_has_piled_up_is_seconds_of_the_cores_here() -> None:
    capacity = Capacity()
    capacity.measured(1, 0.5)
    capacity.demand(100, 0, 2, 0.0)
    demand = capacity.demand(100, 20, 2, 10.0)
    assert demand is not None
    assert (demand.rate, demand.behind) == (0, 20.0)
    none = capacity.demand(100, 20, 0, 20.0)
    assert none is not None
    assert none.behind == math.inf
    assert str(none).endswith("none of them yet")


@given(st.floats(1, 2000), st.floats(0.001, 3), st.integers(0, 20000))
def test_the_cores_needed_work_off_what_comes_and_what_has_piled_up(rate: float, cost: float, waiting: int) -> None:
    capacity = Capacity()
    capacity.measured(1, cost)
    seen, answered = float(waiting), 0.0
    for second in range(4 * int(CATCH_UP)):
        demand = capacity.demand(int(seen), int(answered), 1, float(second))
        assert demand is not None
        assert demand.cores_needed >= 0
        seen += rate
        answered = min(seen, answered + demand.cores_needed / cost)
    assert seen - answered <= 3 * rate + 0.05 * waiting + 2 / cost + 1
