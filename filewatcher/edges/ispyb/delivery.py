"""One run on its way into the database: read the journal on, write what is new, and the end when all is written.

Each kind of thing (programs, image rows, files, centrings) goes by itself: what the role may not do is said once, and
the others go on. A database that does not answer stops nothing; what is not written stays in the journal.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from filewatcher.core.messages import FrameResult
from filewatcher.edges.ispyb.database import Denied
from filewatcher.edges.ispyb.deposit import put_centring, put_ending, put_images, put_pia, put_program
from filewatcher.edges.ispyb.rows import Ending, image_row
from filewatcher.errors import Broken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from filewatcher.core.messages import Recorded
    from filewatcher.edges.ispyb.cursor import Cursor
    from filewatcher.edges.ispyb.database import Database
    from filewatcher.edges.ispyb.rows import ImageRow

    T = TypeVar("T")

BATCH = 1000
"""Image rows of one transaction, at most."""
EVERYTHING = 1_000_000_000
PIA = "pia_n_spots_total.json"


class Feed(Protocol):
    """What has been recorded of a run, to be read on."""

    @property
    def identity(self) -> int:
        """Another one where sequences have begun anew."""

    def after(self, sequence: int, limit: int) -> Sequence[tuple[int, Recorded]]:
        """Return what was recorded after that, oldest first."""

    def close(self) -> None:
        """Let go."""


@dataclass(frozen=True, slots=True)
class Brief:
    """What is known of a run when it begins."""

    run: str
    """Its name."""
    folder: str
    """Of its journal."""
    dcids: tuple[int, ...]
    """One per scan."""
    command: str
    started: str
    """Local time, ISO 8601."""
    output: str
    """Folder of its results."""
    cells: tuple[int | None, ...] = ()
    """Of the grid of each scan that is too large for image rows; None = rows."""

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Brief:
        """Read what `dataclasses.asdict` and JSON made of it."""
        return cls(**{**kept, "dcids": tuple(kept["dcids"]), "cells": tuple(kept["cells"])})


class Delivery:
    """Delivers one run; `step` does a little of it. `say` is told what cannot be done."""

    def __init__(
        self, brief: Brief, database: Database, feed: Feed, cursor: Cursor, say: Callable[[str], None]
    ) -> None:
        self.brief = brief
        self._database, self._feed, self._cursor, self._say = database, feed, cursor, say
        self._programs: list[int | None] | None = None
        self._update = True
        self._off: set[str] = set()
        self.done = False

    def end(self, ending: Ending) -> None:
        """Note that the run has ended."""
        self._cursor.set_ending(ending.as_json())

    def step(self) -> bool:
        """Do a little; returns whether there may be more at once. Raises `Unreachable`, and `Refused` for a login."""
        if self._programs is None:
            self._programs = [self._program(dcid) for dcid in self.brief.dcids]
        if self._images():
            return True
        kept = self._cursor.ending
        if kept is not None and not self.done:
            self._finish(Ending.from_json(kept))
            # with what is left out: the same command again may find that the role may write it now
            self._cursor.set_done()
            self.done = True
        return False

    def left(self) -> tuple[int, bool]:
        """Return how many records have not been delivered, and whether an end is to be written."""
        return len(
            self._feed.after(self._cursor.sequence, EVERYTHING)
        ), self._cursor.ending is not None and not self.done

    def close(self) -> None:
        """Let go of journal and cursor."""
        self._feed.close()
        self._cursor.close()

    # ---- parts

    def _program(self, dcid: int) -> int | None:
        brief = self.brief
        return self._allowed(
            "programs", partial(put_program, self._database, dcid, brief.run, brief.command, brief.started)
        )

    def _images(self) -> bool:
        """Write a batch of image rows; returns whether there was one."""
        if "image rows" in self._off:
            return False
        news = self._feed.after(self._cursor.sequence, BATCH)
        if not news:
            return False
        assert self._programs is not None
        rows = []
        for _, recorded in news:
            outcome = recorded.outcome
            if isinstance(outcome, FrameResult) and self._cells(outcome.scan) is None:
                rows.append(image_row(outcome, self.brief.dcids[outcome.scan], self._programs[outcome.scan]))
        if rows and self._allowed("image rows", partial(self._put, rows)) is None:
            return False
        self._cursor.advance(news[-1][0])
        return True

    def _put(self, rows: Sequence[ImageRow]) -> bool:
        if self._update:
            try:
                put_images(self._database, rows, update=True)
            except Denied as denied:
                put_images(self._database, rows, update=False)
                self._update = False
                self._say(f"{denied}; image rows that are there already stay as they are")
        else:
            put_images(self._database, rows, update=False)
        return True

    def _finish(self, ending: Ending) -> None:
        brief = self.brief
        assert self._programs is not None
        for scan, (dcid, program) in enumerate(zip(brief.dcids, self._programs, strict=True)):
            if self._cells(scan) is not None:
                self._allowed("pia attachments", partial(self._pia, scan, dcid))
            if program is not None:
                self._allowed("ends of programs", partial(put_ending, self._database, program, ending.scans[scan]))
        for found in ending.centrings:
            self._allowed("centrings", partial(put_centring, self._database, brief.dcids[found.scan], found))

    def _pia(self, scan: int, dcid: int) -> None:
        """Write the number of spots of each image, null if unknown, as SynchWeb reads it, and name the file."""
        spots: list[int | None] = [None] * (self._cells(scan) or 0)
        sequence = 0
        while news := self._feed.after(sequence, BATCH):
            sequence = news[-1][0]
            for _, recorded in news:
                outcome = recorded.outcome
                if isinstance(outcome, FrameResult) and outcome.scan == scan and outcome.frame < len(spots):
                    spots[outcome.frame] = outcome.statistics.n_spots_total
        name = PIA if scan == 0 else PIA.replace(".json", f"_scan_{scan}.json")
        path = Path(self.brief.output) / name
        part = path.with_name(f".{name}.{os.getpid()}")
        try:
            part.write_text(json.dumps(spots))
            part.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink()
            raise Broken(f"{path} cannot be written: {error.strerror}") from error
        put_pia(self._database, dcid, str(path))

    def _cells(self, scan: int) -> int | None:
        return self.brief.cells[scan] if self.brief.cells else None

    def _allowed(self, what: str, do: Callable[[], T]) -> T | None:
        """Do something; if the role may not, say it once and leave it out from now on."""
        if what in self._off:
            return None
        try:
            return do()
        except (Denied, Broken) as problem:
            self._off.add(what)
            self._say(f"{problem}; {what} of data collections {_listed(self.brief.dcids)} are left out")
            return None


def _listed(dcids: Sequence[int]) -> str:
    return ", ".join(map(str, dcids))
