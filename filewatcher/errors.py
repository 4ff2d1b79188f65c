"""The tree of errors; every message is one sentence that names the file, the value and the way out.

::

    FilewatcherError          exit code 1   something that this program cannot do
    ├── NotReady              (never leaves the loop) transient: look again
    ├── Broken                exit code 1   permanent: it will not get better by looking again
    ├── Refused               exit code 2   usage or configuration: nothing was started
    │   ├── Forbidden                       a place that is not allowed
    │   ├── Unknown                         no such collection, scan or frame
    │   └── Full                            as many collections as are allowed: ask again later
    ├── Unreachable           exit code 4   a daemon, a cluster or its workers
    └── Interrupted           exit code 130 by a signal, or by a reader that went away; the same command resumes

Foreign errors are translated where they come in (``raise ... from``).
"""


class FilewatcherError(Exception):
    """Anything that this program says to its user instead of a traceback."""

    exit_code = 1


class NotReady(FilewatcherError):
    """Not there yet, or not whole yet: look again."""


class Broken(FilewatcherError):
    """Wrong for good: end this frame, or this collection, and say so."""


class Refused(FilewatcherError):
    """A wrong command, parameter or configuration; nothing was started."""

    exit_code = 2


class Forbidden(Refused):
    """A path outside the places that are allowed."""


class Unknown(Refused):
    """There is no such collection, scan or frame."""


class Full(Refused):
    """As many collections as are allowed are running and waiting."""


class Unreachable(FilewatcherError):
    """A daemon, a cluster or its workers did not answer."""

    exit_code = 4


class Interrupted(FilewatcherError):
    """Stopped from outside; the same command goes on where this one was."""

    exit_code = 130
