"""The script of a job, run: its workers join the scheduler, as the profile says, and end with it."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from distributed import Client, Scheduler

from filewatcher.edges.cluster import job_script
from filewatcher.profiles import Environment, Profile, Slurm, Workers


def test_the_workers_of_a_job_are_those_of_the_profile(tmp_path: Path) -> None:
    profile = Profile(
        scheduler="slurm",
        slurm=Slurm(partition="live"),
        workers=Workers(per_job=2, memory_each=1 << 30, local_directory="$TMPDIR", interface="lo"),
        environment=Environment(setup=("export FROM_SETUP='1 2'",), variables={"FROM_PROFILE": "FALSE"}),
    )

    async def story() -> None:
        async with Scheduler(host="127.0.0.1", dashboard_address="127.0.0.1:0") as scheduler:
            script = job_script(profile, home=tmp_path, python=sys.executable, scheduler=scheduler.address)
            job = await asyncio.create_subprocess_exec(
                "bash",
                "-c",
                script,
                env={**os.environ, "TMPDIR": str(tmp_path), "SLURM_JOB_ID": "12"},
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                async with Client(scheduler.address, asynchronous=True) as client:  # type: ignore[no-untyped-call]
                    await client.wait_for_workers(2, timeout=60)
                    for worker in scheduler.workers.values():
                        assert str(worker.name).startswith("slurm-12-")
                        assert (worker.nthreads, worker.memory_limit) == (1, 1 << 30)
                        assert Path(worker.local_directory).is_relative_to(tmp_path)
                        assert worker.address.startswith("tcp://127.0.0.1:")
                    for name, value in (
                        ("FROM_SETUP", "1 2"),
                        ("FROM_PROFILE", "FALSE"),
                        ("OMP_NUM_THREADS", "1"),
                        ("MALLOC_MMAP_MAX_", "0"),
                        ("HDF5_USE_FILE_LOCKING", "FALSE"),
                    ):
                        assert set((await client.run(os.getenv, name)).values()) == {value}, name
            finally:
                await scheduler.close()
                # a job whose scheduler is gone gives its cores back by itself
                await asyncio.wait_for(job.wait(), 60)

    asyncio.run(story())
