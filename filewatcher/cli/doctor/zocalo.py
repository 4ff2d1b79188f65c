"""zocalo's broker: whether it answers, has the queue that a daemon listens to, and lets us answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filewatcher.cli.doctor.findings import ok, unreachable, wrong
from filewatcher.cli.serving.recipes import broker_of, broker_words, needs_extra
from filewatcher.errors import FilewatcherError
from filewatcher.serveconfig import Zocalo, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filewatcher.cli.doctor.findings import Asked, Finding

SUBJECT = "zocalo"
QUEUE = "filewatcher"
"""That of production, where only the environment names a broker."""
PAGE = "docs/how-to/zocalo.rst lists the rights"


def check_zocalo(_: Asked) -> Iterator[Finding]:
    """What the daemon's configuration, or else the environment, says of a broker; nothing where neither does."""
    try:
        section = load(None).zocalo or (None if broker_words() is None else Zocalo(queue=QUEUE))
        if section is None:
            return
        needs_extra()
        from filewatcher.edges.zocalo import examine  # noqa: PLC0415  an extra

        found = list(examine(broker_of(section), section.queue))
    except FilewatcherError as problem:
        yield wrong(SUBJECT, str(problem))
        return
    if len(found) == 1:  # nobody could look any further
        yield unreachable(SUBJECT, found[0].words)
        return
    for one in found:
        yield ok(SUBJECT, one.words) if one.ok else wrong(SUBJECT, f"{one.words}; {PAGE}")
