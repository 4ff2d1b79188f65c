"""A worker that cannot be trusted with a collection is refused by name, before it gets a frame."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest

from filewatcher.core.batching import Limits
from filewatcher.core.detector import Detector
from filewatcher.core.run import Job
from filewatcher.edges.cluster import Office
from filewatcher.edges.dask_pool import DaskPool, worker
from filewatcher.errors import Broken, Unreachable
from filewatcher.testing.clusters import local_cluster, slurm_profile
from spotfinding.engines import resolve
from spotfinding.parameters import Parameters

if TYPE_CHECKING:
    from pathlib import Path

    from filewatcher.edges.cluster import Office as Cluster

DETECTOR = Detector((60, 50), (0.075, 0.075), (1, 0, 0), (0, -1, 0), (-2, 2, -200), 1.0)


async def arm(cluster: Cluster, *paths: str, **parameters: object) -> list[str]:
    said: list[str] = []
    pool = DaskPool(cluster, Limits(), 5.0, say=said.append)
    try:
        await pool.start()
        await pool.share().arm(Job("a-run", DETECTOR, Parameters().as_json() | parameters, "dials", paths=paths))
        assert pool.ready
    finally:
        await pool.close()
    return said


def test_one_that_cannot_read_the_data(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"worker local-0 cannot read .*/nowhere.nxs: No such file .* mounted on its"):
        asyncio.run(arm(local_cluster(1), str(tmp_path / "nowhere.nxs")))


def test_one_without_dials() -> None:
    with pytest.raises(Unreachable, match=r"worker local-0 has no dials engine"):
        asyncio.run(arm(local_cluster(1, LIBTBX_BUILD="/nowhere")))


def test_a_collection_that_the_engine_cannot_analyse_is_no_worker_s_fault() -> None:
    with pytest.raises(Broken, match="cannot analyse this collection"):
        asyncio.run(arm(local_cluster(1), threshold_algorithm="none such"))


def test_a_collection_that_is_broken_leaves_the_others_alone_and_one_that_is_over_leaves_nothing() -> None:
    async def story() -> None:
        pool = DaskPool(local_cluster(1), Limits())
        try:
            good, bad = pool.share(), pool.share()
            await good.start()
            await good.arm(Job("good", DETECTOR, resolve("native", Parameters()).parameters.as_json(), "native"))
            with pytest.raises(Broken, match="cannot analyse this collection"):
                await bad.arm(Job("bad", DETECTOR, Parameters().as_json() | {"threshold_algorithm": "none"}, "dials"))
            assert (good.ready, bad.ready, good.places > 0, bad.places) == (1, 0, True, 0)
            await bad.close()
            await good.close()
            client: Any = pool._client
            noted = await client.run_on_scheduler(lambda dask_scheduler: bool(dask_scheduler.extensions["spans"]))
            assert not noted, "the scheduler keeps nothing of every task"
            # asked at the worker, which is told of it in the background
            while list((await client.run(lambda: len(worker._analyses))).values()) != [0]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        finally:
            await pool.close()

    asyncio.run(story())


@pytest.mark.timeout(200)
@pytest.mark.usefixtures("slurm")
def test_one_with_another_version(tmp_path: Path) -> None:
    other = tmp_path / "filewatcher-9.9.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: filewatcher\nVersion: 9.9\n")
    path = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
    profile = slurm_profile(environment={"variables": {"PYTHONPATH": path}}, workers={"per_job": 1})
    said: list[str] = []
    with pytest.raises(Unreachable, match=r"worker slurm-\d+ has filewatcher 9.9 instead of "):
        asyncio.run(arm(Office(profile, said.append)))
    pauses = [sentence.rpartition(" the next try is in ")[2] for sentence in said if "is of no use" in sentence]
    assert pauses[:2] == ["2 s", "4 s"], said
    assert any("is given back" in sentence for sentence in said)
