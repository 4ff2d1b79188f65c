"""Kills the processes of a watcher one after the other, as nothing else does but a bad night.

A story is a plan, drawn from a seed, and what came of it: what each of the watchers told until it was killed itself,
and what the one told that came to the end.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import psutil

from filewatcher.errors import Broken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from random import Random

LOOK = 0.02
"""Seconds between two looks at which processes there are."""


class Kind(StrEnum):
    """What a process is there for."""

    WATCHER = "watcher"
    """The command itself."""
    READER = "reader"
    """Its child that reads HDF5."""
    SCHEDULER = "scheduler"
    """Dask's, with the keeper, and with the nannies of local workers."""
    NANNY = "nanny"
    """Of a worker in a job of Slurm."""
    WORKER = "worker"


def processes(watcher: int) -> Iterator[tuple[Kind, int]]:
    """Yield the processes that belong to a watcher, by its number: those of its jobs, too."""
    try:
        yield Kind.WATCHER, psutil.Process(watcher).pid
        for child in psutil.Process(watcher).children():
            if _runs(child, "cluster.clerk"):
                yield Kind.SCHEDULER, child.pid
                yield from ((Kind.WORKER, one.pid) for one in child.children() if _runs(one, "spawn_main"))
            elif _runs(child, "spawn_main"):
                yield Kind.READER, child.pid
    except psutil.Error:  # it has gone meanwhile
        return
    for process in psutil.process_iter(["environ"]):
        job = (process.info["environ"] or {}).get("SLURM_JOB_NAME", "")
        if job.startswith(f"filewatcher-{watcher}-") and _runs(process, "distributed.cli.dask_worker"):
            yield Kind.NANNY, process.pid
            yield from ((Kind.WORKER, one.pid) for one in _children(process) if _runs(one, "spawn_main"))


def _runs(process: psutil.Process, word: str) -> bool:
    try:
        return any(word in part for part in process.cmdline())
    except psutil.Error:
        return False


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children())
    except psutil.Error:
        return []


@dataclass(frozen=True, slots=True)
class Kill:
    """One step of a plan."""

    after: int
    """New results to wait for first."""
    kind: Kind
    which: int
    """Of those there are, counted round and round."""


def plan(random: Random, kinds: Sequence[Kind], most_results: int) -> list[Kill]:
    """Draw a plan that kills all of these, in any order, with up to so many results in between."""
    order = random.sample(kinds, len(kinds))
    return [Kill(random.randint(1, most_results), kind, random.randrange(100)) for kind in order]


@dataclass(slots=True)
class Story:
    """What came of it."""

    code: int = -1
    """Exit code of the watcher that came to the end."""
    killed: list[Kind] = field(default_factory=list)
    told: dict[int, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    """Frame -> what the watchers told of it, one after the other."""
    last: list[dict[str, Any]] = field(default_factory=list)
    """All that the one told that came to the end."""

    @property
    def changed(self) -> list[int]:
        """Frames of which something was told that another watcher did not stand by, or told twice by one."""
        return [frame for frame, lines in self.told.items() if any(line != lines[0] for line in lines)]


def play(start: Callable[[], subprocess.Popen[str]], kills: Sequence[Kill]) -> Story:
    """Play a plan with ``watch --json`` as `start` starts it: again each time when it was killed.

    Raises `Broken` if a watcher ends before all are killed.
    """
    story, watcher = Story(), start()
    try:
        for kill in kills:
            _hear(watcher, story, kill)
            _strike(watcher, kill)
            story.killed.append(kill.kind)
            if kill.kind is Kind.WATCHER:
                _hear_all(watcher, story)
                story.last = []
                watcher = start()
        _hear_all(watcher, story)
        story.code = watcher.wait()
    finally:
        if watcher.poll() is None:
            watcher.kill()
            watcher.communicate()
    return story


def _hear(watcher: subprocess.Popen[str], story: Story, kill: Kill) -> None:
    """Listen until so many results are told that were not known."""
    assert watcher.stdout is not None
    known = len(story.told)
    while len(story.told) < known + kill.after:
        line = watcher.stdout.readline()
        if not line:
            raise Broken(f"the watcher ended with {watcher.wait()} before {kill} (after {len(story.killed)} others)")
        _note(story, line)


def _hear_all(watcher: subprocess.Popen[str], story: Story) -> None:
    """Listen until it has ended."""
    assert watcher.stdout is not None
    for line in watcher.stdout:
        if line.endswith("\n"):  # else it was killed in the middle of it
            _note(story, line)
    watcher.stdout.close()
    watcher.wait()


def _note(story: Story, line: str) -> None:
    told: dict[str, Any] = json.loads(line)
    story.last.append(told)
    if told["type"] == "frame":
        story.told[told["frame"]].append(told)


def _strike(watcher: subprocess.Popen[str], kill: Kill) -> None:
    """Wait for one to be there, and kill it."""
    while True:
        there = [pid for kind, pid in processes(watcher.pid) if kind is kill.kind]
        if there:
            with suppress(ProcessLookupError):  # it has gone by itself: take another one
                os.kill(there[kill.which % len(there)], signal.SIGKILL)
                return
        try:
            code = watcher.wait(LOOK)
        except subprocess.TimeoutExpired:
            continue
        raise Broken(f"the watcher ended with {code} before {kill}")
