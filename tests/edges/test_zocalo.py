"""zocalo for real: messages through RabbitMQ, collections from files, answers as production's consumers expect them."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from filewatcher.core.centring import centre
from filewatcher.core.detector import Detector
from filewatcher.core.framemap import DataFile, FrameMap
from filewatcher.core.grid import Grid
from filewatcher.core.messages import ChunkLayout, FrameReady, FrameResult, Statistics
from filewatcher.core.observations import Described, DetectorRead, MasterFile, OnDisk, StoredChunk
from filewatcher.core.picture import from_frames
from filewatcher.core.scanwatch import TimeOuts
from filewatcher.edges.zocalo import Broker, examine
from filewatcher.errors import Full, Refused
from filewatcher.testing.detector import Simulation, run
from filewatcher.testing.fakes import InlinePool, ScriptedObserver
from tests.edges.zocalo_house import PATIENCE, Consumer, Doubt, House, Wire, centre_as_documented

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filewatcher.testing.rabbitmq import PrivateRabbitMQ

HOW_TO = Path(__file__).parents[2] / "docs/how-to/zocalo.rst"
pytestmark = pytest.mark.timeout(300)
QUEUES = ("filewatcher", "per_image_analysis", "reduce.xray_centering", "ispyb_pia", "images", "archive", "end")


@pytest.fixture
def consumer(rabbitmq: PrivateRabbitMQ) -> Iterator[Consumer]:
    """On queues with nothing in them, and nothing left there in the end that nobody expected."""
    rabbitmq.declare(QUEUES)
    one = Consumer(rabbitmq)
    yield one
    with rabbitmq.channel() as channel:
        left = {queue: channel.queue_purge(queue).method.message_count for queue in QUEUES}
    assert not any(left.values()), left


def gridscan(master: str, grid: tuple[int, int], guid: str = "guid", **parameters: Any) -> dict[str, Any]:
    """The recipe of production for grid scans: watch, analyse each image, centre and store."""
    info = {
        "steps_x": float(grid[0]), "steps_y": float(grid[1]), "dx_mm": 0.02, "dy_mm": 0.02, "snaked": "1",
        "orientation": "horizontal", "micronsPerPixelX": 0.8, "micronsPerPixelY": 0.8,
        "snapshot_offsetXPixel": 396.2, "snapshot_offsetYPixel": 241.2,
    }  # fmt: skip
    recipe = {
        "1": {
            "service": "DLS Filewatcher",
            "queue": "filewatcher",
            "parameters": {"hdf5": master, "burst-limit": 5, "timeout": 60, "timeout-first": 600, **parameters},
            "output": {"first": 5, "every": 2, "any": 6, "finally": 7},
        },
        "2": {"service": "DLS PIA", "queue": "per_image_analysis", "output": {"result": [3, 4]}},
        "3": {
            "service": "DLS X-Ray Centering", "queue": "reduce.xray_centering", "gridinfo": info,
            "parameters": {"dcid": 7, "experiment_type": "Mesh"}, "output": {"success": 8},
        },
        "4": {"service": "ISPyB", "queue": "ispyb_pia", "parameters": {"dcid": 7}},
        "5": {"queue": "images"},
        "6": {"queue": "archive"},
        "7": {"queue": "end"},
        "8": {"queue": "xrc.i04"},
        "start": [[1, []]],
    }  # fmt: skip
    return {"recipe": recipe, "recipe-pointer": 1, "recipe-path": [], "environment": {"ID": guid}, "payload": []}


# ---- a detector that is told what to write


def numbers(frame: FrameReady, attempts: int) -> FrameResult:
    found = Statistics(frame.frame + 10, 0, 0, 1.0, -1.0, -1.0, -1.0, -1.0, -1.0, 9)
    return FrameResult(frame.scan, frame.frame, found, "native", attempts)


class Scripted(ScriptedObserver):
    """A collection of `frames` frames, which come when the test says so."""

    def __init__(self, master: str, frames: int) -> None:
        super().__init__()
        frame_map = FrameMap((DataFile(f"{master}_1.h5", "/data"),), np.zeros(frames, np.int32), np.arange(frames))
        detector = Detector((4, 5), (0.075, 0.075), (1, 0, 0), (0, -1, 0), (0, 0, -200), 1.0)
        self.say(Described(MasterFile(master, 1, hash(master), 3, 4), frame_map, 0.01, None), DetectorRead(detector))

    def write(self, first: int, end: int) -> None:
        chunks = [StoredChunk(row, 100 * row, 90, 0) for row in range(first, end)]
        self.say(OnDisk(0, chunks, ChunkLayout((4, 5), "<u2", ())))


def scripted(url: str, state: Path, master: str, frames: int) -> tuple[House, Scripted]:
    observer = Scripted(master, frames)
    house = House(url, state, "filewatcher", InlinePool(numbers), {master: observer})
    return house, observer


async def get(consumer: Consumer, queue: str, count: int) -> list[dict[str, Any]]:
    return await asyncio.to_thread(consumer.get, queue, count)


async def send(consumer: Consumer, message: object, **how: Any) -> None:
    await asyncio.to_thread(lambda: consumer.send("filewatcher", message, **how))


def images(messages: list[dict[str, Any]]) -> list[int]:
    return [message["payload"]["file-number"] for message in messages]


# ---- stories


def test_a_grid_scan_is_centred_by_the_services_that_are_there(
    tmp_path: Path, rabbitmq: PrivateRabbitMQ, consumer: Consumer
) -> None:
    """The message comes before the file exists; nothing on the consumers' side knows that we are not production."""
    sim = Simulation(tmp_path / "data", detector="eiger2-1m", grid=(6, 5), rate=60, writers=2, frames_per_file=8)
    master = str(tmp_path / "data" / "grid.nxs")

    async def story() -> None:
        async with House(rabbitmq.url, tmp_path / "state", "filewatcher") as house:
            await send(consumer, gridscan(master, (6, 5)))
            await asyncio.wait_for(house.changed.wait(), PATIENCE)
            await asyncio.to_thread(run, sim)
            results, stored = await get(consumer, "reduce.xray_centering", 30), await get(consumer, "ispyb_pia", 30)
            assert [one["payload"] for one in results] == [one["payload"] for one in stored]
            assert sorted(images(results)) == list(range(1, 31))
            (seen,) = await get(consumer, "images", 1)
            seen_at = seen["payload"].pop("file-seen-at")
            assert seen["payload"] == {
                "hdf5": master, "hdf5-index": 0, "file": master, "file-number": 1, "parameters": {"scan_range": "1,1"},
            }  # fmt: skip
            first = next(one["payload"] for one in results if one["payload"]["file-number"] == 1)
            assert first["file-seen-at"] == seen_at
            (some,), (last,) = await get(consumer, "archive", 1), await get(consumer, "end", 1)
            assert some["payload"] == {"images-expected": 30, "images-seen": 30}
            assert last["payload"] == {"images-expected": 30, "images-seen": 30, "success": True}
            assert (last["recipe-path"], results[0]["recipe-path"]) == ([1], [1, 2])
            ours = house.held["c0"].finished
            assert ours is not None
            spots = ours.scans[0].results.values["n_spots_total"]
            assert ours.run.parameters["threshold_algorithm"] == "dispersion", "as production's analysis"
        found = centre(from_frames(Grid(6, 5, snaked=True), "n_spots_total", np.arange(30), spots), "dlstbx")
        theirs = centre_as_documented(results)
        assert (theirs["centre_x_box"], theirs["centre_y_box"]) == found.crystals[0].centre
        assert theirs["best_image"] == found.best_image
        assert house.said == []

    asyncio.run(story())


