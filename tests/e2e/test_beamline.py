"""A beamline as in production: a message with an id alone, a broker, a database, and a detector that comes last."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from filewatcher.testing.daemon import PATIENCE, Daemon
from tests.edges.zocalo_house import Consumer, centre_as_documented

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from filewatcher.testing.rabbitmq import PrivateRabbitMQ
    from tests.e2e.conftest import Shell
    from tests.ispyb_database import IspybDatabase

pytestmark = pytest.mark.timeout(300)
QUEUES = ("filewatcher", "per_image_analysis", "reduce.xray_centering", "ispyb_pia", "told")
SIMULATION = ("--detector", "eiger2-1m", "--grid", "8x6", "--rate", 40, "--writers", 2, "--frames-per-file", 12)
FRAMES = 48
NUMBERS = (
    "n_spots_4A", "n_spots_no_ice", "n_spots_total", "total_intensity", "d_min_distl_method_1", "d_min_distl_method_2",
    "estimated_d_min", "noisiness_method_1", "noisiness_method_2",
)  # fmt: skip
FILE = ("file", "file-number", "file-seen-at")


@pytest.fixture
def consumer(rabbitmq: PrivateRabbitMQ) -> Iterator[Consumer]:
    """On queues with nothing in them, and nothing left there in the end that nobody expected."""
    rabbitmq.declare(QUEUES)
    yield Consumer(rabbitmq)
    with rabbitmq.channel() as channel:
        left = {queue: channel.queue_purge(queue).method.message_count for queue in QUEUES}
    assert not any(left.values()), left


@pytest.fixture
def daemon(
    tmp_path: Path, rabbitmq: PrivateRabbitMQ, ispyb_database: IspybDatabase, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Daemon]:
    monkeypatch.setenv("FILEWATCHER_ZOCALO_BROKER", rabbitmq.url)
    monkeypatch.setenv("ISPYB_CREDENTIALS", str(ispyb_database.credentials))
    configuration = tmp_path / "daemon.yaml"
    configuration.write_text("notify: ['ispyb:']\n")
    options = ("--config", str(configuration), "--root", str(tmp_path), "--zocalo", "filewatcher")
    one = Daemon(tmp_path / "daemon", options)
    yield one.start()
    if one.process is not None:
        assert one.stop() == 0
    assert one.faults() == []


def trigger(dcid: int, columns: int, rows: int) -> dict[str, Any]:
    """A grid scan's recipe, as a dispatcher makes it of a trigger that says which data collection, and nothing else."""
    info = {
        "steps_x": float(columns), "steps_y": float(rows), "dx_mm": 0.02, "dy_mm": 0.02, "snaked": "1",
        "orientation": "horizontal",
    }  # fmt: skip
    recipe = {
        "1": {
            "queue": "filewatcher",
            "parameters": {"ispyb_dcid": str(dcid), "event": "start", "timeout": 60, "timeout-first": 600},
            "output": {"every-20": 9, "any": 6, "every": [2, 5], "finally": 7, "last": 8, "first": 4},
        },
        "2": {"queue": "per_image_analysis", "output": {"result": [3, 10]}},
        "3": {"queue": "reduce.xray_centering", "gridinfo": info, "parameters": {"dcid": dcid}},
        **{str(step): {"queue": "told"} for step in range(4, 10)},
        "10": {"queue": "ispyb_pia", "parameters": {"dcid": dcid}},
        "start": [[1, []]],
    }  # fmt: skip
    message = {"recipe": recipe, "recipe-pointer": 1, "recipe-path": [], "payload": []}
    return {**message, "environment": {"ID": f"guid-{dcid}"}}


