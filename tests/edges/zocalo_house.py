"""What tests of zocalo need around them: collections on real loops, and a consumer that knows only the documents."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import json
import socket
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

import spotfinding.detector
from filewatcher.core.asks import Ask, Asked
from filewatcher.core.collection import Collection
from filewatcher.core.messages import FrameReady, FrameResult, Statistics
from filewatcher.core.run import Order
from filewatcher.core.scanwatch import ScanWatch, TimeOuts
from filewatcher.core.selection import Selection
from filewatcher.daemon import CollectionLoop
from filewatcher.edges.journal import Journal, JournalReader
from filewatcher.edges.swmr import SwmrObserver
from filewatcher.edges.zocalo import Broker, Zocalo
from filewatcher.errors import FilewatcherError
from filewatcher.ports import Opened
from filewatcher.testing.fakes import InlinePool, Recording
from spotfinding.analysis import Analysis
from spotfinding.chunks import Chunk, Layout
from spotfinding.engines import resolve
from spotfinding.parameters import Parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from filewatcher.core.messages import Outcome
    from filewatcher.core.observations import Described
    from filewatcher.core.run import Finished, Job, Run
    from filewatcher.ports import Observer
    from filewatcher.testing.rabbitmq import PrivateRabbitMQ

PATIENCE = 60.0
"""Seconds that a test waits for what must come."""


class NativePool(InlinePool):
    """The real analysis, in this process."""

    def __init__(self) -> None:
        super().__init__(self._found)
        self._analysis: Analysis

    async def arm(self, job: Job) -> None:
        await super().arm(job)
        detector = spotfinding.detector.Detector(**asdict(job.detector))
        self._analysis = Analysis(detector, Parameters.from_json(job.parameters), job.engine)

    def _found(self, frame: FrameReady, attempts: int) -> FrameResult:
        layout = Layout(frame.layout.shape, frame.layout.dtype, tuple((f.id, f.options) for f in frame.layout.filters))
        chunk = Chunk(frame.path, frame.offset, frame.size, frame.filter_mask)
        numbers: tuple[Any, ...] = self._analysis(chunk, layout).numbers()
        return FrameResult(frame.scan, frame.frame, Statistics(*numbers), "native", attempts)


@dataclass
class Held:
    """A collection of the house."""

    id: str
    ask: Ask
    over: bool = False
    same_as: str | None = None
    key: str | None = None
    totals: tuple[int | None, ...] = ()
    finished: Finished | None = None
    task: asyncio.Task[None] | None = None


class Listener(Recording):
    """Tells the followers."""

    def __init__(self, house: House, held: Held) -> None:
        super().__init__()
        self._house, self._held = house, held

    def described(self, described: Sequence[Described], run: Run, recorded: int) -> None:
        super().described(described, run, recorded)
        self._held.totals = tuple(len(one.frame_map) for one in described)
        self._house.zocalo.described(self._held.id, described, run)

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        super().outcomes(outcomes)
        self._house.zocalo.outcomes(self._held.id, outcomes)


@dataclass
class House:
    """Asks are answered by a real loop each: real journals; observers that the test names, else real ones."""

    url: str
    """Of the broker."""
    state: Path
    queue: str
    pool: InlinePool = field(default_factory=NativePool)
    observers: dict[str, Observer] = field(default_factory=dict)
    timeouts: TimeOuts = field(default_factory=lambda: TimeOuts(100.0, 60.0))
    said: list[str] = field(default_factory=list)
    held: dict[str, Held] = field(default_factory=dict)
    refuse: dict[str, FilewatcherError] = field(default_factory=dict)
    """Master -> what the next ask for it raises."""

    def __post_init__(self) -> None:
        self.changed = asyncio.Event()
        self.zocalo = Zocalo(
            Broker.find(self.url), self.queue, self, self.journal, self.state, say=self.say
        )  # fmt: skip

    def say(self, sentence: str) -> None:
        self.said.append(sentence)

    async def __aenter__(self) -> Self:
        for held in self.held.values():
            if not held.over:
                self._begin(held)
        await self.zocalo.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [held.task for held in self.held.values() if held.task is not None]
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await self.zocalo.close()
        assert all(one is None or isinstance(one, asyncio.CancelledError) for one in ended), ended

    # ---- as the service

    async def ask(self, ask: Ask) -> Asked:
        if error := self.refuse.pop("".join(ask.masters), None):
            raise error
        for held in self.held.values():
            if held.ask.alike(ask):
                return Asked(held.id, new=False)
        held = self.held[f"c{len(self.held)}"] = Held(f"c{len(self.held)}", ask)
        self._begin(held)
        self.changed.set()
        return Asked(held.id, new=True)

    async def end(self, collection: str) -> None:
        self.say(f"end {collection}")

    def collections(self) -> list[Held]:
        return list(reversed(self.held.values()))

    def get(self, collection: str) -> Held:
        return self.held[collection]

    def summary(self, entry: Held) -> dict[str, object]:
        return {"scans": [{"expected": total} for total in entry.totals]}

    def journal(self, collection: str) -> JournalReader | None:
        key = self.held[collection].key
        return None if key is None else JournalReader(self.state / "runs" / key)

    def _begin(self, held: Held) -> None:
        held.task = asyncio.create_task(self._watch(held))

    async def _watch(self, held: Held) -> None:
        (master,) = held.ask.masters
        clock = asyncio.get_running_loop().time
        scans = Collection([ScanWatch(timeouts=self.timeouts, frames=held.ask.frames, now=clock())])
        observer = self.observers.get(master) or SwmrObserver(Path(master), wait=True, seen=scans.rows_seen)
        parameters = resolve("native", Parameters.parse(held.ask.parameters)).parameters.as_json()
        order = Order((master,), Selection(), parameters, "native")

        def opened(run: Run, described: Sequence[Described]) -> Opened:
            journal = Journal.open(self.state, run)
            held.key = journal.key
            return Opened(journal, (None,) * len(described))

        loop = CollectionLoop(order, scans, observer, self.pool, opened, Listener(self, held), clock)
        self.zocalo.began(held.id, held.ask)
        try:
            held.finished = await loop.run()
        except FilewatcherError as error:
            self.say(str(error))
        finally:
            await observer.close()
        held.over = True
        self.zocalo.ended(held.id, "done" if held.finished else "failed", held.finished)


# ---- the other side


COMMIT, COMMITTED = b"\x00\x5a\x00\x14\xce", b"\x00\x5a\x00\x15\xce"
"""AMQP's `tx.commit` and its answer, with the byte that ends a frame."""
LOCKED = b"RESOURCE_LOCKED"


