"""The command line with a beamline's database: a real one, and a simulated detector."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Shell
    from tests.ispyb_database import IspybDatabase

SIMULATION = ("--detector", "eiger2-1m", "--grid", "9x7", "--frames-per-file", 20, "--rate", 100)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def credentials(ispyb_database: IspybDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISPYB_CREDENTIALS", str(ispyb_database.credentials))


@pytest.mark.timeout(300)
def test_a_data_collection_id_is_enough(shell: Shell, raw: Path, ispyb_database: IspybDatabase) -> None:
    group = ispyb_database.group()
    coming = ispyb_database.collection(group, raw / "other.nxs") + 1
    watching = shell.start("watch", "--dcid", coming, "d_max=30", "--json")
    assert watching.stderr is not None
    assert f"data collection {coming} is not in ISPyB yet; waiting for it" in watching.stderr.readline()
    assert ispyb_database.collection(group, raw / "grid.nxs") == coming
    ispyb_database.grid(collection=coming)
    assert shell.run("simulate", raw, *SIMULATION).code == 0
    ran = shell.finish(watching)
    assert ran.code == 0, ran.stderr
    assert ran.counts() == (63, 63, 0, 0)
    assert ran.summary["master"] == str(raw / "grid.nxs")
    assert ran.summary["parameters"]["d_max"] == 30
    # the step is the database's, and only it knows where the grid lies in the camera's picture
    assert ran.summary["grid"]["step_mm"] == [0.02, 0.02]
    assert ran.summary["centring"]["snapshot_offset"] == [100.5, 50.25]

    wrong = ispyb_database.collection(ispyb_database.group(), raw / "grid.nxs")
    ispyb_database.grid(collection=wrong, steps_y=8.0)
    again = shell.run("reprocess", "--dcid", wrong, "--json", "--output", shell.folder / "again")
    assert again.code == 0, again.stderr
    assert "what ISPyB says of the grid is not used: grid 9x8 has 72 cells" in again.stderr
    assert again.summary["grid"]["rows"] == 7
    words = shell.run("reprocess", "--dcid", wrong, "--json", "--grid", "21x3", "--snaked", "--force")
    assert words.summary["grid"]["columns"] == 21


@pytest.mark.timeout(300)
def test_one_id_of_a_pair_means_both(shell: Shell, raw: Path, ispyb_database: IspybDatabase) -> None:
    group = ispyb_database.group("Mesh3D")
    masters = [raw / name for name in ("grid.nxs", "grid_second.nxs")]
    dcids = [ispyb_database.collection(group, master) for master in masters]
    for dcid, rows in zip(dcids, (7.0, 5.0), strict=True):
        ispyb_database.grid(collection=dcid, steps_y=rows)
    assert shell.run("simulate", raw, *SIMULATION, "--second", "9x5").code == 0
    ran = shell.run("reprocess", "--dcid", dcids[1], "--json")
    assert ran.code == 0, ran.stderr
    assert [(one["master"], one["expected"]) for one in ran.summaries] == [(str(masters[0]), 63), (str(masters[1]), 45)]


@pytest.mark.timeout(300)
def test_results_of_a_live_grid_are_in_the_database_though_it_was_away(
    shell: Shell, raw: Path, ispyb_database: IspybDatabase
) -> None:
    dcid = ispyb_database.collection(ispyb_database.group(), raw / "grid.nxs")
    ispyb_database.grid(collection=dcid)
    watching = shell.start("watch", "--dcid", dcid, "--notify", "ispyb:", "--json")
    simulator = shell.start("simulate", raw, *SIMULATION[:-1], 15, "--corrupt", 5)
    assert watching.stdout is not None
    lines = [watching.stdout.readline() for _ in range(15)]
    ispyb_database.server.stop()
    try:
        lines += [watching.stdout.readline() for _ in range(30)]
    finally:
        ispyb_database.server.start()
    assert shell.finish(simulator).code == 0
    ran = shell.finish(watching)
    ran.lines[:0] = [json.loads(line) for line in lines]
    assert ran.code == 3, ran.stderr  # the corrupt image
    assert ran.counts() == (63, 62, 1, 0)

    query = "select imageNumber, spotTotal, goodBraggCandidates, totalIntegratedSignal, autoProcProgramId"
    rows = ispyb_database.rows(f"{query} from ImageQualityIndicators where dataCollectionId = {dcid}")
    frames = [line for line in ran.by_frame() if line["state"] == "done"]
    columns = ("file-number", "n_spots_total", "n_spots_no_ice", "total_intensity")
    assert [[float(word) for word in row[:4]] for row in rows] == [[line[name] for name in columns] for line in frames]
    ((program, message),) = ispyb_database.rows(
        "select autoProcProgramId, processingMessage from AutoProcProgram join ProcessingJob using (processingJobId) "
        f"where dataCollectionId = {dcid} and processingStatus = 1 and processingEndTime >= processingStartTime"
    )
    assert message == "63 images: 62 analysed, 1 failed, 0 missing"
    assert {row[4] for row in rows} == {program}

    results = shell.folder / "grid-filewatcher"
    files = f"select filePath, fileName from AutoProcProgramAttachment where autoProcProgramId = {program}"
    named = {f"{folder}/{name}" for folder, name in ispyb_database.rows(files)}
    wanted = ("heatmap.png", "results.h5", "summary.json", "Dials5AResults.json")
    assert named == {str(results / name) for name in wanted}
    ((x, y, total),) = ispyb_database.rows(
        "select r.centreOfMassX, r.centreOfMassY, r.totalCount from XrayCentringResult r join XrayCentring c "
        "using (xrayCentringId) join DataCollection d using (dataCollectionGroupId) "
        f"where d.dataCollectionId = {dcid} and c.status = 'success' and c.xrayCentringType = '2d'"
    )
    gda = json.loads((results / "Dials5AResults.json").read_text())
    assert [float(x), float(y)] == pytest.approx([gda["centre_x_box"], gda["centre_y_box"]], rel=1e-5)
    assert float(total) == pytest.approx(gda["total_count"], rel=1e-5)
    assert ran.stderr.count("what is analysed waits in the journal") <= 1
    assert "Traceback" not in ran.stderr


def test_results_need_an_id_for_each_master(shell: Shell) -> None:
    ran = shell.run("watch", "a.nxs", "b.nxs", "--dcid", "1", "--notify", "ispyb:")
    assert ran.code == 2
    assert "--notify ispyb: needs --dcid with 2 data collection ids, one per master, not 1" in ran.stderr


def test_what_cannot_be_looked_up_is_said(
    shell: Shell, ispyb_database: IspybDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {
        ("watch",): "neither a master nor a data collection id is given",
        ("watch", "--dcid", "none"): "data collection ids are whole numbers",
        ("watch", "d_max=30"): "neither a master nor a data collection id is given",
        ("watch", "d_max=30", "second.nxs", "--dcid", "1"): "give the first master too",
        ("reprocess", "--dcid", "99999999"): "data collection 99999999 is not in ISPyB yet",
    }
    for words, sentence in said.items():
        ran = shell.run(*words)
        assert ran.code in {1, 2}, words
        assert sentence in ran.stderr, words
        assert "Traceback" not in ran.stderr
    ispyb_database.server.stop()
    try:
        ran = shell.run("reprocess", "--dcid", "1")
        assert ran.code == 4
        assert "does not answer" in ran.stderr
    finally:
        ispyb_database.server.start()
    monkeypatch.delenv("ISPYB_CREDENTIALS")
    ran = shell.run("watch", "--dcid", "1")
    assert ran.code == 2
    assert "set ISPYB_CREDENTIALS" in ran.stderr


@pytest.mark.timeout(300)
def test_a_very_large_grid_has_an_attachment_and_images_that_never_came_are_a_failure(
    shell: Shell, other_shell: Shell, raw: Path, ispyb_database: IspybDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FILEWATCHER_ISPYB_ROWS", "11")
    assert shell.run("simulate", raw, "--detector", "eiger2-1m", "--grid", "4x3", "--rate", "inf").code == 0
    dcids = [ispyb_database.collection(ispyb_database.group(), raw / "grid.nxs", 12) for _ in range(2)]
    for dcid in dcids:
        ispyb_database.grid(collection=dcid, steps_x=4.0, steps_y=3.0)
    ran = shell.run("reprocess", "--dcid", dcids[0], "--notify", "ispyb:", "--json")
    assert ran.code == 0, ran.stderr
    table = "DataCollectionFileAttachment"
    ((path,),) = ispyb_database.rows(f"select fileFullPath from {table} where dataCollectionId = {dcids[0]}")
    assert Path(path).parent == shell.folder / "grid-filewatcher"
    assert json.loads(Path(path).read_text()) == [line["n_spots_total"] for line in ran.by_frame()]

    for file in raw.glob("grid_*.h5"):
        if "meta" not in file.name:
            file.unlink()
    ran = other_shell.run("reprocess", "--dcid", dcids[1], "--notify", "ispyb:", "--json")
    assert (ran.code, ran.counts()) == (3, (12, 0, 0, 12)), ran.stderr
    ended = ispyb_database.rows(
        "select dataCollectionId, processingStatus, processingMessage from AutoProcProgram "
        f"join ProcessingJob using (processingJobId) where dataCollectionId in ({dcids[0]}, {dcids[1]}) order by 1"
    )
    assert ended == [
        [str(dcids[0]), "1", "12 images: 12 analysed, 0 failed, 0 missing"],
        [str(dcids[1]), "0", "12 images: 0 analysed, 0 failed, 12 missing"],
    ]
    rows = f"from ImageQualityIndicators where dataCollectionId in ({dcids[0]}, {dcids[1]})"
    assert ispyb_database.rows(f"select count(*) {rows}") == [["0"]]
