"""When to look, and what looking may cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.edges.swmr.effort import Budget, Effort
from filewatcher.edges.swmr.rhythm import ASLEEP, BATCH, FASTEST, GAP, LONG, SLOWEST, STRETCHED, Rhythm

LOOKS = 60 * BATCH


class Machine:
    """A clock, and a core on which every look takes the same."""

    def __init__(self, share: float, cost: float = 0.0) -> None:
        self.now = self.cpu = 0.0
        self.cost = cost
        self.rhythm = Rhythm(share, lambda: self.cpu)

    def look(self, *, news: bool) -> float:
        """A look, and the wait for the next; returns how long both took."""
        begun = self.now
        self.rhythm.begin(self.now)
        self.cpu += self.cost
        self.rhythm.end(self.now, news=news)
        self.now = max(self.now + self.cost, self.rhythm.due())
        return self.now - begun


@given(st.floats(0.005, 1.0), st.floats(0.0, 0.05))
def test_the_share_is_kept_and_looks_are_never_rarer_than_time_outs_need(share: float, cost: float) -> None:
    machine = Machine(share, cost)
    waits = [machine.look(news=True) for _ in range(LOOKS)]
    later = waits[LOOKS // 2 :]
    assert max(waits) <= STRETCHED + 1e-9
    assert sum(later) >= len(later) * min(cost / share, STRETCHED) * 0.999
    if cost / share < FASTEST / 2:
        assert max(waits) == pytest.approx(FASTEST)


def test_without_news_it_slows_down_and_a_hint_wakes_it() -> None:
    machine = Machine(0.2)
    assert machine.look(news=True) == pytest.approx(FASTEST)
    waits = [machine.look(news=False) for _ in range(4)]
    assert waits == pytest.approx([2 * FASTEST, 4 * FASTEST, SLOWEST, SLOWEST])
    assert machine.rhythm.idle
    while machine.now < LONG + 2:
        last = machine.look(news=False)
    assert last == pytest.approx(ASLEEP)
    machine.rhythm.begin(machine.now)
    machine.rhythm.end(machine.now, news=False)
    machine.rhythm.wake(machine.now + 0.1)
    assert machine.rhythm.due() == pytest.approx(machine.now + 0.1 + GAP)


def test_hints_do_not_make_it_take_more_than_its_share() -> None:
    machine = Machine(0.1, 0.005)
    for _ in range(LOOKS):
        machine.look(news=False)
    machine.rhythm.begin(machine.now)
    machine.rhythm.wake(machine.now)
    assert machine.rhythm.due() == pytest.approx(machine.now + 0.005 / 0.1, rel=0.01)


def test_it_says_what_it_took() -> None:
    machine = Machine(1.0, 0.001)
    for _ in range(LOOKS):
        machine.look(news=True)
    effort = machine.rhythm.effort
    assert effort.looks == LOOKS
    assert effort.cpu == pytest.approx(LOOKS * 0.001)
    assert effort.longest_gap == pytest.approx(FASTEST)
    assert effort.share == pytest.approx(0.001 / FASTEST, rel=0.01)
    assert (effort + Effort(1.0, 1.0, 5, 9.0)).longest_gap == 9.0
    assert Effort().share == 0.0


def test_looks_that_others_took_count_like_its_own() -> None:
    machine = Machine(0.2, 0.004)
    for _ in range(LOOKS):
        machine.look(news=True)
        assert machine.rhythm.busy
        begun = machine.now + 9 * FASTEST
        machine.cpu += 10 * machine.cost
        machine.rhythm.followed(10, begun, 0.5)
        machine.rhythm.end(begun, news=True)
        machine.now = machine.rhythm.due()
    assert machine.rhythm.due() - machine.rhythm.begun_at == pytest.approx(0.004 / 0.2)
    effort = machine.rhythm.effort
    assert effort.looks == 11 * LOOKS
    assert effort.longest_gap == 0.5
    assert effort.cpu == pytest.approx(11 * LOOKS * 0.004)


def test_what_was_put_off_is_looked_at_as_soon_as_the_share_allows() -> None:
    machine = Machine(0.5)
    machine.look(news=True)
    machine.rhythm.begin(machine.now)
    machine.rhythm.end(machine.now, news=True)
    machine.rhythm.at_once()
    assert machine.rhythm.due() == machine.now
    assert not machine.rhythm.busy


def test_a_budget_is_divided_among_those_who_are_there() -> None:
    budget = Budget(0.3)
    shares: dict[str, float] = {}
    one, other = (lambda share, name=name: shares.__setitem__(name, share) for name in ("one", "other"))
    budget.join(one)
    assert shares == {"one": 0.3}
    budget.join(other)
    assert shares == {"one": 0.15, "other": 0.15}
    budget.leave(one)
    budget.leave(one)
    assert shares["other"] == 0.3