def test_a_message_that_comes_twice_is_answered_once(
    tmp_path: Path, rabbitmq: PrivateRabbitMQ, consumer: Consumer
) -> None:
    house, detector = scripted(rabbitmq.url, tmp_path, "/data/twice.nxs", 4)

    async def story() -> None:
        async with house:
            for guid in ("guid", "guid", "another"):
                await send(consumer, gridscan("/data/twice.nxs", (2, 2), guid))
            detector.write(0, 4)
            assert sorted(images(await get(consumer, "reduce.xray_centering", 4))) == [1, 2, 3, 4]
            for queue, count in (("ispyb_pia", 4), ("images", 1), ("archive", 1), ("end", 1)):
                await get(consumer, queue, count)
            # when it is over, another recipe may ask once more, and is told from the record; the same one may not
            await send(consumer, gridscan("/data/twice.nxs", (2, 2), "guid"))
            await send(consumer, gridscan("/data/twice.nxs", (2, 2), "later"))
            assert sorted(images(await get(consumer, "reduce.xray_centering", 4))) == [1, 2, 3, 4]
            for queue, count in (("ispyb_pia", 4), ("images", 1), ("archive", 1), ("end", 1)):
                await get(consumer, queue, count)
        assert len(house.held) == 1

    asyncio.run(story())


