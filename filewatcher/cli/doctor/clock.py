"""The clock of this machine."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

from filewatcher.cli.doctor.findings import note, ok

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filewatcher.cli.doctor.findings import Asked, Finding

UNSYNCHRONISED = 5
"""TIME_ERROR of sys/timex.h: what adjtimex answers when nobody sets the clock."""


class _Timex(ctypes.Structure):
    """The beginning of sys/timex.h's struct timex, with room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def check_clock(_: Asked) -> Iterator[Finding]:
    """Whether something keeps it right (man 2 adjtimex, which only asks when no mode is given)."""
    libc, about = ctypes.CDLL(None, use_errno=True), _Timex()
    state = libc.adjtimex(ctypes.byref(about))
    if state == -1:
        yield note("clock", f"nobody can tell whether it is right: {os.strerror(ctypes.get_errno())}")
    elif state == UNSYNCHRONISED:
        yield note("clock", "nothing keeps it right, so times in results and logs may be wrong: run chrony or ntpd")
    else:
        yield ok("clock", f"kept right to {about.maxerror / 1e6:.3g} s")