class Doubt(enum.Enum):
    """What becomes of a commit whose connection breaks."""

    TAKEN = "the broker has done it"
    LOST = "the broker never hears of it"
    LATE = "the broker does it after the client has called again"


class Wire:
    """Between a broker and its clients; breaks the connection of a commit, once."""

    def __init__(self, port: int) -> None:
        self._to = ("127.0.0.1", port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._next: list[Doubt] = []
        self._broken: socket.socket | None = None
        """To the broker: what it answers there is swallowed."""
        self._answered, self._called_again = threading.Event(), threading.Event()
        self.broke: list[Doubt] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self._listening.getsockname()[1]}/%2F"

    def break_next_commit(self, doubt: Doubt) -> None:
        self._next.append(doubt)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        for one in (end for pair in self._pairs for end in pair):
            _hang_up(one)
        for thread in self._threads:
            thread.join()
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                pair = client, socket.create_connection(self._to)
                self._pairs.append(pair)
                for way in (self._forth, self._back):
                    thread = threading.Thread(target=way, args=pair)
                    self._threads.append(thread)
                    thread.start()

    def _forth(self, client: socket.socket, broker: socket.socket) -> None:
        before = b""
        with client, contextlib.suppress(OSError):
            while data := client.recv(65536):
                seen = before + data
                at = seen.find(COMMIT)
                if at >= 0 and self._next:
                    last = at + len(COMMIT) - 1 - len(before)  # without this byte it is no commit
                    broker.sendall(data[:last])
                    self._break(self._next.pop(), client, broker, data[last:])
                    break
                broker.sendall(data)
                before = seen[1 - len(COMMIT) :]
        _hang_up(broker)

    def _break(self, doubt: Doubt, client: socket.socket, broker: socket.socket, rest: bytes) -> None:
        self._broken = broker
        if doubt is Doubt.LATE:
            _hang_up(client)
            assert self._called_again.wait(PATIENCE)
        if doubt is not Doubt.LOST:
            broker.sendall(rest)
            assert self._answered.wait(PATIENCE)
        _hang_up(client)
        self.broke.append(doubt)

    def _back(self, client: socket.socket, broker: socket.socket) -> None:
        before = b""
        with broker, contextlib.suppress(OSError):
            while data := broker.recv(65536):
                seen = before + data
                if broker is self._broken:
                    if COMMITTED in seen:
                        self._answered.set()
                else:
                    client.sendall(data)
                    # by then it knows what it wanted to know, or that it has to wait
                    if self._broken is not None and (LOCKED in seen or COMMITTED in seen):
                        self._called_again.set()
                before = seen[1 - len(LOCKED) :]
        _hang_up(client)


