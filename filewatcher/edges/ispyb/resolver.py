"""Completes what is asked for from the database, and waits for rows that are still to come."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from filewatcher.core.lookedup import completed
from filewatcher.edges.ispyb.database import Denied
from filewatcher.errors import NotReady, Refused, Unreachable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from filewatcher.core.asks import Ask
    from filewatcher.core.lookedup import LookedUp

MOMENT = 5.0
"""Seconds that an ask with a path waits for its rows: nothing is lost, for the files keep growing meanwhile."""
GRID_LIMIT = 30.0
"""Seconds that an ask with neither path nor grid waits for the grid of what is called a grid scan."""
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 2.0
"""Seconds between two looks; longer from one to the next."""


class IspybResolver:
    """Looks up the data collection ids of an ask; `look` asks the database once, `say` is told what is in the way.

    `patience`: seconds that an ask without a path waits for its id, or for the database.
    """

    def __init__(
        self,
        look: Callable[[tuple[int, ...]], Awaitable[LookedUp]],
        say: Callable[[str], None],
        clock: Callable[[], float],
        patience: float = 3600.0,
    ) -> None:
        self._look, self._say, self._clock, self._patience = look, say, clock, patience

    async def resolve(self, ask: Ask) -> Ask:
        """Return the ask with what it leaves out.

        One that has its masters goes on without what the database cannot say within `MOMENT`, or at once where it does
        not answer. Raises `Refused` for an id that can be no collection, `Unreachable` or `NotReady` when the patience
        ends.
        """
        if not ask.dcids:
            return ask
        begun, told, pause = self._clock(), "", FIRST_PAUSE
        while True:
            waited = self._clock() - begun
            try:
                found = await self._look(ask.dcids)
            except (NotReady, Unreachable, Denied, Refused) as error:
                problem = error
            else:
                limit = MOMENT if ask.masters else GRID_LIMIT
                if not found.grid_to_come or ask.sketched or waited >= limit:
                    self._say_all(found.problems)
                    return completed(ask, found)
                problem = NotReady(f"the grid of data collection {ask.dcids[0]} is not in ISPyB yet")
            if ask.masters and (waited >= MOMENT or not isinstance(problem, NotReady)):
                self._say(f"{problem}; going on without what it says")
                return ask
            if isinstance(problem, Refused | Denied) or waited >= self._patience:
                raise problem
            if str(problem) != told:
                told = str(problem)
                self._say(f"{told}; waiting for it")
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, LONGEST_PAUSE)

    def _say_all(self, sentences: tuple[str, ...]) -> None:
        for sentence in sentences:
            self._say(sentence)
