"""Where state, results and raw data are: can they be used, and on what file system they lie."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from filewatcher.cli.doctor.findings import note, ok, wrong
from filewatcher.config import read_settings
from filewatcher.edges.journal import Journal, refuse_shared
from filewatcher.errors import FilewatcherError, Refused
from filewatcher.mounts import file_system

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filewatcher.cli.doctor.findings import Asked, Finding

ROOM = 256 << 20
"""Bytes that a disk must have left: a journal of 100,000 frames takes 50 MiB, and there is more than one."""
MIB = 1 << 20


def check_state(_: Asked) -> Iterator[Finding]:
    """Journals: a local disk on which SQLite works; tried with one that is thrown away."""
    folder = read_settings().state_dir
    try:
        refuse_shared(folder)
        with tempfile.TemporaryDirectory(dir=nearest(folder), prefix=".filewatcher-doctor-") as trial:
            Journal(Path(trial)).close()
    except OSError as error:
        yield wrong("state", f"{folder}: cannot be written to ({error.strerror}): set FILEWATCHER_STATE_DIR")
    except FilewatcherError as error:
        yield wrong("state", str(error))
    else:
        yield _with_room("state", folder, "set FILEWATCHER_STATE_DIR to another disk")


def check_output(asked: Asked) -> Iterator[Finding]:
    """Results: any file system that can be written to."""
    try:
        with tempfile.NamedTemporaryFile(dir=nearest(asked.output), prefix=".filewatcher-doctor-") as trial:
            trial.write(bytes(4096))
            trial.flush()
            os.fsync(trial.fileno())
    except OSError as error:
        yield wrong("output", f"{asked.output}: cannot be written to ({error.strerror}): give another --output")
    except Refused as error:
        yield wrong("output", f"{error}: give another --output")
    else:
        yield _with_room("output", asked.output, "give an --output on another disk")


def check_data(asked: Asked) -> Iterator[Finding]:
    """Raw data: readable, and what their file system means for watching them."""
    for place in asked.data:
        try:
            if place.is_dir():
                os.scandir(place).close()
            else:
                with place.open("rb"):
                    pass
        except FileNotFoundError:
            yield wrong("data", f"{place}: is not there: check the name, or is that file system mounted here?")
            continue
        except OSError as error:
            yield wrong("data", f"{place}: cannot be read ({error.strerror}): check its permissions, or its mount")
            continue
        yield _where(place)


def _where(place: Path) -> Finding:
    held = file_system(place)
    if held.coherent:
        seen = "where every machine sees at once what is written" if held.shared else "a disk of this machine"
        return ok("data", f"{place}: on {held.kind}, {seen}")
    late = f"which may show old sizes for {held.attribute_timeout:g} s: frames are seen that much later"
    return note("data", f"{place}: on {held.kind}, {late}; mount it with noac or actimeo=1 to be faster")


def nearest(folder: Path) -> Path:
    """Return the folder itself, or the nearest of its parents that exists. Raises `Refused` if that is no folder."""
    here = folder.absolute()
    while not here.exists():
        here = here.parent
    if not here.is_dir():
        raise Refused(f"{here}: is a file, where a folder is needed")
    return here


def _with_room(subject: str, folder: Path, way_out: str) -> Finding:
    free = shutil.disk_usage(nearest(folder)).free
    if free < ROOM:
        left = f"{free // MIB} MiB left, {ROOM // MIB} MiB are needed"
        return wrong(subject, f"{folder}: {left}: make room, or {way_out}")
    there = "" if folder.exists() else ", will be made"
    return ok(subject, f"{folder}: on {file_system(folder).kind}, {free / 2**30:.1f} GiB left{there}")
