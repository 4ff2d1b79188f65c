"""The clerk's process, as whoever started it sees it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from filewatcher.edges.ispyb.delivery import Brief
    from filewatcher.edges.ispyb.rows import Ending

MOMENT = 3.0
"""Seconds of patience of somebody who is interrupted."""
FAREWELL = 60.0
"""Seconds beyond the patience after which the process is killed: a loaded machine starts it slowly."""


class IspybOffice:
    """Writes runs into ISPyB from a process of its own; nothing that is called here waits for it.

    `command` starts the clerk; `say` is called from a thread. `patience`: seconds that the end waits for what is still
    to be written.
    """

    def __init__(
        self,
        command: Sequence[str],
        credentials: Path,
        state: Path,
        say: Callable[[str], None],
        patience: float,
    ) -> None:
        self._patience = patience
        self._say = say
        self._writing = threading.Lock()
        # a session of its own: a terminal's Ctrl-C is for us, and what is analysed is still written
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self._reader = threading.Thread(target=self._read, name="ispyb", daemon=True)
        self._reader.start()
        self._write({"credentials": str(credentials.absolute()), "state": str(state), "patience": patience})

    def begin(self, brief: Brief) -> None:
        """Write this run from now on."""
        self._write({"begin": asdict(brief)})

    def end(self, run: str, ending: Ending) -> None:
        """Write how it ended, once everything before is written."""
        self._write({"end": run, "ending": ending.as_json()})

    def hurry(self) -> None:
        """Let the end wait for a moment only: somebody else writes the rest, later."""
        self._write({"patience": MOMENT})

    async def close(self) -> None:
        """Wait until all is written, within the patience; what is not is said, and kept for the next time."""
        with suppress(BrokenPipeError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        try:
            await asyncio.to_thread(self._process.wait, self._patience + FAREWELL)
        except subprocess.TimeoutExpired:
            self._say("what writes into ISPyB does not end and is killed; the next run that goes there sends the rest")
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            assert self._process.stdout is not None
            self._process.stdout.close()

    def _write(self, line: dict[str, Any]) -> None:
        with suppress(BrokenPipeError), self._writing:  # broken: it has gone, and said why
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(line) + "\n")
            self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._say(json.loads(line)["say"])