def until(true: Callable[[], object]) -> None:
    """Wait for something that nobody tells."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it did not come"
        threading.Event().wait(0.05)


def said(daemon: Daemon, words: str) -> int:
    """How many lines of its log have these words."""
    return sum(words in line.get("message", "") for line in list(daemon.log))


def said_in_order(messages: list[dict[str, Any]], names: dict[int, str]) -> list[tuple[int | None, str]]:
    """What a listener to all outputs hears: which image, on which output."""
    return [(message["payload"].get("file-number"), names[message["recipe-pointer"]]) for message in messages]


def check_heard(heard: list[dict[str, Any]], master: str) -> list[int | None]:
    """All outputs of the watcher, in production's order and words; returns the images as they came."""
    steps = {4: "first", 5: "every", 6: "any", 7: "finally", 8: "last", 9: "every-20"}
    order = said_in_order(heard, steps)
    seen = [image for image, output in order if output == "every"]
    assert sorted(image or 0 for image in seen) == list(range(1, FRAMES + 1)), "each image once"
    expected: list[tuple[int | None, str]] = []
    for image in seen:
        names = {"first": image == 1, "every": True, "last": image == FRAMES, "every-20": image in {1, 21, 41}}
        expected += [(image, name) for name, told in names.items() if told]
    assert order == [*expected, (None, "any"), (None, "finally")]
    for message in heard[:-2]:
        told, image = message["payload"], message["payload"]["file-number"]
        assert told.pop("file-seen-at") > 0
        scan_range = {"scan_range": f"{image},{image}"}
        assert told == {
            "hdf5": master, "hdf5-index": image - 1, "file": master, "file-number": image, "parameters": scan_range,
        }  # fmt: skip
    assert heard[-2]["payload"] == {"images-expected": FRAMES, "images-seen": FRAMES}
    assert heard[-1]["payload"] == {"images-expected": FRAMES, "images-seen": FRAMES, "success": True}
    return seen


def programs(ispyb: IspybDatabase, dcid: int) -> list[list[str]]:
    columns = "autoProcProgramId, processingStatus, processingMessage, processingPrograms"
    join = "AutoProcProgram join ProcessingJob using (processingJobId)"
    return ispyb.rows(f"select {columns} from {join} where dataCollectionId = {dcid}")


def ended_well(ispyb: IspybDatabase, dcid: int) -> bool:
    return [row[1] for row in programs(ispyb, dcid)] == ["1"]


def check_images(ispyb: IspybDatabase, dcid: int, results: list[dict[str, Any]]) -> None:
    """The rows of a data collection are what the messages say, image by image."""
    columns = "imageNumber, spotTotal, inResTotal, goodBraggCandidates, method1Res, method2Res, totalIntegratedSignal"
    where = f"where dataCollectionId = {dcid} order by imageNumber"
    rows = [[float(one) for one in row] for row in ispyb.rows(f"select {columns} from ImageQualityIndicators {where}")]
    payloads = sorted((one["payload"] for one in results), key=lambda one: one["file-number"])
    assert len(rows) == len(payloads)
    for row, told in zip(rows, payloads, strict=True):
        total, resolution = told["n_spots_total"], told["estimated_d_min"]
        numbers = [told["file-number"], total, total, told["n_spots_no_ice"], resolution, resolution]
        assert row == pytest.approx([*numbers, told["total_intensity"]], rel=1e-5), "single precision"


def check_files(ispyb: IspybDatabase, dcid: int, suffix: str = "") -> Path:
    """One program with its files, which are there; returns their folder."""
    ((program, _, message, name),) = programs(ispyb, dcid)
    assert message.endswith("analysed, 0 failed, 0 missing")
    assert name == "filewatcher"
    query = f"from AutoProcProgramAttachment where autoProcProgramId = {program} order by importanceRank desc"
    files = ispyb.rows(f"select fileType, fileName, filePath {query}")
    assert [file[:2] for file in files] == [
        ["Graph", f"heatmap{suffix}.png"],
        ["Result", "results.h5"],
        ["Result", f"Dials5AResults{suffix}.json"],
        ["Log", f"summary{suffix}.json"],
    ]
    assert all((Path(folder) / name).stat().st_size > 0 for _, name, folder in files)
    return Path(files[0][2])


