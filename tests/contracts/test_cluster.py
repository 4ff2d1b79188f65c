"""What every cluster does: opens a door to strangers with credentials only, tells when it is lost, leaves nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from distributed import Client
from distributed.comm.core import connect
from distributed.security import Security

from filewatcher.edges.cluster import ExistingScheduler, Office
from filewatcher.edges.cluster.credentials import security_of
from filewatcher.errors import Unreachable
from filewatcher.testing.clusters import local_cluster, slurm_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from filewatcher.ports import Cluster, Door
    from filewatcher.testing.slurm import PrivateSlurm

LOOK = 0.05


def schedulers() -> list[int]:
    """Processes with a scheduler that this one has started."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in children if b"cluster.clerk" in Path(f"/proc/{pid}/cmdline").read_bytes()]


class Site:
    """A scheduler with one worker that somebody else runs."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "scheduler.json"
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        for words in (["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"], ["worker", "--no-nanny"]):
            command = [sys.executable, "-m", f"distributed.cli.dask_{words[0]}", *words[1:]]
            self.processes.append(
                subprocess.Popen([*command, "--scheduler-file", str(self.file)], stderr=subprocess.DEVNULL)
            )

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes.clear()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    one = Site(tmp_path)
    yield one
    one.stop()


async def until(true: Callable[[], object]) -> None:
    while not true():  # noqa: ASYNC110  a process tells nothing
        await asyncio.sleep(LOOK)


async def workers_of(door: Door) -> list[str]:
    """Wait for a worker; the names of all."""
    security = None if door.credentials is None else security_of(door.credentials)
    async with Client(  # type: ignore[no-untyped-call]
        door.address, asynchronous=True, set_as_default=False, security=security
    ) as client:
        await client.wait_for_workers(1, timeout=100)
        return [str(about["name"]) for about in client.scheduler_info()["workers"].values()]


async def refused(door: Door) -> None:
    """Nobody comes in without credentials, nor with others."""
    for stranger in (Security(), Security.temporary()):  # type: ignore[no-untyped-call]
        with pytest.raises((OSError, TypeError)):
            await connect(  # type: ignore[no-untyped-call]
                door.address, timeout=3, **stranger.get_connection_args("client")
            )


@pytest.mark.timeout(250)
@pytest.mark.parametrize("kind", ["local", "slurm", "existing"])
def test_a_cluster(kind: str, site: Site, slurm: PrivateSlurm) -> None:
    said: list[str] = []

    async def story() -> None:
        cluster: Cluster
        if kind == "existing":
            site.start()
            await until(site.file.exists)
            cluster = ExistingScheduler(str(site.file))
        else:
            cluster = local_cluster(1) if kind == "local" else Office(slurm_profile(), said.append)
        try:
            door = await cluster.start()
            assert await cluster.start() == door, "starting twice is harmless"
            cluster.want(1)
            names = await workers_of(door)
            if kind != "existing":
                assert all(name.startswith(f"{kind}-") for name in names)
                assert door.address.startswith("tls://")
                await refused(door)
            (pid,) = [site.processes[0].pid] if kind == "existing" else schedulers()
            os.kill(pid, signal.SIGKILL)
            assert "scheduler" in await cluster.lost()
            if kind == "existing":
                site.processes[0].wait()  # it lets go of our connection before it lets go of its door
                with pytest.raises(Unreachable, match="no Dask scheduler at"):
                    await cluster.start()
            else:
                assert await workers_of(await cluster.start())
        finally:
            await cluster.close()

    asyncio.run(story())
    assert schedulers() == []
    slurm.until(lambda: not slurm.jobs(), "jobs that end with who wanted them")


def test_a_scheduler_file_that_is_none(tmp_path: Path) -> None:
    async def start(path: Path) -> None:
        await ExistingScheduler(str(path)).start()

    with pytest.raises(Unreachable, match=r"none\.json: No such file"):
        asyncio.run(start(tmp_path / "none.json"))
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(Unreachable, match="it names no address"):
        asyncio.run(start(tmp_path / "other.json"))


def test_a_cluster_that_cannot_start_says_why() -> None:
    profile = slurm_profile(workers={"interface": "none0"})

    async def start() -> None:
        cluster = Office(profile, print)
        try:
            await cluster.start()
        finally:
            await cluster.close()

    with pytest.raises(Unreachable, match="none0"):
        asyncio.run(start())
