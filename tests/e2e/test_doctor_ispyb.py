"""The doctor on a beamline's database: rights as documented, rights that lack, one that is down."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from filewatcher.cli.doctor.findings import Asked, State
from filewatcher.cli.doctor.ispyb import check_ispyb

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from filewatcher.profiles import Loaded
    from tests.e2e.conftest import Shell
    from tests.ispyb_database import IspybDatabase

LEAST = "grant insert on ImageQualityIndicators to 'filewatcher'@'%'; grant select on Proposal to 'filewatcher'@'%'"


@cache
def no_profile() -> Loaded:
    raise AssertionError


def findings(folder: Path) -> list[tuple[State, str]]:
    asked = Asked(folder, (), 1.0, no_profile, [])
    return [(one.state, one.words) for one in check_ispyb(asked)]


def test_the_documented_rights_are_all_that_is_needed(
    ispyb_database: IspybDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ispyb_database.rows("select count(*) from AutoProcProgram")
    monkeypatch.delenv("ISPYB_CREDENTIALS", raising=False)
    assert findings(tmp_path) == []
    monkeypatch.setenv("ISPYB_CREDENTIALS", str(ispyb_database.credentials))
    found = findings(tmp_path)
    assert len(found) == 1, found
    ((state, words),) = found
    assert state == State.OK
    assert "answers user filewatcher" in words
    ispyb_database.credentials.chmod(0o644)
    try:
        (state, words), _ = findings(tmp_path)
    finally:
        ispyb_database.credentials.chmod(0o600)
    assert state == State.NOTE
    assert "can be read by others (mode 0644): chmod 600 it" in words
    assert ispyb_database.rows("select count(*) from AutoProcProgram") == before


def test_rights_that_lack_are_named(
    ispyb_database: IspybDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISPYB_CREDENTIALS", str(ispyb_database.user(tmp_path, LEAST)))
    _, look_up, write, once, again = findings(tmp_path)
    assert look_up[0] == State.WRONG
    assert (
        "SELECT on DataCollection, SELECT on DataCollectionGroup, SELECT on BLSession, SELECT on GridInfo" in look_up[1]
    )
    assert "Proposal" not in look_up[1]
    assert {write[0], once[0], again[0]} == {State.NOTE}
    assert write[1].startswith("no right for writing results: INSERT on ProcessingJob")
    assert "UPDATE on ImageQualityIndicators" in again[1]


def test_a_database_that_is_down_has_its_exit_code(
    shell: Shell, ispyb_database: IspybDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISPYB_CREDENTIALS", str(ispyb_database.credentials))
    ispyb_database.server.stop()
    try:
        process = shell.start("doctor", "--json", "--output", "/proc/nowhere")
        out, _ = process.communicate()
        shell.running.remove(process)
    finally:
        ispyb_database.server.start()
    states = {line["subject"]: line["state"] for line in map(json.loads, out.splitlines())}
    assert states["ispyb"] == "unreachable"
    assert process.returncode == 1  # nowhere to write is worse
