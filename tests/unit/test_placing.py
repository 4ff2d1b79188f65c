"""Every batch is with one worker, or back, or lost with its worker; never twice, never nowhere."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from filewatcher.core.batching import Batch
from filewatcher.core.placing import Placing

EACH = 3
NAMES = st.sampled_from(["a", "b", "c", "d"])
NONE = Batch((), ())


def test_the_worker_with_the_least_in_hand_is_next() -> None:
    placing = Placing(EACH)
    placing.came("a")
    placing.came("b")
    assert placing.places == 6
    first, second, third = (placing.hand_out(NONE) for _ in range(3))
    assert {first[0], second[0]} == {"a", "b"}
    idle = second if third[0] == first[0] else first
    assert placing.came_back(idle[1])
    assert placing.hand_out(NONE)[0] == idle[0]


def test_one_that_leaves_gets_nothing_new_and_ends_what_it_has() -> None:
    placing = Placing(EACH)
    placing.came("a")
    _, ticket = placing.hand_out(NONE)
    placing.leaves("a")
    assert (placing.places, placing.ready, placing.is_leaving("a")) == (0, 0, True)
    assert placing.came_back(ticket)
    assert placing.went("a") == []


class Life(RuleBasedStateMachine):
    """Workers come and go while batches are handed out."""

    def __init__(self) -> None:
        super().__init__()
        self.placing = Placing(EACH)
        self.out: dict[int, str] = {}
        self.here: set[str] = set()
        self.leaving: set[str] = set()
        self.given_up: list[int] = []

    @rule(name=NAMES)
    def come(self, name: str) -> None:
        self.placing.came(name)
        self.here.add(name)

    @rule(name=NAMES)
    def leave(self, name: str) -> None:
        self.placing.leaves(name)
        if name in self.here:
            self.leaving.add(name)

    @rule(name=NAMES)
    def go(self, name: str) -> None:
        lost = [ticket for ticket, _ in self.placing.went(name)]
        assert lost == sorted(ticket for ticket, holder in self.out.items() if holder == name)
        for ticket in lost:
            del self.out[ticket]
        self.given_up += lost
        self.here.discard(name)
        self.leaving.discard(name)

    @precondition(lambda self: self.placing.places > 0)
    @rule()
    def hand_out(self) -> None:
        name, ticket = self.placing.hand_out(NONE)
        assert name in self.here - self.leaving
        assert ticket not in self.out
        self.out[ticket] = name

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(sorted(self.out)))
        assert self.placing.came_back(ticket)
        assert not self.placing.came_back(ticket)
        del self.out[ticket]

    @precondition(lambda self: self.given_up)
    @rule()
    def come_back_late(self) -> None:
        assert not self.placing.came_back(self.given_up[-1])

    @invariant()
    def the_counts_agree(self) -> None:
        takers = self.here - self.leaving
        held = sum(holder in takers for holder in self.out.values())
        assert self.placing.places == len(takers) * EACH - held
        assert self.placing.ready == len(takers)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=50, stateful_step_count=30)
