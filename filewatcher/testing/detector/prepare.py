"""Before the first frame: nothing in the way, the master written, the images simulated."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import h5py

from filewatcher.errors import Refused
from filewatcher.testing.detector.layouts import STAMP, stamp, write_files
from filewatcher.testing.detector.plan import data_files, master_path, master_paths, meta_path
from filewatcher.testing.detector.pool import make_pool

if TYPE_CHECKING:
    from pathlib import Path

    from filewatcher.testing.detector.settings import Simulation


def prepare_master(sim: Simulation) -> None:
    """Write a new master; raises `Refused` if files of this name are there, unless they may be overwritten."""
    try:
        sim.directory.mkdir(parents=True, exist_ok=True)
        earlier = _earlier(sim)
    except OSError as error:
        raise Refused(f"{sim.directory}: cannot be written to ({error.strerror}); choose another directory") from error
    if earlier:
        _remove(sim, earlier)
    write_files(sim)


def prepare_run(sim: Simulation) -> None:
    """Have the pool, and a master of these settings without images: the one that is there, or a new one."""
    make_pool(sim)
    beside = set(_earlier(sim)) - {*master_paths(sim), meta_path(sim)} if sim.directory.is_dir() else set()
    if beside or not all(path.exists() for path in master_paths(sim)) or not _is_waiting(sim):
        prepare_master(sim)


def _earlier(sim: Simulation) -> list[Path]:
    """Return the files of a simulation of this name, of any layout."""
    name = re.compile(rf"{re.escape(sim.name)}((_second)?\.nxs|_master\.h5|_meta\.h5|(_data)?_\d+\.h5)")
    part = re.compile(rf"\.{re.escape(sim.name)}_data_\d+\.h5\.part")
    files = sim.directory.absolute().iterdir()
    return sorted(path for path in files if name.fullmatch(path.name) or part.fullmatch(path.name))


def _remove(sim: Simulation, earlier: list[Path]) -> None:
    """Remove an earlier simulation, if that is allowed and it is one."""
    if not sim.overwrite:
        raise Refused(f"{earlier[0]} is already there; choose another name or directory, or --overwrite it")
    masters = [path for path in earlier if path.name.endswith((".nxs", "_master.h5"))]
    if not masters or not all(_stamp_of(path) for path in masters):
        raise Refused(f"{earlier[0]}: was not made by a simulation and is left alone; choose another name")
    for path in earlier:
        path.unlink()


def _stamp_of(master: Path) -> str | None:
    """Return what the master of a simulation was written for; None = not the master of a simulation."""
    try:
        with h5py.File(master, "r", swmr=True, locking=False) as file:
            found = file.attrs.get(STAMP)
            return None if found is None else str(found)
    except OSError:
        return None


def _is_waiting(sim: Simulation) -> bool:
    """Tell whether the master that is there is of these settings and holds no image yet."""
    path = master_path(sim)
    if _stamp_of(path) != stamp(sim):
        return False
    if sim.layout != "single":
        return True
    with h5py.File(path, "r", swmr=True, locking=False) as file:
        return bool(file[data_files(sim)[0].dataset].id.get_num_chunks() == 0)
