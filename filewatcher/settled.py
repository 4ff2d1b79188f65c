"""What a process has once it is ready for frames, kept from the garbage collector."""

from __future__ import annotations

import gc


def settle() -> None:
    """Call all that is there now permanent: modules, classes, what libraries keep.

    Python's collector else walks through all of it every few seconds while frames come: 60 to 90 ms, in which neither
    loop nor scheduler does anything. Garbage that is made later is collected as ever.
    """
    gc.collect()
    gc.freeze()
