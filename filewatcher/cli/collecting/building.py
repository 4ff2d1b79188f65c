"""Builds one collection: what is on disk, what is made of it, and the loop between, for any pool of workers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filewatcher.config import read_settings
from filewatcher.core.collection import Collection
from filewatcher.core.scanwatch import ScanWatch, TimeOuts
from filewatcher.daemon import CollectionLoop
from filewatcher.edges.swmr import SwmrObserver
from filewatcher.roots import ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from filewatcher.cli.collecting.wishes import Wishes
    from filewatcher.core.batching import Limits
    from filewatcher.core.observations import Described
    from filewatcher.core.run import Order, Run
    from filewatcher.edges.swmr import Budget
    from filewatcher.ports import Listener, Observer, Opened, Pool
    from filewatcher.roots import Roots


@dataclass(frozen=True, slots=True)
class Built:
    """One collection, ready to run; `observer` is to be closed in the end."""

    scans: Collection
    observer: SwmrObserver
    loop: CollectionLoop


def build(
    wishes: Wishes,
    order: Order,
    pool: Pool,
    open_run: Callable[[Run, Sequence[Described]], Opened],
    listener: Listener,
    limits: Limits,
    budget: Budget,
    noted: Callable[[SwmrObserver], Observer] | None = None,
    roots: Roots = ANYWHERE,
) -> Built:
    """Build it; nothing runs yet. `noted` may put something between the observer and the loop."""
    started = time.monotonic()
    scans = Collection(
        [
            ScanWatch(
                scan,
                selection=order.selection,
                timeouts=TimeOuts(wishes.timeout_first, wishes.timeout),
                wait=wishes.wait,
                frames=wishes.frames,
                now=started,
            )
            for scan in range(len(wishes.masters))
        ]
    )
    observer = SwmrObserver(
        *wishes.masters,
        wait=wishes.wait,
        channel=wishes.channel,
        frames=wishes.frames,
        seen=scans.rows_seen,
        direct=read_settings().filewatcher_direct_index,
        budget=budget,
        roots=roots,
    )
    seen = observer if noted is None else noted(observer)
    loop = CollectionLoop(order, scans, seen, pool, open_run, listener, time.monotonic, limits)
    return Built(scans, observer, loop)
