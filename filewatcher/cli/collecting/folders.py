"""Where results go: never near the raw data, never over another run's."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING

from filewatcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RUN_FILE = "run.json"
"""Says whose results a folder holds."""


def refuse_raw(folder: Path, raw_files: Iterable[str], what: str, way_out: str) -> None:
    """Raise `Refused` if `folder` is, or is below, a folder that holds the master or its data files."""
    resolved = folder.resolve()
    for raw in sorted({Path(path).parent for path in raw_files}):
        for place in {raw.resolve(), raw}:
            if resolved == place or place in resolved.parents:
                raise Refused(f"{what} {folder} is in or below {raw}, which holds raw data: {way_out}")


def default_folder(master: Path, results: Path | None = None) -> Path:
    """Return where results go if nobody says: ``<master stem>-filewatcher`` in `results`, or in the current folder."""
    return (results or Path.cwd()) / f"{master.stem}-filewatcher"


def owner(folder: Path) -> str | None:
    """Return the key of the run whose results a folder holds; None = nobody's yet, or the folder is empty.

    Raises `Refused` for a folder with other things in it.
    """
    try:
        return str(json.loads((folder / RUN_FILE).read_text())["run"])
    except FileNotFoundError:
        if folder.is_dir() and any(folder.iterdir()):
            return ""
        return None
    except NotADirectoryError as error:
        raise Refused(f"output {folder} is a file: give a folder with --output") from error
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def choose(key: str, requested: Path | None, default: Path, *, earlier: str | None, force: bool) -> Path:
    """Return the output folder of run `key`: its `earlier` one, the one asked for, or a new numbered one."""
    if requested is not None:
        if owner(requested) in (None, key) or force:
            return requested
        raise Refused(
            f"output {requested} holds other things than results of this run, or cannot be read: give another folder, "
            "or --force to write there all the same"
        )
    if earlier is not None and owner(Path(earlier)) == key:
        return Path(earlier)
    numbered = (default.with_name(f"{default.name}-{n}") for n in itertools.count(2))
    return next(folder for folder in itertools.chain([default], numbered) if owner(folder) in (None, key))


def claim(folder: Path, key: str, about: Mapping[str, object]) -> None:
    """Make the folder and say whose it is. Raises `Refused` where that cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RUN_FILE).write_text(json.dumps({"run": key, **about}, indent=1) + "\n")
    except OSError as error:
        raise Refused(f"cannot write to output {folder}: {error.strerror}; give another --output") from error