def test_a_message_that_comes_again_while_there_is_no_room_is_answered_once(
    tmp_path: Path, rabbitmq: PrivateRabbitMQ, consumer: Consumer
) -> None:
    house, detector = scripted(rabbitmq.url, tmp_path, "/data/room.nxs", 4)
    house.refuse = {"/data/room.nxs": Full("all places are taken")}

    async def story() -> None:
        async with house:
            for _ in range(2):
                await send(consumer, gridscan("/data/room.nxs", (2, 2)))
            detector.write(0, 4)
            (last,) = await get(consumer, "end", 1)
            assert last["payload"]["success"] is True
            while house.zocalo._handling:
                await asyncio.wait(house.zocalo._handling)
            for queue, count in (("reduce.xray_centering", 4), ("ispyb_pia", 4), ("images", 1), ("archive", 1)):
                assert len(await get(consumer, queue, count)) == count

    asyncio.run(story())


def test_a_broker_that_restarts_loses_and_doubles_nothing(
    tmp_path: Path, rabbitmq: PrivateRabbitMQ, consumer: Consumer
) -> None:
    house, detector = scripted(rabbitmq.url, tmp_path, "/data/restart.nxs", 60)

    async def story() -> None:
        async with house:
            await send(consumer, gridscan("/data/restart.nxs", (6, 10)))
            detector.write(0, 20)
            results = await get(consumer, "reduce.xray_centering", 20)
            held = house.held["c0"]
            assert held.task is not None
            await asyncio.to_thread(rabbitmq.stop)
            try:
                detector.write(20, 60)
                await asyncio.wait_for(held.task, PATIENCE)  # the collection does not wait for a broker
            finally:
                await asyncio.to_thread(rabbitmq.start)
            results += await get(consumer, "reduce.xray_centering", 40)
            assert sorted(images(results)) == list(range(1, 61))
            assert sorted(images(await get(consumer, "ispyb_pia", 60))) == list(range(1, 61))
            # it listens again as well: another recipe is answered from the record
            await send(consumer, gridscan("/data/restart.nxs", (6, 10), "later"))
            for queue, count in (("reduce.xray_centering", 60), ("ispyb_pia", 60), ("images", 2), ("archive", 2)):
                assert len(await get(consumer, queue, count)) == count
            assert [one["payload"]["success"] for one in await get(consumer, "end", 2)] == [True, True]
        assert [sentence.rpartition(": ")[2] for sentence in house.said if "recipes" in sentence] == [
            "recipes are answered when it is back"
        ]
        assert any("is back" in sentence for sentence in house.said)
        assert sum("connection is lost" in sentence for sentence in house.said) == 1
        assert sum("listening to filewatcher again" in sentence for sentence in house.said) == 1

    asyncio.run(story())


@pytest.mark.parametrize("doubt", Doubt)
def test_a_commit_in_doubt_is_neither_lost_nor_repeated(
    tmp_path: Path, rabbitmq: PrivateRabbitMQ, consumer: Consumer, doubt: Doubt
) -> None:
    """The connection breaks when a transaction is sent and nobody knows whether the broker has taken it, or will."""
    wire = Wire(rabbitmq.port)
    house, detector = scripted(wire.url, tmp_path, "/data/doubt.nxs", 12)

    async def story() -> None:
        async with house:
            await send(consumer, gridscan("/data/doubt.nxs", (4, 3)))
            detector.write(0, 3)
            results = await get(consumer, "reduce.xray_centering", 3)
            wire.break_next_commit(doubt)
            detector.write(3, 12)
            results += await get(consumer, "reduce.xray_centering", 9)
            assert sorted(images(results)) == list(range(1, 13))
            for queue, count in (("ispyb_pia", 12), ("images", 1), ("archive", 1), ("end", 1)):
                assert len(await get(consumer, queue, count)) == count
        assert wire.broke == [doubt]
        assert sum("recipes are answered when it is back" in sentence for sentence in house.said) == 1

    try:
        asyncio.run(story())
    finally:
        wire.close()


def test_a_process_that_ends_in_the_middle_is_followed_by_one_that_goes_on(
    tmp_path: Path, rabbitmq: PrivateRabbitMQ, consumer: Consumer
) -> None:
    house, detector = scripted(rabbitmq.url, tmp_path, "/data/next.nxs", 8)
    after, again = scripted(rabbitmq.url, tmp_path, "/data/next.nxs", 8)

    async def story() -> None:
        async with house:
            await send(consumer, gridscan("/data/next.nxs", (4, 2)))
            detector.write(0, 5)
            assert sorted(images(await get(consumer, "reduce.xray_centering", 5))) == [1, 2, 3, 4, 5]
        after.held = {"c0": type(house.held["c0"])("c0", house.held["c0"].ask)}
        async with after:
            again.write(0, 8)
            assert sorted(images(await get(consumer, "reduce.xray_centering", 3))) == [6, 7, 8]
            await get(consumer, "ispyb_pia", 8)
            (last,) = await get(consumer, "end", 1)
            assert last["payload"] == {"images-expected": 8, "images-seen": 8, "success": True}
            for queue in ("images", "archive"):
                await get(consumer, queue, 1)

    asyncio.run(story())


