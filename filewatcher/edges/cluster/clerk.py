"""What runs in the process of scheduler and keeper: takes a brief and wishes as lines, tells the door and sentences.

Lines are JSON. In: the brief, then ``{"want": workers}`` and ``{"judged": worker, "fit": true}``; the end of the input
is the end of everything, so nothing outlives whoever started it. Out: ``{"door": address, "workers": count}`` once,
``{"say": sentence}``, ``{"failed": sentence}``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask
import dask.system
from distributed import Scheduler

from filewatcher.edges.cluster.credentials import security_of
from filewatcher.edges.cluster.local import LocalWorkers
from filewatcher.edges.cluster.settings import dask_settings, extensions, local_environment
from filewatcher.edges.cluster.slurm import SlurmWorkers
from filewatcher.ports import Credentials
from filewatcher.profiles import Profile
from filewatcher.profiles.jobs import local_keywords
from filewatcher.settled import settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed.security import Security

CLOSE_LIMIT = 20.0
"""Seconds for workers and scheduler to end in good order."""


class Clerk:
    """Scheduler and workers of one brief."""

    def __init__(self, brief: dict[str, Any], tell: Callable[[dict[str, Any]], None]) -> None:
        self._name: str = brief["name"]
        self._profile = profile = Profile.model_validate(brief["profile"])
        self._workers: int = (profile.workers.per_job if profile.kind == "local" else None) or dask.system.CPU_COUNT
        self._folder: str | None = brief["folder"]
        self._home = Path(brief["home"])
        self._credentials = Credentials(*brief["credentials"])
        self._tell = tell

    async def run(self, wishes: asyncio.StreamReader) -> None:
        """Serve until the wishes end."""
        dask.config.set(dask_settings(self._profile))
        os.environ.update(local_environment(self._profile))
        security = security_of(self._credentials)
        try:
            async with self._scheduler(security) as scheduler:
                settle()
                serve = self._serve_slurm if self._profile.kind == "slurm" else self._serve_local
                await serve(scheduler, security, wishes)
        except (OSError, RuntimeError, TimeoutError, ValueError) as error:
            self._tell({"failed": str(error) or type(error).__name__})

    def _scheduler(self, security: Security) -> Scheduler:
        workers = self._profile.workers
        where: dict[str, Any] = {"host": "127.0.0.1"}
        if self._profile.kind == "slurm":
            where = {"interface": workers.scheduler_interface or workers.interface}
            if where["interface"] is None:
                # other nodes must reach it, and find it by this name
                where = {"host": socket.gethostname()}
        return Scheduler(
            protocol="tls",
            security=security,
            port=0,
            dashboard=True,
            dashboard_address="127.0.0.1:0",
            extensions=extensions(),
            **where,
        )

    def _local(self, scheduler: Scheduler, security: Security) -> LocalWorkers:
        # a job's memory and scratch folder are not this machine's
        local = self._profile.kind == "local"
        keywords = local_keywords(self._profile, self._folder) if local else {}
        return LocalWorkers(scheduler.address, security, self._workers, keywords)

    async def _serve_local(self, scheduler: Scheduler, security: Security, wishes: asyncio.StreamReader) -> None:
        local = self._local(scheduler, security)
        try:
            await local.start()
            self._tell({"door": scheduler.address, "workers": self._workers})
            while await wishes.readline():
                pass  # they are as many as they are
        finally:
            await asyncio.wait_for(local.close(), CLOSE_LIMIT)

    async def _serve_slurm(self, scheduler: Scheduler, security: Security, wishes: asyncio.StreamReader) -> None:
        crew = SlurmWorkers(
            self._name,
            self._profile,
            self._credentials,
            scheduler,
            self._local(scheduler, security),
            self._home,
            lambda sentence: self._tell({"say": sentence}),
        )
        tending = asyncio.create_task(crew.tend())
        try:
            self._tell({"door": scheduler.address, "workers": 0})
            while line := await wishes.readline():
                match json.loads(line):
                    case {"want": workers}:
                        crew.want(workers)
                    case {"judged": worker, "fit": fit}:
                        await crew.judged(worker, fit=fit)
        finally:
            tending.cancel()
            await asyncio.gather(tending, return_exceptions=True)
            await asyncio.wait_for(crew.close(), CLOSE_LIMIT)


async def serve(given: int, told: int) -> None:
    """Serve by two file descriptors."""

    def tell(line: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # whoever started us has gone: the wishes end, too
            os.write(told, json.dumps(line).encode() + b"\n")

    reader = asyncio.StreamReader()
    with os.fdopen(given, "rb") as pipe:
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        if brief := await reader.readline():
            await Clerk(json.loads(brief), tell).run(reader)


def main() -> None:
    """Keep the pipes for ourselves: what workers print goes to standard error."""
    given, told = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    logging.disable(logging.CRITICAL)
    asyncio.run(serve(given, told))
