"""Processes whose clock is wrong: a library that is loaded before libc, and shifts what it says about today."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = r"""
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *at)
{
    int answer = syscall(SYS_clock_gettime, clock, at);
    if (!answer && clock == CLOCK_REALTIME) at->tv_sec += (SHIFT);
    return answer;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone)
{
    int answer = syscall(SYS_gettimeofday, at, zone);
    if (!answer && at) at->tv_sec += (SHIFT);
    return answer;
}

time_t time(time_t *at)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""


def shifted_clock(folder: Path, seconds: int) -> Path:
    """Compile it; with its path as LD_PRELOAD, a process lives so many seconds ahead of us."""
    source, library = folder / f"clock{seconds}.c", folder / f"clock{seconds}.so"
    source.write_text(SOURCE)
    subprocess.run(["cc", "-shared", "-fPIC", f"-DSHIFT={seconds}", "-o", library, source], check=True)
    return library
