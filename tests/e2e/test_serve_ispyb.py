"""A daemon with a beamline's database: asked by ids alone, killed in the middle, every row once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from filewatcher.testing.daemon import Daemon

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Shell
    from tests.ispyb_database import IspybDatabase

SIMULATION = ("--detector", "eiger2-1m", "--grid", "9x7", "--rate", 20, "--frames-per-file", 20)


@pytest.mark.timeout(300)
def test_asked_by_an_id_and_killed_it_writes_every_row_once(
    shell: Shell, tmp_path: Path, ispyb_database: IspybDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISPYB_CREDENTIALS", str(ispyb_database.credentials))
    configuration = tmp_path / "daemon.yaml"
    configuration.write_text("notify: ['ispyb:']\n")
    raw = tmp_path / "raw"
    raw.mkdir()
    group = ispyb_database.group()
    coming = ispyb_database.collection(group, raw / "other.nxs") + 1
    daemon = Daemon(tmp_path / "daemon", ("--config", str(configuration))).start()
    collection = daemon.ask(dcid=coming)
    assert ispyb_database.collection(group, raw / "grid.nxs") == coming
    ispyb_database.grid(collection=coming)

    simulator = shell.start("simulate", raw, *SIMULATION)
    daemon.until(collection, lambda told: told["scans"] and told["scans"][0]["done"] >= 20)
    daemon.kill()
    daemon.start()
    told = daemon.ended(collection)
    assert shell.finish(simulator).code == 0
    assert (told["state"], told["reason"], told["visit"], told["beamline"]) == ("done", None, "mx23694-7", "i24")
    assert told["scans"][0]["grid"]["step_mm"] == [0.02, 0.02]
    spots = [line["n_spots_total"] for line in daemon.lines(collection)]
    assert daemon.stop() == 0
    assert daemon.faults() == []

    query = f"from ImageQualityIndicators where dataCollectionId = {coming} order by imageNumber"
    assert ispyb_database.rows(f"select imageNumber, spotTotal {query}") == [
        [str(image), str(count)] for image, count in enumerate(spots, 1)
    ]
    programs = "from AutoProcProgram join ProcessingJob using (processingJobId)"
    assert ispyb_database.rows(f"select processingStatus {programs} where dataCollectionId = {coming}") == [["1"]]
    assert len(ispyb_database.rows(f"select 1 from XrayCentring where dataCollectionGroupId = {group}")) == 1
