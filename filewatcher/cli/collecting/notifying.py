"""``--notify``: tells others over the network what happens while a collection runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from filewatcher.cli.collecting.placing import ISPYB, ids_of
from filewatcher.core.answers import answer_line
from filewatcher.core.lines import frame_line
from filewatcher.edges.notify import GdaLines, HttpLines
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from filewatcher.cli.collecting.wishes import Wishes
    from filewatcher.core.answers import Answer
    from filewatcher.core.lines import Json
    from filewatcher.core.messages import Outcome
    from filewatcher.core.observations import Described
    from filewatcher.core.run import Run
    from filewatcher.ports import Progress


class Notifier:
    """All that are named by ``--notify``. Raises `Refused` for words that name nobody."""

    def __init__(self, wishes: Wishes, engine: str) -> None:
        self._engine = engine
        dcids = _ids(wishes)
        check_urls(wishes.notify)
        self._gda = [GdaLines(*_host_and_port(url), dcids) for url in wishes.notify if url.startswith("udp:")]
        # last: they have threads, which nobody would end if a word were refused
        self._http = [HttpLines(url) for url in wishes.notify if not url.startswith(("udp:", ISPYB))]

    def described(self, described: Sequence[Described], run: Run, recorded: int) -> None:
        """Nothing: there is a line when a frame has ended."""

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Frames have ended."""
        for gda in self._gda:
            gda.outcomes(outcomes)
        if self._http:
            self._say(frame_line(outcome, self._engine) for outcome in outcomes)

    def centred(self, answer: Answer) -> None:
        """Where the crystal is."""
        self._say([answer_line(answer)])

    def trouble(self, sentence: str) -> None:
        """Nothing: the lines of its frames will say it, if it stays."""

    def progress(self, progress: Progress) -> None:
        """Nothing."""

    def summaries(self, lines: Iterable[Mapping[str, Json]]) -> None:
        """The last lines."""
        self._say(lines)

    async def close(self, say: Callable[[str], None]) -> None:
        """Wait a little for what is still to be delivered, and say what was not."""
        closing = [asyncio.to_thread(http.close) for http in self._http]
        lost = [gda.close() for gda in self._gda] + await asyncio.gather(*closing)
        for sentence in filter(None, lost):
            say(f"warning: {sentence}")

    def _say(self, lines: Iterable[Mapping[str, Json]]) -> None:
        for line in lines:
            for http in self._http:
                http.say(line)


def check_urls(urls: Iterable[str]) -> None:
    """Raise `Refused` for one that names nobody."""
    for url in urls:
        if url.startswith("udp:"):
            _host_and_port(url)
        elif not url.startswith(ISPYB):
            HttpLines.check(url)


def _ids(wishes: Wishes) -> tuple[int, ...]:
    scans = len(wishes.masters)
    ids = ids_of(wishes.dcid) if wishes.dcid is not None else ()
    by_id = [url for url in wishes.notify if url.startswith(("udp:", ISPYB))]
    if by_id and len(ids) != scans:
        raise Refused(
            f"--notify {by_id[0]} needs --dcid with {scans} data collection id{'s' * (scans != 1)}, one per master, "
            f"not {len(ids)}"
        )
    return ids


def _host_and_port(url: str) -> tuple[str, int]:
    try:
        target = urlsplit(url)
        host, port = target.hostname, target.port
    except ValueError as error:
        raise Refused(f"--notify {url}: {error}; write udp://host:port") from error
    if not host or not port or target.path or target.query:
        raise Refused(f"--notify {url}: write udp://host:port")
    return host, port
