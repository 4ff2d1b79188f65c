"""Figures of processes and of lists of numbers: what /proc says, percentiles, the machine in words."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

CLOCK_OF_PROCESS = 2
"""CPUCLOCK_SCHED of Linux's include/linux/posix-timers.h."""
PAGE = os.sysconf("SC_PAGE_SIZE")


def spread(values: ArrayLike, scale: float = 1.0) -> dict[str, float]:
    """Median, 99th percentile and maximum, each times `scale`; NaN for nothing."""
    numbers = np.asarray(values, float) * scale
    if not len(numbers):
        return {"p50": float("nan"), "p99": float("nan"), "max": float("nan")}
    p50, p99 = np.percentile(numbers, [50, 99])
    return {"p50": float(p50), "p99": float(p99), "max": float(numbers.max())}


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, seconds, with that of threads that have ended; NaN if it has gone.

    Its clock is told as by clock_getcpuclockid(3), which Python lacks for other processes: to the nanosecond, where
    proc(5) counts ticks of 10 ms, or forgets threads that have ended.
    """
    try:
        return time.clock_gettime(~pid << 3 | CLOCK_OF_PROCESS)
    except OSError:
        return float("nan")


def stolen_seconds() -> float:
    """Time of all cores of this machine that others on its host have taken so far, seconds (proc(5): steal)."""
    return int(Path("/proc/stat").read_text().split(maxsplit=9)[8]) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int | str = "self") -> float:
    """Resident memory, MiB; NaN if the process has gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 2**20
    except (FileNotFoundError, ProcessLookupError):
        return float("nan")


def descriptors() -> list[str]:
    """What this process has open: the targets of its descriptors, sorted, without the numbers of pipes and sockets."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(link.readlink()).partition(":[")[0])
        except FileNotFoundError:  # the one that lists the folder
            continue
    return sorted(found)


def reads_and_waits(pid: int) -> tuple[int, int]:
    """How often a process has called read and its kin, and how often its main thread has gone to sleep (proc(5))."""
    reads = _field(Path(f"/proc/{pid}/io"), "syscr:")
    return reads, _field(Path(f"/proc/{pid}/status"), "voluntary_ctxt_switches:")


def _field(path: Path, name: str) -> int:
    return next(int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith(name))


def machine(folder: Path) -> dict[str, Any]:
    """What it was measured on: no host name, no user."""
    import h5py  # noqa: PLC0415  not in the processes that only want the other functions

    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": models[0].partition(":")[2].strip() if models else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "file-system": file_system(folder),
        "python": platform.python_version(),
        "h5py": h5py.version.version,
        "hdf5": h5py.version.hdf5_version,
        "load-before": round(os.getloadavg()[0], 1),
        "commit": commit(),
    }


def commit() -> str:
    """Which filewatcher is measured: the commit of the imported one, with ``-dirty`` if files differ from it."""
    import filewatcher  # noqa: PLC0415  not in the processes that only want the other functions

    command = ["git", "describe", "--always", "--dirty", "--abbrev=9"]
    try:
        said = subprocess.run(
            command, cwd=Path(filewatcher.__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):  # no git, or installed
        return "unknown"
    return said.stdout.strip()


def file_system(folder: Path) -> str:
    """Type of the file system that a folder is on, from /proc/self/mountinfo (proc(5)): fields 5 and, after -, 1."""
    best, kind = "", "unknown"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        words = line.split()
        mount = words[4]
        inside = mount == "/" or f"{folder.resolve()}/".startswith(f"{mount}/")
        if inside and len(mount) >= len(best):
            best, kind = mount, words[words.index("-") + 1]
    return kind


def ratio(ours: Sequence[float], alone: Sequence[float]) -> dict[str, float]:
    """Ratio of paired figures, one pair per round: median, and the smallest and largest as its spread."""
    each = np.asarray(ours) / np.asarray(alone)
    return {"median": float(np.median(each)), "min": float(each.min()), "max": float(each.max())}


def target(case: str, what: str, value: float, limit: float, *, at_least: bool = False) -> dict[str, Any]:
    """A figure beside what was promised of it, and whether that is met; one that is not there is not."""
    met = value >= limit if at_least else value <= limit
    return {"case": case, "what": what, "value": round(value, 3), "limit": limit, "met": bool(met)}
