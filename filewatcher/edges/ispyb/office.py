"""The clerk's process, as whoever started it sees it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from filewatcher.reasons import in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from filewatcher.edges.ispyb.delivery import Brief
    from filewatcher.edges.ispyb.rows import Ending

MOMENT = 3.0
"""Seconds of patience of somebody who is interrupted."""
FAREWELL = 60.0
"""Seconds beyond the patience after which the process is killed: a loaded machine starts it slowly."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
"""Seconds before one that was killed is followed by another; doubled from one to the next that did not live longer."""
LATER = "the next run that goes there sends the rest"


class IspybOffice:
    """Writes runs into ISPyB from a process of its own; nothing that is called here waits for it.

    `command` starts the clerk; `say` is called from a thread. `patience`: seconds that the end waits for what is still
    to be written. A clerk that is killed is followed by another, which goes on where it was.
    """

    def __init__(
        self,
        command: Sequence[str],
        credentials: Path,
        state: Path,
        say: Callable[[str], None],
        patience: float,
    ) -> None:
        self._command, self._say, self._patience = command, say, patience
        self._words = {"credentials": str(credentials.absolute()), "state": str(state), "patience": patience}
        self._runs: dict[str, list[dict[str, Any]]] = {}
        """What was said of runs that are not over yet: who comes after a clerk that was killed hears it again."""
        self._writing = threading.Lock()
        self._closing = threading.Event()
        self._process: subprocess.Popen[str]
        self._start()
        self._attending = threading.Thread(target=self._attend, name="ispyb", daemon=True)
        self._attending.start()

    def begin(self, brief: Brief) -> None:
        """Write this run from now on."""
        line = {"begin": asdict(brief)}
        with self._writing:
            self._runs[brief.run] = [line]
            self._write(line)

    def end(self, run: str, ending: Ending) -> None:
        """Write how it ended, once everything before is written."""
        line = {"end": run, "ending": ending.as_json()}
        with self._writing:
            self._runs.setdefault(run, []).append(line)
            self._write(line)

    def hurry(self) -> None:
        """Let the end wait for a moment only: somebody else writes the rest, later."""
        with self._writing:
            self._write({"patience": MOMENT})

    async def close(self) -> None:
        """Wait until all is written, within the patience; what is not is said, and kept for the next time."""
        self._closing.set()
        with self._writing, suppress(BrokenPipeError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        try:
            status = await asyncio.to_thread(self._process.wait, self._patience + FAREWELL)
            if status:
                self._say(f"what writes into ISPyB ended with status {status}; {LATER}")
        except subprocess.TimeoutExpired:
            self._say(f"what writes into ISPyB does not end and is killed; {LATER}")
        finally:
            self._process.kill()
            self._process.wait()
            self._attending.join()

    def _start(self) -> None:
        # a session of its own: a terminal's Ctrl-C is for us, and what is analysed is still written
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        for line in (self._words, *(line for lines in self._runs.values() for line in lines)):
            self._write(line)

    def _write(self, line: dict[str, Any]) -> None:
        with suppress(BrokenPipeError):  # it has gone: it said why, or another one hears it
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(line) + "\n")
            self._process.stdin.flush()

    # ---- in a thread of its own

    def _attend(self) -> None:
        """Hear what the clerk has to say; have another one in the place of one that was killed."""
        pause = FIRST_PAUSE
        while True:
            begun = time.monotonic()
            self._hear()
            status = self._process.wait()
            if status == 0:  # it was told to end, or has said why it cannot go on
                return
            if time.monotonic() - begun > LONGEST_PAUSE:
                pause = FIRST_PAUSE
            if not self._closing.is_set():
                self._say(f"what writes into ISPyB ended with status {status}; starting it again")
            if self._closing.wait(pause):
                return
            pause = min(2 * pause, LONGEST_PAUSE)
            with self._writing:
                if self._closing.is_set():
                    return
                assert self._process.stdin is not None
                with suppress(BrokenPipeError):
                    self._process.stdin.close()
                try:
                    self._start()
                except OSError as error:
                    self._say(f"what writes into ISPyB cannot be started: {in_words(error)}; {LATER}")
                    return

    def _hear(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as told:
            for line in told:
                match json.loads(line):
                    case {"say": sentence}:
                        self._say(sentence)
                    case {"over": run}:
                        with self._writing:
                            self._runs.pop(run, None)
