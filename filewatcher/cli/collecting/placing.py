"""Where a collection is: as the command line says, or as ISPyB says of ``--dcid``."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filewatcher.cli.collecting import interrupts
from filewatcher.errors import Interrupted, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from filewatcher.core.asks import Ask
    from filewatcher.core.gridinfo import GridInfo
    from filewatcher.core.lookedup import LookedUp
    from filewatcher.edges.ispyb import Credentials, Database, IspybResolver

HDF5 = (".nxs", ".h5", ".hdf5", ".nx5")
"""How masters are called."""
ISPYB = "ispyb:"
"""The word of ``--notify``; the credentials are those of the environment."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A collection that can be opened."""

    master: Path
    others: tuple[Path, ...]
    parameters: tuple[str, ...]
    dcid: str | None
    gridinfos: tuple[GridInfo, ...] = ()
    """One per master, or none at all."""


def place(
    master: Path | None, words: Sequence[str], dcid: str | None, patience: float, say: Callable[[str], None]
) -> Placed:
    """Return where the collection is; without a master, ISPyB is asked. Raises `Refused`, `Unreachable`, `NotReady`.

    `patience`: seconds that an id may take to appear there.
    """
    if master is not None and _is_parameter(str(master)) and not is_there(master):
        master, words = None, [str(master), *words]
    others, parameters = apart(words)
    if master is not None:
        return Placed(master.absolute(), others, parameters, dcid)
    if others and dcid is None:
        return Placed(others[0], others[1:], parameters, dcid)
    if dcid is None:
        raise Refused("neither a master nor a data collection id is given: name the master file, or --dcid N")
    if others:
        raise Refused(f"{others[0]} and --dcid {dcid}: give the first master too, or leave the masters to ISPyB")
    ask = looked_up(ids_of(dcid), patience, say)
    first, *rest = map(Path, ask.masters)
    return Placed(first, tuple(rest), parameters, ",".join(map(str, ask.dcids)), ask.gridinfos)


def apart(words: Sequence[str]) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Tell further masters from parameters: a master is named like one, or is a file.

    >>> apart(["d_max=40", "xtal_2.nxs", "mine.phil"])[1]
    ('d_max=40', 'mine.phil')
    """
    masters = {
        word for word in words if Path(word).suffix in HDF5 or (not _is_parameter(word) and is_there(Path(word)))
    }
    others = tuple(Path(word).absolute() for word in words if word in masters)
    return others, tuple(word for word in words if word not in masters)


def _is_parameter(word: str) -> bool:
    return Path(word).suffix not in HDF5 and ("=" in word or word.endswith(".phil"))


def is_there(path: Path) -> bool:
    """Whether a file is there, as far as we may look."""
    return os.path.exists(path)  # noqa: PTH110  it raises nothing where we may not


def refuse_no_file(master: Path) -> None:
    """Raise `Refused` for what is there and no file: of a folder nobody knows which is meant, a pipe never answers."""
    try:
        mode = master.stat().st_mode
    except OSError:
        return  # it may come, or we may not look
    if stat.S_ISDIR(mode):
        raise Refused(f"{master} is a folder: give the master file in it")
    if not stat.S_ISREG(mode):
        raise Refused(f"{master} is a device, a pipe or a socket: give the master file of a collection")


def ids_of(dcid: str) -> tuple[int, ...]:
    """Read the words of ``--dcid``; raises `Refused`.

    >>> ids_of("6153461,6153462")
    (6153461, 6153462)
    """
    words = dcid.split(",")
    if not all(word.strip().isdecimal() for word in words):
        raise Refused(f"--dcid {dcid}: data collection ids are whole numbers, as in 6153461")
    return tuple(int(word) for word in words)


def ispyb_credentials() -> Credentials:
    """Read the credentials that the environment names. Raises `Refused` where there are none, or no ISPyB extra."""
    from filewatcher.config import read_settings  # noqa: PLC0415  heavy: --help must not wait for it
    from filewatcher.edges.ispyb import needs_extra, read_credentials  # noqa: PLC0415

    needs_extra()
    path = read_settings().ispyb_credentials
    if path is None:
        raise Refused("ISPyB needs credentials: set ISPYB_CREDENTIALS to their file (docs/how-to/ispyb.rst)")
    return read_credentials(path)


def resolver_at(database: Database, say: Callable[[str], None], patience: float = 3600.0) -> IspybResolver:
    """Return who looks up data collection ids in a database; `patience`: seconds that an id may take to appear."""
    from filewatcher.edges.ispyb import IspybResolver, look  # noqa: PLC0415

    async def once(ids: tuple[int, ...]) -> LookedUp:
        return await asyncio.to_thread(look, database, ids)

    return IspybResolver(once, say, time.monotonic, patience)


def looked_up(dcids: tuple[int, ...], patience: float, say: Callable[[str], None]) -> Ask:
    """Ask ISPyB where these data collections are, and wait until it knows."""
    from filewatcher.core.asks import Ask  # noqa: PLC0415
    from filewatcher.edges.ispyb import Database  # noqa: PLC0415

    database = Database(ispyb_credentials())

    async def interruptible() -> None:
        task = asyncio.current_task()
        assert task is not None
        with interrupts.cancelling(task):
            asked = Ask(dcids=dcids, origin="command")
            found.append(await resolver_at(database, say, patience).resolve(asked))

    found: list[Ask] = []
    try:
        with interrupts.kept_from_children():
            asyncio.run(interruptible())
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise Interrupted("interrupted before ISPyB knew where the files are") from None
    finally:
        database.close()
    return found[0]