def _hang_up(one: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it has gone
        one.shutdown(socket.SHUT_RDWR)


class Consumer:
    """Reads queues as production's services do, by the documents: `workflows` for the envelope, dlstbx for the rest."""

    def __init__(self, rabbit: PrivateRabbitMQ) -> None:
        self._rabbit = rabbit

    def send(self, queue: str, message: object, *, recipe: bool = True, headers: bool = True) -> None:
        """As `workflows` sends."""
        import pika  # noqa: PLC0415

        properties = pika.BasicProperties(headers={"workflows-recipe": recipe} if headers else None, delivery_mode=2)
        with self._rabbit.channel() as channel:
            channel.confirm_delivery()
            channel.basic_publish("", queue, json.dumps(message).encode(), properties, mandatory=True)

    def get(self, queue: str, count: int) -> list[dict[str, Any]]:
        """The next so many messages of a queue; fewer if they do not come."""
        found: list[dict[str, Any]] = []
        end = time.monotonic() + PATIENCE
        with self._rabbit.channel() as channel:
            for method, properties, body in channel.consume(queue, inactivity_timeout=0.5):
                if method is None and time.monotonic() < end:
                    continue
                if method is None:
                    break
                assert properties.headers["workflows-recipe"] is True
                assert properties.delivery_mode == 2
                channel.basic_ack(method.delivery_tag)
                found.append(json.loads(body))
                if len(found) >= count:
                    break
            channel.cancel()
        return found

    def left(self, queue: str) -> int:
        """How many messages are there."""
        with self._rabbit.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).method.message_count)


def centre_as_documented(messages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Production's X-ray centring, from its description alone: results are placed by file number, and counted."""
    step = messages[0]["recipe"][str(messages[0]["recipe-pointer"])]
    info = step["gridinfo"]
    columns, rows = int(info["steps_x"]), int(info["steps_y"])
    counts = np.full(columns * rows, -1)
    for message in messages:
        payload = message["payload"]
        assert isinstance(payload["file"], str)
        assert payload["file-seen-at"] >= 0
        counts[payload["file-number"] - 1] = payload["n_spots_total"]
    assert len(messages) == counts.size, "it stops to listen when it has had as many as there are cells"
    picture = counts.reshape(rows, columns).copy()  # the best image is one of the order of acquisition
    if int(info["snaked"]):
        picture[1::2] = picture[1::2, ::-1]
    kept = picture >= 0.5 * picture.max()
    best = max(_regions(kept), key=len)
    y, x = np.mean(best, axis=0) + 0.5
    return {"centre_x_box": float(x), "centre_y_box": float(y), "best_image": int(np.argmax(counts)) + 1}


def _regions(kept: np.ndarray[Any, np.dtype[np.bool_]]) -> list[list[tuple[int, int]]]:
    """Cells that touch, corners too."""
    todo = {(int(y), int(x)) for y, x in np.argwhere(kept)}
    found = []
    while todo:
        region, new = [], [todo.pop()]
        while new:
            y, x = new.pop()
            region.append((y, x))
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & todo
            todo -= near
            new += near
        found.append(region)
    return found
