"""Libraries that are loaded before libc (LD_PRELOAD), and let a real process meet what is rare: compiled by `cc`."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CLOCK = r"""
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

READS = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SEGFAULT, MEMORY, HANG, FREEZE, FREEZE_ONCE };
static const struct { off64_t offset; int what; } faults[] = { FAULTS };

static void misbehave(int what)
{
    switch (what) {
    case SEGFAULT:
        raise(SIGSEGV);
        break;
    case MEMORY:
        for (int i = 0; i < 32; i++) memset(malloc(64 << 20), 1, 64 << 20);
        pause();
        break;
    case HANG:
        for (;;) pause();
    case FREEZE_ONCE:
        if (open(MARK, O_CREAT | O_EXCL | O_WRONLY, 0600) < 0) return;
        /* fall through */
    case FREEZE:
        raise(SIGSTOP);
    }
}

ssize_t preadv64v2(int file, const struct iovec *to, int count, off64_t offset, int flags)
{
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        if (faults[i].offset == offset) misbehave(faults[i].what);
    return syscall(SYS_preadv2, file, to, count, offset, 0, flags);
}
"""


def shifted_clock(folder: Path, seconds: int) -> Path:
    """Return a library with which a process lives so many seconds ahead of us."""
    return _compiled(folder / f"clock{seconds}.so", CLOCK, f"-DSHIFT={seconds}")


def faulty_reads(folder: Path, faults: Mapping[int, str]) -> Path:
    """Return a library with which a process fails when it reads at an offset of any file, in bytes.

    `faults`: offset -> ``segfault``, ``memory`` (takes 2 GiB and waits), ``hang``, ``freeze`` (SIGSTOP) or
    ``freeze_once`` (the first process that comes there, and no other).
    """
    given = ", ".join(f"{{{offset}, {what.upper()}}}" for offset, what in faults.items())
    return _compiled(folder / "reads.so", READS, f"-DFAULTS={given}", f'-DMARK="{folder / "frozen"}"')


def _compiled(library: Path, source: str, *definitions: str) -> Path:
    command: list[str | Path] = ["cc", "-shared", "-fPIC", "-x", "c", *definitions, "-o", library, "-"]
    subprocess.run(command, input=source, text=True, check=True)
    return library
