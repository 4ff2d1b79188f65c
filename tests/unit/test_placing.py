"""Every batch is with one worker, or back, or lost with its worker; never twice, never nowhere."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from filewatcher.core.batching import Batch
from filewatcher.core.placing import Placing

EACH = 3
NAMES = st.sampled_from(["a", "b", "c", "d"])
NONE, WARY = Batch((), ()), Batch((), (), wary=True)
SOON, LATE = 0, 2


def placing_of(*workers: str) -> tuple[Placing, int]:
    """Workers that are armed for one share."""
    placing = Placing(EACH)
    share = placing.open(LATE)
    for worker in workers:
        placing.armed(worker, share)
    return placing, share


def test_the_worker_with_the_least_in_hand_is_next() -> None:
    placing, share = placing_of("a", "b")
    assert placing.places(share) == 6
    first, second, third = (placing.hand_out(share, NONE) for _ in range(3))
    assert {first[0], second[0]} == {"a", "b"}
    idle = second if third[0] == first[0] else first
    assert placing.came_back(idle[1])
    assert placing.hand_out(share, NONE)[0] == idle[0]


def test_one_that_leaves_gets_nothing_new_and_ends_what_it_has() -> None:
    placing, share = placing_of("a")
    _, ticket = placing.hand_out(share, NONE)
    placing.leaves("a")
    assert (placing.places(share), placing.ready(), placing.is_leaving("a")) == (0, 0, True)
    assert placing.came_back(ticket)
    assert placing.went("a") == []


def test_one_that_is_dead_gets_nothing_new_and_what_it_has_told_still_counts() -> None:
    placing, share = placing_of("a", "b")
    _, told = placing.hand_out(share, NONE)
    _, other = placing.hand_out(share, NONE)
    placing.dies("a")
    assert placing.ready() == 1
    assert {placing.hand_out(share, NONE)[0] for _ in range(EACH - 1)} == {"b"}
    assert placing.came_back(told)
    assert placing.came_back(other)
    assert placing.went("a") == []


def test_what_is_less_urgent_takes_no_place_of_what_is_more_so() -> None:
    placing, late = placing_of("a")
    soon = placing.open(SOON)
    placing.armed("a", soon)
    for _ in range(EACH):
        placing.hand_out(late, NONE)
    assert (placing.places(late), placing.places(soon)) == (0, EACH)


def test_one_that_comes_later_gets_its_part_and_the_first_gives_way() -> None:
    placing, first = placing_of("a", "b")
    mine = [placing.hand_out(first, NONE)[1] for _ in range(2 * EACH)]
    second = placing.open(LATE)
    for worker in ("a", "b"):
        placing.armed(worker, second)
    assert (placing.places(first), placing.places(second)) == (0, EACH)
    for _ in range(EACH):
        placing.hand_out(second, NONE)
    for ticket in mine[:EACH]:
        assert placing.places(first) == 0
        placing.came_back(ticket)
    assert placing.places(first) == 0
    placing.came_back(mine[EACH])
    assert placing.places(first) == 1


def test_a_worker_dies_over_the_batch_that_it_runs_which_is_the_most_urgent_one() -> None:
    placing, late = placing_of("a")
    soon = placing.open(SOON)
    placing.armed("a", soon)
    running, _ = (placing.hand_out(late, NONE)[1] for _ in range(2))
    urgent = placing.hand_out(soon, NONE)[1]
    assert placing.came_back(running)
    assert [(lost.ticket, lost.share) for lost in placing.went("a") if lost.ran] == [(urgent, soon)]


def test_a_share_that_is_closed_leaves_what_runs_to_end_and_that_blames_nobody() -> None:
    placing, goes = placing_of("a")
    stays = placing.open(LATE)
    placing.armed("a", stays)
    runs, waits = (placing.hand_out(goes, NONE)[1] for _ in range(2))
    mine = placing.hand_out(stays, NONE)[1]
    assert placing.close(goes) == [waits]
    assert placing.busy == 1
    assert not placing.came_back(waits)
    assert [(lost.ticket, lost.ran) for lost in placing.went("a")] == [(runs, True), (mine, False)]
    placing.armed("b", goes)
    assert placing.ready() == 0


def test_a_wary_batch_goes_when_all_before_it_is_answered_and_what_is_behind_it_waits_too() -> None:
    placing, share = placing_of("a")
    first, wary, behind = (placing.hand_out(share, batch)[1] for batch in (NONE, WARY, NONE))
    assert placing.due() == [("a", first)]
    assert placing.came_back(first)
    assert placing.due() == [("a", wary), ("a", behind)]
    assert [lost.ticket for lost in placing.went("a") if lost.ran] == [wary]


def test_what_is_more_urgent_waits_for_no_wary_batch() -> None:
    placing, late = placing_of("a")
    soon = placing.open(SOON)
    placing.armed("a", soon)
    first, wary = (placing.hand_out(late, batch)[1] for batch in (NONE, WARY))
    urgent = placing.hand_out(soon, NONE)[1]
    assert placing.due() == [("a", first), ("a", urgent)]
    assert placing.came_back(first)
    assert placing.due() == []
    assert [lost.ticket for lost in placing.went("a") if lost.ran] == [urgent]
    assert placing.due() == []
    assert wary not in {ticket for _, ticket in placing.due()}


def test_a_wary_batch_that_was_behind_one_that_is_taken_back_is_next() -> None:
    placing, stays = placing_of("a")
    goes = placing.open(LATE)
    placing.armed("a", goes)
    runs = placing.hand_out(goes, NONE)[1]
    wary = placing.hand_out(stays, WARY)[1]
    assert placing.due() == [("a", runs)]
    assert placing.close(goes) == []
    assert placing.due() == [], "one that runs may still be answered"
    assert not placing.came_back(runs)
    assert placing.due() == [("a", wary)]


class Life(RuleBasedStateMachine):
    """Workers and shares come and go while batches are handed out."""

    def __init__(self) -> None:
        super().__init__()
        self.placing = Placing(EACH)
        self.out: dict[int, tuple[str, int]] = {}
        self.priorities: dict[int, int] = {}
        self.here: dict[str, set[int]] = {}
        self.leaving: set[str] = set()
        self.given_up: list[int] = []
        self.left_to_end: dict[int, str] = {}
        self.wary: set[int] = set()
        self.sent: set[int] = set()

    def takers(self, share: int) -> set[str]:
        return {name for name, shares in self.here.items() if share in shares} - self.leaving

    @rule(priority=st.sampled_from([SOON, LATE]))
    def open(self, priority: int) -> None:
        self.priorities[self.placing.open(priority)] = priority

    @precondition(lambda self: self.priorities)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        share = data.draw(st.sampled_from(sorted(self.priorities)))
        mine = {ticket for ticket, (_, owner) in self.out.items() if owner == share}
        waiting = set(self.placing.close(share))
        assert waiting <= mine
        holders = [self.out[ticket][0] for ticket in mine - waiting]
        assert len(holders) == len(set(holders)), "a worker runs one batch at a time"
        for ticket in mine:
            name, _ = self.out.pop(ticket)
            if ticket in waiting:
                self.given_up.append(ticket)
            else:
                self.left_to_end[ticket] = name
        del self.priorities[share]
        for shares in self.here.values():
            shares.discard(share)

    @precondition(lambda self: self.priorities)
    @rule(name=NAMES, data=st.data())
    def arm(self, name: str, data: st.DataObject) -> None:
        share = data.draw(st.sampled_from(sorted(self.priorities)))
        self.placing.armed(name, share)
        self.here.setdefault(name, set()).add(share)

    @rule(name=NAMES)
    def leave(self, name: str) -> None:
        self.placing.leaves(name)
        if name in self.here:
            self.leaving.add(name)

    @rule(name=NAMES)
    def go(self, name: str) -> None:
        lost = self.placing.went(name)
        out = {t: share for t, (holder, share) in self.out.items() if holder == name}
        left = {t for t, holder in self.left_to_end.items() if holder == name}
        assert [one.ticket for one in lost] == sorted(out | dict.fromkeys(left))
        assert sum(one.ran for one in lost) == bool(lost)
        for ticket, share, _, _ in lost:
            assert self.left_to_end.pop(ticket, None) is not None or out[ticket] == share
            self.out.pop(ticket, None)
            self.given_up.append(ticket)
        self.here.pop(name, None)
        self.leaving.discard(name)

    @precondition(lambda self: any(self.placing.places(share) for share in self.priorities))
    @rule(data=st.data(), wary=st.booleans())
    def hand_out(self, data: st.DataObject, wary: bool) -> None:
        free = [share for share in sorted(self.priorities) if self.placing.places(share)]
        share = data.draw(st.sampled_from(free))
        name, ticket = self.placing.hand_out(share, WARY if wary else NONE)
        self.wary |= {ticket} if wary else set()
        assert name in self.takers(share)
        assert ticket not in self.out
        self.out[ticket] = name, share

    @precondition(lambda self: self.sent & set(self.out))
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(sorted(self.sent & set(self.out))))
        assert self.placing.came_back(ticket)
        assert not self.placing.came_back(ticket)
        del self.out[ticket]

    @precondition(lambda self: self.given_up)
    @rule()
    def come_back_late(self) -> None:
        assert not self.placing.came_back(self.given_up[-1])

    @precondition(lambda self: self.left_to_end)
    @rule()
    def end(self) -> None:
        ticket, _ = self.left_to_end.popitem()
        assert not self.placing.came_back(ticket)
        self.given_up.append(ticket)

    @invariant()
    def every_batch_is_sent_in_time(self) -> None:
        holders = {ticket: name for ticket, (name, _) in self.out.items()} | self.left_to_end
        for name, ticket in self.placing.due():
            assert holders[ticket] == name
            assert ticket not in self.sent
            answered = not any(holder == name and other in self.sent for other, holder in holders.items())
            assert answered or ticket not in self.wary
            self.sent.add(ticket)
        for name in set(holders.values()):
            mine = {ticket for ticket, holder in holders.items() if holder == name}
            assert mine & self.sent, "a worker has something to do"
            assert mine <= self.sent or mine & self.wary

    @invariant()
    def the_counts_agree(self) -> None:
        armed = {name for name, shares in self.here.items() if shares} - self.leaving
        assert self.placing.ready() == len(armed)
        holders = {name for name, _ in self.out.values()} | set(self.left_to_end.values())
        assert self.placing.busy == len(holders)
        for share, priority in self.priorities.items():
            takers, places = self.takers(share), self.placing.places(share)
            assert self.placing.ready(share) == len(takers)
            mine = sum(owner == share for _, owner in self.out.values())
            alike = sum(other == priority for other in self.priorities.values())
            assert places + mine >= EACH * len(takers) / alike, "never less than its part"
            assert places <= EACH * len(takers)
            more_urgent_or_alike = [t for t, (_, owner) in self.out.items() if self.priorities[owner] <= priority]
            if not more_urgent_or_alike and not self.left_to_end:
                assert places == EACH * len(takers), "nobody else is in the way"


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=50, stateful_step_count=40)