def test_images_that_never_came_are_said(tmp_path: Path, rabbitmq: PrivateRabbitMQ, consumer: Consumer) -> None:
    house, detector = scripted(rabbitmq.url, tmp_path, "/data/gap.nxs", 4)
    house.timeouts = TimeOuts(100.0, 2.0)
    message = gridscan("/data/gap.nxs", (2, 2))
    message["recipe"]["1"]["output"] = {"select-2": 4, "last": 5, "timeout": 6, "finally": 7}

    async def story() -> None:
        async with house:
            await send(consumer, message)
            detector.write(0, 1)
            detector.write(3, 4)
            (late,) = await get(consumer, "archive", 1)
            assert late["payload"] == {"file": "/data/gap.nxs", "hdf5-index": 1, "success": False}
            (last,) = await get(consumer, "end", 1)
            assert last["payload"] == {"images-expected": 4, "images-seen": 2, "success": False}
            assert images(await get(consumer, "ispyb_pia", 2)) == [1, 4]
            assert images(await get(consumer, "images", 1)) == [4]

    asyncio.run(story())


def test_a_message_that_the_old_filewatcher_had_begun_is_gone_on_with(
    tmp_path: Path, rabbitmq: PrivateRabbitMQ, consumer: Consumer
) -> None:
    house, detector = scripted(rabbitmq.url, tmp_path, "/data/begun.nxs", 5)
    status = {"filewatcher-status": {"seen-images": 3, "start-time": 1.0, "image-count": None}}

    async def story() -> None:
        async with house:
            await send(consumer, {**gridscan("/data/begun.nxs", (5, 1)), "payload": status})
            detector.write(0, 5)
            assert images(await get(consumer, "reduce.xray_centering", 2)) == [4, 5]
            await get(consumer, "ispyb_pia", 2)
            (last,) = await get(consumer, "end", 1)
            assert last["payload"] == {"images-expected": 5, "images-seen": 5, "success": True}
            await get(consumer, "archive", 1)

    asyncio.run(story())


def test_what_cannot_be_understood_is_rejected_in_words(
    tmp_path: Path, rabbitmq: PrivateRabbitMQ, consumer: Consumer
) -> None:
    house, detector = scripted(rabbitmq.url, tmp_path, "/data/good.nxs", 1)
    house.refuse = {
        "/data/outside.nxs": Refused("/data/outside.nxs is outside the folders that this server may read"),
        "/data/good.nxs": Full("all places are taken"),
    }

    async def story() -> None:
        async with house:
            await send(consumer, {"recipe": {}})
            await send(consumer, [1, 2], recipe=False)
            await send(consumer, {"parameters": {"filename": "x"}}, headers=False)
            await send(consumer, gridscan("/data/outside.nxs", (1, 1)))
            await send(consumer, gridscan("/data/good.nxs", (1, 1)))
            detector.write(0, 1)
            for queue in ("reduce.xray_centering", "ispyb_pia", "images", "archive", "end"):
                await get(consumer, queue, 1)
        assert [sentence.partition(": ")[2][:30] for sentence in house.said] == [
            "this is no message of a recipe",
            "it is no JSON object",
            "filename is 'x', and there is ",
            "/data/outside.nxs is outside t",
            "all places are taken",
        ]

    asyncio.run(story())


def test_a_queue_or_a_topic_that_is_not_there_costs_its_messages_only(
    tmp_path: Path, rabbitmq: PrivateRabbitMQ, consumer: Consumer
) -> None:
    house, detector = scripted(rabbitmq.url, tmp_path, "/data/lost.nxs", 3)
    message = gridscan("/data/lost.nxs", (3, 1))
    message["recipe"]["5"] = {"topic": "no.topic"}
    message["recipe"]["4"]["queue"] = "no.queue"

    async def story() -> None:
        async with house:
            await send(consumer, message)
            detector.write(0, 3)
            assert images(await get(consumer, "reduce.xray_centering", 3)) == [1, 2, 3]
            for queue in ("archive", "end"):
                await get(consumer, queue, 1)
        assert [sentence.partition(" on ")[0] for sentence in house.said] == [
            "there is no exchange no.topic", "there is no queue no.queue",
        ]  # fmt: skip

    asyncio.run(story())


