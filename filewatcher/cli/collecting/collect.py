"""Builds the real edges around the loop and runs one collection."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from filewatcher.cli.collecting.building import build
from filewatcher.cli.collecting.capacity import CapacityKeeper
from filewatcher.cli.collecting.depositing import Depositor, open_office
from filewatcher.cli.collecting.desk import Desk
from filewatcher.cli.collecting.effort import effort_sentence, effort_times
from filewatcher.cli.collecting.gridding import checked_words
from filewatcher.cli.collecting.listeners import JsonLines, Listeners, Stopwatch, Words
from filewatcher.cli.collecting.notifying import Notifier
from filewatcher.cli.collecting.placing import ids_of, is_there
from filewatcher.cli.collecting.profiles import chosen
from filewatcher.config import on_this_machine, read_settings
from filewatcher.core.batching import Limits
from filewatcher.core.run import Order
from filewatcher.core.selection import Selection
from filewatcher.edges.cluster import open_cluster
from filewatcher.edges.dask_pool import DaskPool
from filewatcher.edges.swmr import Budget
from filewatcher.errors import Refused
from spotfinding.engines import resolve
from spotfinding.installed import installed_dials
from spotfinding.parameters import ParameterError, Parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from filewatcher.cli.collecting.wishes import Wishes
    from filewatcher.ports import Cluster, Listener
    from filewatcher.profiles import Profile

INCOMPLETE = 3
"""Exit code of a collection with failed or missing frames, or one on which DIALS disagrees."""


async def collect(wishes: Wishes) -> int:
    """Watch or reprocess one collection; returns the exit code."""
    order, engine_reason = order_of(wishes)
    profile = chosen(wishes).profile
    limits = limits_of(profile)
    words, stopwatch = Words(quiet=wishes.quiet), Stopwatch()
    cluster = cluster_of(profile, words.say)
    pool = DaskPool(cluster, limits, profile.limits.frame_timeout, say=words.say)
    budget = Budget(wishes.watch_share or read_settings().filewatcher_watch_share)
    notifier = Notifier(wishes, order.engine)
    capacity = CapacityKeeper(cluster, pool, words.say, time.monotonic)
    told: list[Listener] = [stopwatch, words, notifier, capacity.collection()]
    if wishes.as_json:
        told.append(JsonLines(order.engine))
    office = open_office(wishes.notify, words.say)
    depositor = None if office is None else Depositor(office, ids_of(wishes.dcid or ""))
    desk = Desk(wishes, words.say, engine_reason, depositor)
    built = build(wishes, order, pool.share(), desk.open, Listeners(*told), limits, budget)
    if wishes.engine == "auto" and order.engine == "dials":
        words.say(f"warning: the slower engine dials will be used ({engine_reason})")
    absent = [master for master in wishes.masters if wishes.wait and not is_there(master)]
    words.start(f"waiting for {absent[0]}" if absent else f"reading {' and '.join(map(str, wishes.masters))}")
    async with AsyncExitStack() as house:
        house.push_async_callback(pool.close)
        house.push_async_callback(built.observer.close)
        house.push_async_callback(notifier.close, words.say)
        if office is not None and depositor is not None:
            house.push_async_callback(office.close)
            house.push(lambda kind, *_: office.hurry() if kind is not None else None)
            house.enter_context(depositor)
        house.callback(words.stop)
        finished = await built.loop.run()
        words.stop()
        took = effort_times(built.observer.effort, budget) if wishes.wait else {}
        filed = desk.file(finished, stopwatch.times | took)
        notifier.summaries(filed.summaries)
        if wishes.as_json:
            JsonLines.write(*filed.summaries)
        for sentence in filed.sentences:
            words.say(sentence)
        if wishes.wait:
            words.say(effort_sentence(built.observer.effort, budget))
        return 0 if filed.complete else INCOMPLETE


def order_of(wishes: Wishes) -> tuple[Order, str]:
    """Check all that can be checked before anything is started; returns also why this engine."""
    selection = Selection.parse(wishes.select, wishes.images)
    checked_words(wishes)
    try:
        resolved = resolve(wishes.engine, Parameters.parse(wishes.words))
        if wishes.verify is not None and resolved.engine == "dials":
            raise Refused(f"--verify compares with DIALS, and DIALS is the engine ({resolved.reason}): leave it out")
        if wishes.verify is not None:
            installed_dials()  # or say what is missing
    except ParameterError as error:
        raise Refused(str(error)) from error
    parameters = resolved.parameters.as_json()
    masters = tuple(map(str, wishes.masters))
    order = Order(masters, selection, parameters, resolved.engine, wishes.channel, wishes.verify or 0)
    return order, resolved.reason


def limits_of(profile: Profile) -> Limits:
    """Return what the loop has to know of a profile."""
    given = profile.limits
    return Limits(given.frames_per_task_max, given.in_flight_per_worker, given.retries)


def cluster_of(profile: Profile, say: Callable[[str], None]) -> Cluster:
    """Make the cluster of a profile; nothing is started yet. Raises `Refused`."""
    directory = profile.workers.local_directory if profile.kind == "local" else None
    return open_cluster(profile, say, None if directory is None else on_this_machine(directory))
