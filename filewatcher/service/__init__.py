"""Many collections in one process: asked for, queued, watched, remembered over a restart.

It knows no network, no file and no database, only Protocols, as `filewatcher.daemon` does for one collection.
"""

from filewatcher.service.entry import Entry, Scan
from filewatcher.service.ports import Ended, Kept, Registry, Terms, Work, Works
from filewatcher.service.service import Service

__all__ = ["Ended", "Entry", "Kept", "Registry", "Scan", "Service", "Terms", "Work", "Works"]
