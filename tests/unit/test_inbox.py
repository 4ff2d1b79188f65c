from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from filewatcher.inbox import Inbox


@given(st.lists(st.lists(st.integers(), max_size=3), max_size=6))
def test_all_is_taken_once_and_in_order(told: list[list[int]]) -> None:
    async def story() -> list[int]:
        inbox: Inbox[int] = Inbox()
        taken: list[int] = []
        for messages in told:
            inbox.put(messages)
            taken += await inbox.take(0.0)
        return taken

    assert asyncio.run(story()) == [message for messages in told for message in messages]


def test_who_waits_goes_on_with_the_first_message_or_when_the_time_is_up() -> None:
    async def story() -> None:
        inbox: Inbox[str] = Inbox()
        waiting = asyncio.create_task(inbox.take(60.0))
        await asyncio.sleep(0)
        inbox.put(["now"])
        assert await asyncio.wait_for(waiting, 30.0) == ["now"]
        assert await inbox.take(0.001) == []

    asyncio.run(story())


def test_nothing_is_lost_when_who_waits_is_cancelled() -> None:
    async def story() -> None:
        inbox: Inbox[str] = Inbox()
        waiting = asyncio.create_task(inbox.take(60.0))
        await asyncio.sleep(0)
        inbox.put(["now"])
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert await inbox.take(0.0) == ["now"]

    asyncio.run(story())
