"""Scheduler and keeper in a process of their own, as whoever started it sees them."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filewatcher.edges.cluster.credentials import make_credentials
from filewatcher.errors import Unreachable
from filewatcher.ports import Door

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable

    from filewatcher.profiles import Profile

START_LIMIT = 150.0
"""Seconds for the process to open its door: a loaded machine imports slowly."""
CLOSE_LIMIT = 60.0
"""Seconds for jobs to be cancelled and workers to end, before the process is killed."""
LIVES = 5
"""Schedulers that may be lost in a row, without a worker that was of use, before it is given up."""


class _EndedAtOnce(Exception):
    """The process was killed before its door was open, and could not say why."""


class Office:
    """A scheduler with local workers or Slurm's, as `profile` says.

    `folder` is where local workers have their scratch files. It ends with whoever holds it: its process ends when its
    input does.
    """

    def __init__(self, profile: Profile, say: Callable[[str], None], folder: str | None = None) -> None:
        self._profile, self._say, self._folder = profile, say, folder
        self._credentials = make_credentials()
        # the same for each of its processes, so that one finds and cancels the jobs of its predecessor
        self._name = f"filewatcher-{os.getpid()}-{secrets.token_hex(3)}"
        self._process: Process | None = None
        self._door: asyncio.Future[Door] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._wanted = 0
        self._lives = LIVES

    async def start(self) -> Door:
        """Have a scheduler, and workers there or on their way. Raises `Unreachable`."""
        while True:
            if self._door is None:
                self._door = asyncio.get_running_loop().create_future()
                await self._open()
            door = self._door
            try:
                return await asyncio.wait_for(asyncio.shield(door), START_LIMIT)
            except TimeoutError as error:
                raise Unreachable(f"the Dask scheduler did not start in {START_LIMIT:g} s") from error
            except _EndedAtOnce:
                if self._door is door:  # else another one who waits has seen to it
                    await self._give_up_or_go_on()

    def want(self, workers: int) -> None:
        """Say how many workers would keep up."""
        if workers != self._wanted:
            self._wanted = workers
            self._write({"want": workers})

    def judged(self, worker: str, *, fit: bool) -> None:
        """Say whether a worker can be used: the job of one that cannot be is given back."""
        if fit:
            self._lives = LIVES
        self._write({"judged": worker, "fit": fit})

    async def lost(self) -> str:
        """Wait until the process has ended by itself. Raises `Unreachable` when that happens again and again."""
        assert self._process is not None
        assert self._reading is not None
        await asyncio.shield(self._reading)
        return f"the Dask scheduler ended with status {await self._give_up_or_go_on()}"

    async def _give_up_or_go_on(self) -> int:
        """Forget the process that has ended; returns its status. Raises `Unreachable` for one too many."""
        assert self._process is not None
        code = await self._process.wait()
        self._door = None
        self._lives -= 1
        if not self._lives:
            raise Unreachable(f"the Dask scheduler ended {LIVES} times, the last time with status {code}")
        return code

    async def close(self) -> None:
        """End the process, and with it workers and jobs."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), CLOSE_LIMIT)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._door is not None and self._door.done() and not self._door.cancelled():
            self._door.exception()
        self._process = self._door = None

    async def _open(self) -> None:
        pipe = asyncio.subprocess.PIPE
        # a session of its own: a terminal's Ctrl-C is for us, and workers end in good order
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            # Python's own helper would say what a scheduler that is killed leaves behind, which is nothing that lasts
            *("-W", "ignore:resource_tracker:UserWarning"),
            "-c",
            "from filewatcher.edges.cluster.clerk import main; main()",
            stdin=pipe,
            stdout=pipe,
            start_new_session=True,
        )
        self._write(
            {
                "name": self._name,
                "profile": self._profile.model_dump(mode="json"),
                "folder": self._folder,
                "home": str(Path.home()),
                "credentials": [self._credentials.certificate, self._credentials.key],
            }
        )
        if self._wanted:
            self._write({"want": self._wanted})
        assert self._door is not None
        self._reading = asyncio.create_task(self._read(self._process, self._door))

    def _write(self, line: dict[str, Any]) -> None:
        if self._process is not None and self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(json.dumps(line).encode() + b"\n")

    async def _read(self, process: Process, door: asyncio.Future[Door]) -> None:
        assert process.stdout is not None
        why = ""
        async for line in process.stdout:
            match json.loads(line):
                case {"door": address, "workers": workers} if not door.done():
                    door.set_result(Door(address, self._credentials, workers))
                case {"say": sentence}:
                    self._say(sentence)
                case {"failed": why}:
                    pass
        if not door.done() and not why:
            door.set_exception(_EndedAtOnce())
        elif not door.done():
            door.set_exception(Unreachable(f"the Dask scheduler and its workers did not start: {why}"))
