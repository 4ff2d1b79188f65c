"""A callback for a Bluesky RunEngine: a run's files are analysed while they are written.

It needs nothing but Python's own library, is told all documents, and neither holds up a plan nor ends it: what goes
wrong is logged. ::

    from filewatcher.edges.bluesky import FilewatcherCallback

    RE.subscribe(FilewatcherCallback("http://filewatcher.beamline:8765"))
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from filewatcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

log = logging.getLogger(__name__)

METADATA = "filewatcher"
"""Key of a start document with what is to be asked for beside the master: ``grid``, ``parameters``, ``visit``, ..."""
DCIDS = "ispyb_dcids"
"""Key of a start document with the data collection ids, as mx-bluesky's plans have it."""
SILENCE = 5.0
"""Seconds that the daemon may be silent."""
PATIENCE = 60.0
"""Seconds for which a daemon that does not answer is asked again."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
"""Seconds between two attempts; doubled from one to the next."""


@dataclass(slots=True)
class _Run:
    """What is known of an open run."""

    extra: Mapping[str, Any]
    dcids: tuple[int, ...]
    asked: dict[str, list[str]] = field(default_factory=dict)
    """Master, or nothing for the ids alone -> the id of its collection, once the daemon has answered."""


class FilewatcherCallback:
    """Asks a daemon for a collection as soon as a run says where its files are, and says when the run is over.

    `file_key`: data key of events whose value is the path (as Hyperion's ``eiger_odin_file_writer_id``); without it the
    documents ``resource`` and ``stream_resource`` say it. `master`: the path of the master that belongs to such a path,
    by default the path itself. Raises `Refused` for what is no URL of a daemon.
    """

    def __init__(
        self,
        url: str,
        *,
        file_key: str | None = None,
        master: Callable[[str], str] = str,
        token: str | None = None,
        patience: float = PATIENCE,
    ) -> None:
        if urlsplit(url).scheme not in {"http", "https"}:
            raise Refused(f"{url}: write the URL of the daemon, as http://host:8765")
        self._url, self._file_key, self._master = url.rstrip("/"), file_key, master
        self._patience = patience
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._runs: dict[str, _Run] = {}
        self._run_of: dict[str, str] = {}
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        threading.Thread(target=self._work_off, name="filewatcher callback", daemon=True).start()

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Take a document, as `RunEngine.subscribe` hands it out."""
        with _harmless():
            self._take(name, doc)

    def _take(self, name: str, doc: Mapping[str, Any]) -> None:
        match name:
            case "start":
                extra = doc.get(METADATA)
                dcids = tuple(int(dcid) for dcid in doc.get(DCIDS) or ())
                self._runs[doc["uid"]] = _Run(dict(extra) if isinstance(extra, dict) else {}, dcids)
            case "descriptor":
                self._run_of[doc["uid"]] = doc["run_start"]
            case "event" if self._file_key is not None and self._file_key in doc["data"]:
                self._found(self._run_of.get(doc["descriptor"], ""), str(doc["data"][self._file_key]))
            case "resource" if self._file_key is None:
                path = PurePosixPath(doc.get("root") or "/") / str(doc["resource_path"])
                self._found(str(doc.get("run_start", "")), str(path))
            case "stream_resource" if self._file_key is None:
                self._found(str(doc.get("run_start", "")), unquote(urlsplit(doc["uri"]).path))
            case "stop":
                self._over(doc["run_start"])

    def flush(self, seconds: float = PATIENCE) -> bool:
        """Wait until all that was asked has been answered, or given up; whether that was in time."""
        done = threading.Event()
        self._work.put(done.set)
        return done.wait(seconds)

    # ---- in the thread of the RunEngine

    def _found(self, uid: str, path: str) -> None:
        run = self._runs.get(uid)
        if run is None:
            return
        master = self._master(path)
        # what is no path is the detector's own name for its files: the ids say where they are
        where = {"masters": [master]} if master.startswith("/") else {}
        key = "".join(where.get("masters", ()))
        if key in run.asked:
            return
        if not where and not run.dcids:
            log.warning("%s is no absolute path, and the run has no %s: it is not analysed", master, DCIDS)
            return
        asked = run.asked[key] = []
        ids = {"dcids": list(run.dcids)} if run.dcids and (not where or len(run.dcids) == 1) else {}
        self._work.put(lambda: self._ask({**run.extra, **where, **ids}, asked))

    def _over(self, uid: str) -> None:
        run = self._runs.pop(uid, None)
        self._run_of = {descriptor: of for descriptor, of in self._run_of.items() if of != uid}
        for asked in () if run is None else run.asked.values():
            self._work.put(partial(self._end, asked))

    # ---- in a thread of our own

    def _work_off(self) -> None:
        while True:
            work = self._work.get()
            with _harmless():
                work()

    def _ask(self, body: Mapping[str, Any], asked: list[str]) -> None:
        answer = self._post("/api/collections", body)
        if answer is not None:
            asked.append(str(answer["id"]))

    def _end(self, asked: list[str]) -> None:
        for collection in asked:
            self._post(f"/api/collections/{collection}/end", {})

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the daemon's answer; None, and a line in the log, if there is none that helps."""
        request = urllib.request.Request(  # noqa: S310  checked above
            self._url + path, json.dumps(body).encode(), self._headers, method="POST"
        )
        pause, end = FIRST_PAUSE, time.monotonic() + self._patience
        while True:
            try:
                with urllib.request.urlopen(request, timeout=SILENCE) as answer:  # noqa: S310
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                with error:
                    said = error.read(10_000).decode(errors="replace")
                final, why = error.code < 500, f"{error.code}: {_detail(said)}"
            except (OSError, ValueError) as error:
                final, why = False, str(getattr(error, "reason", error))
            if final or time.monotonic() + pause > end:
                log.warning("filewatcher at %s%s: %s", self._url, path, why)
                return None
            time.sleep(pause)  # a daemon that is down says nothing that could be waited for
            pause = min(2 * pause, LONGEST_PAUSE)


@contextmanager
def _harmless() -> Iterator[None]:
    """The boundary to a plan: whatever is wrong with a document, neither the plan ends by it nor our thread."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  see above
        log.warning("a run is not analysed: its documents cannot be used (%s: %s)", type(error).__name__, error)


def _detail(said: str) -> str:
    """The sentence of an answer that says what was wrong."""
    try:
        problem = json.loads(said)
    except ValueError:
        return said[:200]
    return str(problem.get("detail") or problem.get("title") or said[:200]) if isinstance(problem, dict) else said[:200]
