"""The command line with a beamline's database: a real one, and a simulated detector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

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
