"""What a profile says of workers on this machine is what they get."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from filewatcher.config import on_this_machine
from filewatcher.core.batching import Limits
from filewatcher.edges.cluster import Office
from filewatcher.edges.dask_pool import DaskPool
from filewatcher.errors import Refused
from filewatcher.profiles import Environment, Profile, Workers
from filewatcher.profiles.jobs import WORKER_ENVIRONMENT


def test_local_workers_have_the_memory_folder_and_variables_of_the_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*WORKER_ENVIRONMENT, "ONE"):
        monkeypatch.setenv(name, "16")  # as a user's shell may have it, which is not asked on a cluster either
    profile = Profile(
        workers=Workers(per_job=1, memory_each=1 << 30, local_directory=str(tmp_path)),
        environment=Environment(variables={"ONE": "1", "MKL_NUM_THREADS": "2"}),
    )

    async def story() -> None:
        pool = DaskPool(Office(profile, print, str(tmp_path)), Limits())
        try:
            await pool.start()
            assert pool._client is not None
            assert pool._client.scheduler is not None
            (worker,) = (await pool._client.scheduler.identity())["workers"].values()
            assert (worker["nthreads"], worker["memory_limit"]) == (1, 1 << 30)
            assert Path(worker["local_directory"]).is_relative_to(tmp_path)
            for name, value in (WORKER_ENVIRONMENT | {"ONE": "1", "MKL_NUM_THREADS": "2"}).items():
                assert list((await pool._client.run(os.getenv, name)).values()) == [value], name
        finally:
            await pool.close()

    asyncio.run(story())


def test_a_folder_on_this_machine_is_found_by_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("PROJECT", "mx")
    monkeypatch.setenv("TMPDIR", "")
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.delenv("SCRATCH", raising=False)
    assert on_this_machine("$TMPDIR") == "/tmp"
    assert on_this_machine("~/scratch/${PROJECT}") == "/home/me/scratch/mx"
    with pytest.raises(Refused, match="SCRATCH is not set on this machine"):
        on_this_machine("$SCRATCH/x")
