"""Why the system cannot do something, as a person would say it: without numbers of errors and names of C functions."""

from __future__ import annotations

import errno
import os
import re

QUOTED = re.compile(r"\berrno = (\d+)")
"""How libhdf5 quotes the system in its own errors."""
WHY = {
    errno.EIO: "its disk or server does not give it",
    errno.ENOTCONN: "its server is gone",
    errno.ESTALE: "its server no longer knows it",
}
"""What errors mean that are more than a missing permission."""


def in_words(error: Exception) -> str:
    """Why something cannot be done, of an error of the system, or of libhdf5 about one of the system.

    >>> in_words(OSError(28, "No space left on device", "/data/grid_1.h5"))
    'No space left on device'
    >>> in_words(OSError("unable to lock file, errno = 11, error message = 'Resource temporarily unavailable'"))
    'Resource temporarily unavailable'
    """
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (told := QUOTED.search(str(error))):
        number = int(told[1])
    if not number:
        return str(error)
    return f"{WHY[number]} ({os.strerror(number)})" if number in WHY else os.strerror(number)