# ---- rights, and what is looked at before


def test_a_user_with_the_least_rights_is_enough(tmp_path: Path, rabbitmq: PrivateRabbitMQ, consumer: Consumer) -> None:
    """Those that the how-to page lists."""
    rights = re.findall(r"set_permissions \S+ '(.+)' '(.+)' '(.+)'", HOW_TO.read_text())
    assert len(rights) == 1
    url = rabbitmq.add_user("least", "secret", *rights[0])
    house, detector = scripted(url, tmp_path, "/data/least.nxs", 2)

    async def story() -> None:
        async with house:
            await send(consumer, gridscan("/data/least.nxs", (2, 1)))
            detector.write(0, 2)
            for queue, count in (
                ("reduce.xray_centering", 2),
                ("ispyb_pia", 2),
                ("images", 1),
                ("archive", 1),
                ("end", 1),
            ):
                assert len(await get(consumer, queue, count)) == count
        assert house.said == []

    asyncio.run(story())
    found = list(examine(Broker.find(url), "filewatcher"))
    assert [one.ok for one in found] == [True, True, True]
    consumer.send("images", {})
    assert "1 messages wait" in list(examine(Broker.find(url), "filewatcher", ["images"]))[2].words
    assert consumer.get("images", 1)


def test_what_is_wrong_with_a_broker_is_said_with_the_way_out(rabbitmq: PrivateRabbitMQ, consumer: Consumer) -> None:
    assert consumer.left("filewatcher") == 0
    none = rabbitmq.add_user("none", "secret", "^$", "^$", "^$")
    found = list(examine(Broker.find(none), "filewatcher"))
    assert [one.ok for one in found] == [True, False, False]
    assert "cannot listen to queue filewatcher: ACCESS_REFUSED" in found[1].words
    assert "give the user the rights to configure, write and read" in found[2].words
    (absent,) = [one for one in examine(Broker.find(rabbitmq.url), "no.such.queue") if not one.ok]
    assert absent.words.endswith("; declare it")
    for url in (none.replace("secret", "guess"), "amqp://guest:secret@127.0.0.1:9/x"):
        (wrong,) = examine(Broker.find(url), "filewatcher")
        assert "does not answer: " in wrong.words
        assert "secret" not in wrong.words


# ---- where the broker is


def test_a_broker_is_named_by_a_url() -> None:
    broker = Broker.find("amqp://me:secret@rabbit.site:5673/zocalo")
    assert (broker.hosts, broker.ports, broker.user, broker.vhost) == (("rabbit.site",), (5673,), "me", "zocalo")
    assert "secret" not in f"{broker} {broker!r}"


def test_a_broker_is_found_in_the_configuration_of_zocalo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zocalo.yaml").write_text(
        "version: 1\nrabbit:\n  plugin: pika\n  host: a,b\n  port: 5672\n  username: me\n  password: secret\n"
        "  vhost: zocalo\nenvironments:\n  live:\n    plugins: [rabbit]\n"
    )
    monkeypatch.setenv("ZOCALO_CONFIG", str(tmp_path / "zocalo.yaml"))
    monkeypatch.delenv("ZOCALO_DEFAULT_ENV", raising=False)
    monkeypatch.setattr("workflows.transport.pika_transport.PikaTransport.defaults", {})
    assert Broker.find("live") == Broker(("a", "b"), (5672, 5672), "me", "secret", "zocalo")
    with pytest.raises(Refused, match="'test' is not defined"):
        Broker.find("test")
    with pytest.raises(Refused, match="has no default environment; it has live: name one"):
        Broker.find(None)
    monkeypatch.setenv("ZOCALO_DEFAULT_ENV", "live")
    assert Broker.find(None).user == "me"
    (tmp_path / "broken.yaml").write_text("version: 1\nrabbit: [")
    monkeypatch.setenv("ZOCALO_CONFIG", str(tmp_path / "broken.yaml"))
    with pytest.raises(Refused, match="cannot be used"):
        Broker.find("live")


@pytest.mark.parametrize("words", ["amqps://me:secret@there", "amqp://me:secret@there:none/x"])
def test_a_url_that_cannot_be_used_is_refused_without_its_password(words: str) -> None:
    with pytest.raises(Refused) as refused:
        Broker.find(words)
    assert "secret" not in str(refused.value)
