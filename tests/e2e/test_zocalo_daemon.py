"""The daemon in the place of a beamline's filewatcher: real broker, real workers, a simulated detector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from filewatcher.cli.doctor.findings import Asked, State
from filewatcher.cli.doctor.zocalo import check_zocalo
from filewatcher.testing.daemon import Daemon
from tests.edges.test_zocalo import QUEUES, gridscan, images
from tests.edges.zocalo_house import Consumer, centre_as_documented

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from filewatcher.testing.rabbitmq import PrivateRabbitMQ
    from tests.e2e.conftest import Shell

FRAMES = 48
SIMULATION = ("--detector", "eiger2-1m", "--grid", "8x6", "--rate", 40, "--writers", 2, "--frames-per-file", 12)


@pytest.fixture
def daemon(tmp_path: Path, rabbitmq: PrivateRabbitMQ, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setenv("FILEWATCHER_ZOCALO_BROKER", rabbitmq.url)
    rabbitmq.declare(QUEUES)
    one = Daemon(tmp_path / "daemon", ("--root", str(tmp_path), "--zocalo", "filewatcher"))
    yield one.start()
    if one.process is not None:
        assert one.stop() == 0
    assert one.faults() == []


@pytest.mark.timeout(300)
def test_a_daemon_killed_in_the_middle_answers_every_image_once(
    daemon: Daemon, shell: Shell, rabbitmq: PrivateRabbitMQ, tmp_path: Path
) -> None:
    consumer = Consumer(rabbitmq)
    (tmp_path / "raw").mkdir()
    master = str(tmp_path / "raw" / "grid.nxs")
    consumer.send("filewatcher", gridscan(master, (8, 6)))
    simulator = shell.start("simulate", tmp_path / "raw", *SIMULATION)
    results = consumer.get("reduce.xray_centering", 10)
    daemon.kill()
    daemon.start()
    results += consumer.get("reduce.xray_centering", FRAMES - 10)
    assert shell.finish(simulator).code == 0
    assert sorted(images(results)) == list(range(1, FRAMES + 1))
    assert sorted(images(consumer.get("ispyb_pia", FRAMES))) == list(range(1, FRAMES + 1))
    (last,) = consumer.get("end", 1)
    assert last["payload"] == {"images-expected": FRAMES, "images-seen": FRAMES, "success": True}
    assert [consumer.left(queue) for queue in QUEUES] == [0, 0, 0, 0, 1, 1, 0]

    (one,) = daemon.listed()["collections"]
    assert (one["origin"], one["priority"], one["masters"]) == ("zocalo", "interactive", [master])
    lines = {line["file-number"]: line["n_spots_total"] for line in daemon.lines(one["id"])}
    assert {result["payload"]["file-number"]: result["payload"]["n_spots_total"] for result in results} == lines
    found = one["scans"][0]["centring"]["crystals"][0]["centre_of_mass"]
    theirs = centre_as_documented(results)
    assert found == pytest.approx([theirs["centre_x_box"], theirs["centre_y_box"]], abs=1.0), (
        "another method, one place"
    )


def test_a_daemon_without_a_broker_serves_all_the_same(
    tmp_path: Path, rabbitmq: PrivateRabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FILEWATCHER_ZOCALO_BROKER", "amqp://guest:secret@127.0.0.1:9/x")
    one = Daemon(tmp_path / "daemon", ("--zocalo", "filewatcher")).start()
    assert one.listed()["collections"] == []
    assert one.stop() == 0
    said = [line["message"] for line in one.log if "amqp" in line.get("message", "")]
    assert 1 <= len(said) <= 2
    assert "secret" not in str(one.log)
    assert f":{rabbitmq.port}" not in str(one.log)


def test_a_broker_that_nobody_knows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ZOCALO_CONFIG", "ZOCALO_DEFAULT_ENV", "FILEWATCHER_ZOCALO_BROKER"):
        monkeypatch.delenv(name, raising=False)
    ran = Daemon(tmp_path).run("serve", "--port", 0, "--zocalo", "filewatcher")
    assert ran.returncode == 2
    assert "name one, or a broker as amqp://" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_doctor_looks_at_the_broker(
    tmp_path: Path, rabbitmq: PrivateRabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked(tmp_path, (), 1.0, lambda: pytest.fail("no profile is needed"), [])
    monkeypatch.delenv("FILEWATCHER_ZOCALO_BROKER", raising=False)
    assert list(check_zocalo(asked)) == []
    rabbitmq.declare(QUEUES)
    monkeypatch.setenv("FILEWATCHER_ZOCALO_BROKER", rabbitmq.url)
    assert [one.state for one in check_zocalo(asked)] == [State.OK] * 3
    monkeypatch.setenv("FILEWATCHER_ZOCALO_BROKER", "amqp://guest:secret@127.0.0.1:9/x")
    (gone,) = check_zocalo(asked)
    assert gone.state is State.UNREACHABLE
    assert "secret" not in gone.words
    monkeypatch.setenv("FILEWATCHER_ZOCALO_BROKER", "amqps://there")
    (refused,) = check_zocalo(asked)
    assert refused.state is State.WRONG
