"""How far the clocks of workers' nodes are from ours."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from distributed import Client

from filewatcher.edges.cluster.credentials import security_of

if TYPE_CHECKING:
    from filewatcher.ports import Door


async def clock_differences(door: Door) -> dict[str, float]:
    """Ask every worker behind a door what time it is: its node -> seconds that it is ahead of us.

    Right to half of the time that the answers take, some milliseconds.
    """
    security = None if door.credentials is None else security_of(door.credentials)
    async with Client(door.address, asynchronous=True, set_as_default=False, security=security) as client:
        asked = time.time()
        answers = await client.run(time_here)
        ours = (asked + time.time()) / 2
    return {node: theirs - ours for node, theirs in answers.values()}


def time_here() -> tuple[str, float]:
    """Return the name of this node and the time on its clock, seconds since 1970."""
    return socket.gethostname(), time.time()