def centrings(ispyb: IspybDatabase, group: int) -> list[list[str]]:
    """Kind, status and centre of each crystal of a group."""
    columns = "xrayCentringType, XrayCentring.status, centreOfMassX, centreOfMassY, coalesce(centreOfMassZ, 'flat')"
    join = "XrayCentring left join XrayCentringResult using (xrayCentringId)"
    order = "order by totalCount desc"
    return ispyb.rows(f"select {columns} from {join} where dataCollectionGroupId = {group} {order}")


def test_an_id_alone_that_comes_first_is_answered_to_the_end(
    daemon: Daemon, shell: Shell, consumer: Consumer, ispyb_database: IspybDatabase, tmp_path: Path
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    group = ispyb_database.group()
    coming = ispyb_database.collection(group, raw / "other.nxs") + 1
    for _ in range(2):
        consumer.send("filewatcher", trigger(coming, 8, 6))
    until(lambda: said(daemon, f"data collection {coming} is not in ISPyB yet"))
    until(lambda: said(daemon, "came again"))
    (one,) = daemon.listed()["collections"]
    assert (one["state"], one["dcids"], one["masters"], one["origin"]) == ("waiting", [coming], [], "zocalo")
    assert ispyb_database.collection(group, raw / "grid.nxs", FRAMES) == coming
    ispyb_database.grid(collection=coming, steps_x=8.0, steps_y="'6.0'", snaked="'1'")
    simulator = shell.start("simulate", raw, *SIMULATION)

    results, stored = consumer.get("reduce.xray_centering", FRAMES), consumer.get("ispyb_pia", FRAMES)
    assert shell.finish(simulator).code == 0
    heard = consumer.get("told", FRAMES + 1 + 1 + 3 + 2)
    seen = check_heard(heard, str(raw / "grid.nxs"))
    assert [one["payload"] for one in results] == [one["payload"] for one in stored]
    assert [image for image, _ in said_in_order(results, {3: "result"})] == seen
    assert all(list(one["payload"]) == [*NUMBERS, *FILE] for one in results), "names and their order"

    told = daemon.ended(one["id"])
    assert (told["state"], told["visit"], told["beamline"], told["warnings"]) == ("done", "mx23694-7", "i24", [])
    grid = told["scans"][0]["grid"]
    assert (grid["columns"], grid["rows"], grid["snaked"]) == (8, 6, True)
    lines = {line["file-number"]: line for line in daemon.lines(one["id"])}
    for payload in (message["payload"] for message in results):
        line = lines[payload["file-number"]]
        assert {name: line[name] for name in NUMBERS} == {name: payload[name] for name in NUMBERS}

    # once more when it is over, and once more after a restart
    until(lambda: ended_well(ispyb_database, coming))
    consumer.send("filewatcher", trigger(coming, 8, 6))
    until(lambda: said(daemon, "came again") == 2)
    assert daemon.stop() == 0
    daemon.start()
    consumer.send("filewatcher", trigger(coming, 8, 6))
    until(lambda: said(daemon, "came again") == 3)
    assert [known["id"] for known in daemon.listed()["collections"]] == [one["id"]]
    assert daemon.stop() == 0

    check_images(ispyb_database, coming, results)
    folder = check_files(ispyb_database, coming)
    theirs = centre_as_documented(results)
    ((kind, status, x, y, z),) = centrings(ispyb_database, group)
    assert (kind, status, z) == ("2d", "success", "flat")
    assert [float(x), float(y)] == pytest.approx([theirs["centre_x_box"], theirs["centre_y_box"]], rel=1e-6)
    gda = json.loads((folder / "Dials5AResults.json").read_text())
    assert {name: gda[name] for name in theirs} == pytest.approx(theirs)


def test_two_ids_of_one_arming_that_come_at_once_are_one_collection(
    daemon: Daemon, shell: Shell, consumer: Consumer, ispyb_database: IspybDatabase, tmp_path: Path
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    group = ispyb_database.group("Mesh3D")
    first = ispyb_database.collection(ispyb_database.group(), raw / "other.nxs") + 1
    second = first + 1
    rows = {first: 6, second: 5}
    for dcid, lines in rows.items():
        consumer.send("filewatcher", trigger(dcid, 8, lines))
    until(lambda: all(said(daemon, f"data collection {dcid} is not in ISPyB yet") for dcid in rows))
    assert len(daemon.listed()["collections"]) == 2
    assert ispyb_database.collection(group, raw / "grid.nxs", FRAMES) == first
    assert ispyb_database.collection(group, raw / "grid_second.nxs", 40) == second
    for dcid, lines in rows.items():
        ispyb_database.grid(collection=dcid, steps_x=8.0, steps_y=float(lines))
    simulator = shell.start("simulate", raw, *SIMULATION, "--second", "8x5")
    found = consumer.get("reduce.xray_centering", FRAMES + 40)
    assert len(consumer.get("ispyb_pia", FRAMES + 40)) == FRAMES + 40
    assert shell.finish(simulator).code == 0
    heard = consumer.get("told", (FRAMES + 1 + 1 + 3 + 2) + (40 + 1 + 1 + 2 + 2))
    last = [message["payload"] for message in heard if message["recipe-pointer"] == 7]
    assert sorted(one["images-seen"] for one in last) == [40, FRAMES]
    assert all(one["success"] for one in last)

    stays, goes = sorted(daemon.listed()["collections"], key=lambda one: one["same_as"] is not None)
    assert (goes["state"], goes["same_as"]) == ("cancelled", stays["id"])
    assert f"it is collection {stays['id']}" in goes["reason"]
    told = daemon.ended(stays["id"])
    assert (told["state"], told["dcids"]) == ("done", [first, second])
    until(lambda: ended_well(ispyb_database, first) and ended_well(ispyb_database, second))
    assert daemon.stop() == 0

    pictures = []
    for scan, (dcid, master) in enumerate(zip(rows, ("grid.nxs", "grid_second.nxs"), strict=True)):
        results = [one for one in found if one["recipe"]["3"]["parameters"]["dcid"] == dcid]
        assert {one["payload"]["file"] for one in results} == {str(raw / master)}
        assert sorted(one["payload"]["file-number"] for one in results) == list(range(1, 8 * rows[dcid] + 1))
        check_images(ispyb_database, dcid, results)
        check_files(ispyb_database, dcid, f"_scan_{scan}" if scan else "")
        pictures.append(picture(results, 8))
    crystals = centrings(ispyb_database, group)
    assert {(kind, status) for kind, status, *_ in crystals} == {("3d", "success")}
    assert [float(one) for one in crystals[0][2:]] == pytest.approx(centre_of_pair(*pictures), rel=1e-5)


def picture(results: list[dict[str, Any]], columns: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Spots, columns first, of a grid that runs to and fro."""
    counts = np.zeros(len(results))
    for one in results:
        counts[one["payload"]["file-number"] - 1] = one["payload"]["n_spots_total"]
    cells = counts.reshape(-1, columns)
    cells[1::2] = cells[1::2, ::-1]
    return cells.T


def centre_of_pair(
    one: np.ndarray[Any, np.dtype[np.float64]], other: np.ndarray[Any, np.dtype[np.float64]]
) -> list[float]:
    """Production's centring in three dimensions, from its description alone: of the crystal with most counts."""
    volume = one[:, :, None] * other[:, None, :]
    todo = {tuple(map(int, place)) for place in np.argwhere(volume >= 0.25 * volume.max())}
    near = [(x, y, z) for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1)]
    found: list[tuple[float, list[float]]] = []
    while todo:
        new = [todo.pop()]
        region = []
        while new:
            place = new.pop()
            region.append(place)
            touching = {tuple(a + b for a, b in zip(place, step, strict=True)) for step in near} & todo
            todo -= touching
            new += touching
        weights = np.array([volume[place] for place in region])
        centre = weights @ (np.array(region) + 0.5) / weights.sum()
        found.append((float(weights.sum()), centre.tolist()))
    return max(found)[1]
