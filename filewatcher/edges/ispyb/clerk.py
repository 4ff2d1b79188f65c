"""What runs in a process of its own beside the collector: takes briefs as lines, and writes runs into the database.

Lines are JSON. In: what `Clerk` needs to know, once, then ``{"begin": brief}``, ``{"end": run, "ending": {...}}`` and
``{"patience": seconds}``; the end of the input means: deliver what can be delivered within the patience, then go. Out:
``{"say": sentence}``, and ``{"over": run}`` when nothing of it is left to do.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filewatcher.edges.ispyb.cursor import Cursor, left_over
from filewatcher.edges.ispyb.database import Database, read_credentials
from filewatcher.edges.ispyb.delivery import Brief, Delivery
from filewatcher.edges.ispyb.rows import Ending
from filewatcher.errors import Broken, FilewatcherError, Refused, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from filewatcher.edges.ispyb.delivery import Feed

LOOK = 0.2
"""Seconds between two looks into a journal that had nothing new."""
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 10.0
"""Seconds between two attempts at a database that does not answer; doubled from one to the next."""


class Clerk:
    """Delivers runs until the input ends; `open_feed` opens the journal in a folder, `tell` writes a line."""

    def __init__(
        self, words: dict[str, Any], open_feed: Callable[[Path], Feed], tell: Callable[[dict[str, str]], None]
    ) -> None:
        credentials = read_credentials(Path(words["credentials"]))
        self._place = credentials.place
        self._state, self._patience = Path(words["state"]), float(words["patience"])
        self._database = Database(credentials)
        self._open_feed, self._tell_line = open_feed, tell
        self._deliveries: dict[str, Delivery] = {}
        self._locked: dict[str, tuple[Brief, Ending | None]] = {}
        """Runs that another process still delivers: one that was killed leaves a clerk, which soon ends."""
        self._pause = 0.0
        self._away = ""

    def run(self, inbox: queue.Queue[dict[str, Any] | None]) -> None:
        """Serve; None in the inbox is the end of the input."""
        self._take_left_over()
        deadline, more = float("inf"), True
        while time.monotonic() < deadline:
            wait = min(self._pause or (0.0001 if more and not self._locked else LOOK), deadline - time.monotonic())
            with suppress(queue.Empty):
                message = inbox.get(timeout=max(wait, 0.0))
                if message is None:
                    deadline = time.monotonic() + self._patience
                else:
                    self._handle(message)
            more = self._pass()
            if not more and deadline < float("inf"):
                break
        self._account()

    def _tell(self, sentence: str) -> None:
        self._tell_line({"say": sentence})

    def _handle(self, message: dict[str, Any]) -> None:
        match message:
            case {"patience": seconds}:
                self._patience = min(self._patience, seconds)
            case {"begin": brief}:
                self._begin(Brief.from_json(brief), anew=True)
            case {"end": run, "ending": ending} if run in self._deliveries:
                self._end(run, Ending.from_json(ending))
            case {"end": run, "ending": ending} if run in self._locked:
                self._locked[run] = self._locked[run][0], Ending.from_json(ending)

    def _end(self, run: str, ending: Ending) -> None:
        try:
            self._deliveries[run].end(ending)
        except Broken as problem:
            self._give_up(run, problem)

    def _give_up(self, run: str, problem: Broken) -> None:
        self._tell(f"{problem}: its results do not go to ISPyB")
        self._over(run)

    def _over(self, run: str) -> None:
        self._drop(run)
        self._locked.pop(run, None)
        self._tell_line({"over": run})

    def _begin(self, brief: Brief, *, anew: bool) -> None:
        if earlier := self._deliveries.pop(brief.run, None):
            earlier.close()
        folder = Path(brief.folder)
        try:
            feed = self._open_feed(folder)
            cursor = Cursor(folder, f"{self._place} {','.join(map(str, brief.dcids))}")
            if anew:
                cursor.begin(asdict(brief), feed.identity)
        except Refused:
            if anew:
                self._locked.setdefault(brief.run, (brief, None))
            return
        except Broken as problem:
            if anew:
                self._give_up(brief.run, problem)
            return
        self._deliveries[brief.run] = Delivery(brief, self._database, feed, cursor, self._tell)

    def _take_locked(self) -> None:
        for run, (brief, ending) in list(self._locked.items()):
            self._begin(brief, anew=True)
            if run in self._deliveries:
                self._locked.pop(run, None)
                if ending is not None:
                    self._end(run, ending)

    def _take_left_over(self) -> None:
        """Go on with what earlier processes did not deliver to the end."""
        for folder in sorted((self._state / "runs").glob("*")):
            for target, brief in left_over(folder):
                if target.startswith(f"{self._place} "):
                    self._begin(Brief.from_json(brief), anew=False)

    def _pass(self) -> bool:
        """Do a little for every run; returns whether there is more to do than to look again later."""
        self._take_locked()
        more = bool(self._locked)
        try:
            for run, delivery in list(self._deliveries.items()):
                try:
                    more |= delivery.step()
                except Broken as problem:
                    self._give_up(run, problem)
                if delivery.done:
                    self._over(run)
        except (Unreachable, Refused) as problem:
            self._pause = min(2 * self._pause, LONGEST_PAUSE) or FIRST_PAUSE
            if not self._away:
                self._tell(f"{problem}; what is analysed waits in the journal")
            self._away = str(problem)
            return True
        if self._away:
            self._tell(f"ISPyB at {self._place} answers again")
        self._pause, self._away = 0.0, ""
        return more

    def _drop(self, run: str) -> None:
        if delivery := self._deliveries.pop(run, None):
            delivery.close()

    def _account(self) -> None:
        """Say what is not in the database, and why."""
        for run in self._locked:
            self._tell(f"run {run} is still being delivered to ISPyB by another process: start the same command again")
        for run, delivery in list(self._deliveries.items()):
            rows, ended = delivery.left()
            why = self._away or "no time was left"
            if rows or ended:
                what = f"{rows} images" + (" and the end" if ended else "")
                self._tell(f"{what} of run {run} are not in ISPyB yet ({why}): the next run that goes there sends them")
            self._drop(run)
        self._database.close()


def serve(open_feed: Callable[[Path], Feed]) -> None:
    """Serve standard input and output; ends when the input does."""
    told = os.dup(1)
    os.dup2(2, 1)
    inbox: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def tell(line: dict[str, str]) -> None:
        with suppress(BrokenPipeError):
            os.write(told, json.dumps(line).encode() + b"\n")

    def listen() -> None:
        for line in sys.stdin:
            inbox.put(json.loads(line))
        inbox.put(None)

    threading.Thread(target=listen, daemon=True).start()
    words = inbox.get()
    if words is None:
        return
    try:
        Clerk(words, open_feed, tell).run(inbox)
    except FilewatcherError as problem:
        tell({"say": str(problem)})
