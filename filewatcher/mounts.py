"""Which file system holds a path, and whether what one machine writes there is seen by another at once.

Reads ``/proc/self/mountinfo`` (man 5 proc) and nothing else; needs neither libhdf5 nor the core.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

LOCAL = ("bcachefs", "btrfs", "ext", "f2fs", "jfs", "overlay", "ramfs", "reiserfs", "rootfs", "tmpfs", "xfs", "zfs")
"""File systems of one machine, by the start of their names: its page cache is the truth."""
CLUSTER = ("beegfs", "ceph", "gfs2", "gpfs", "lustre", "ocfs2", "wekafs")
"""Shared by many machines, and kept coherent by locks: HDF5's SWMR was tested on GPFS and Lustre (areaDetector PR 147).

BeeGFS is so with its default (buffered) cache; HDF5's own manual asks for POSIX write ordering, which these keep."""

NETWORK = ("9p", "afs", "cifs", "fuse", "nfs", "smb")
"""Shared by many machines, each with a cache of its own that believes itself for a while."""

NFS_ATTRIBUTES = 3.0
"""Seconds for which NFS believes the size of a file that is changing: ``acregmin`` (man 5 nfs)."""
OTHER_ATTRIBUTES = 1.0
"""Seconds: ``actimeo`` of man 8 mount.cifs, ``attr_timeout`` of libfuse (man 8 mount.fuse), which mountinfo hides."""


@dataclass(frozen=True, slots=True)
class FileSystem:
    """What holds a path."""

    kind: str
    """As mountinfo names it: ``ext4``, ``nfs4``, ``fuse.sshfs``...; ``unknown`` where it names none."""
    mount: str
    """Where it is mounted."""
    options: frozenset[str] = frozenset()
    """Of the mount and of the file system."""

    @property
    def shared(self) -> bool:
        """Other machines may write there too; SQLite's write-ahead log does not work on these."""
        return self.kind.startswith(NETWORK + CLUSTER)

    @property
    def coherent(self) -> bool:
        """What is written by anyone is seen by everyone at once, also through a file that is already open.

        False too for those that we do not know: looking anew at each poll is right everywhere, only slower.
        """
        return self.kind.startswith(LOCAL + CLUSTER)

    @property
    def attribute_timeout(self) -> float:
        """Seconds for which an old size of a growing file may be believed here; 0 on coherent ones."""
        if self.coherent or "noac" in self.options:
            return 0.0
        for name in ("actimeo", "acregmin"):
            for option in self.options:
                if found := re.fullmatch(rf"{name}=(\d+)", option):
                    return float(found[1])
        return NFS_ATTRIBUTES if self.kind.startswith("nfs") else OTHER_ATTRIBUTES


def file_system(path: str | Path) -> FileSystem:
    """Return what holds a path, or the nearest of its parents that exists (an automounter mounts it now)."""
    place = Path(path).absolute()
    while not _exists(place):
        place = place.parent
    return _holding(os.path.realpath(place), Path("/proc/self/mountinfo").read_text(encoding="utf-8"))


def _exists(place: Path) -> bool:
    """Whether something is there; a mount that only gives errors is."""
    try:
        place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return place == place.parent
    except OSError:
        return True
    return True


def _holding(path: str, mountinfo: str) -> FileSystem:
    r"""Of the mounts whose place begins the path, the deepest; of several at one place, the last one covers the others.

    >>> found = _holding("/a b/c", "1 0 0:1 / / rw - ext4 /dev/a rw\n2 1 0:2 / /a\\040b ro - nfs4 s:/x rw,actimeo=5")
    >>> found.kind, found.mount, found.attribute_timeout
    ('nfs4', '/a b', 5.0)
    """
    best = FileSystem("unknown", "")
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 6 or not kind:
            continue
        mount = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[4])
        if (path == mount or path.startswith(mount.rstrip("/") + "/")) and len(mount) >= len(best.mount):
            best = FileSystem(kind[0], mount, frozenset([*fields[5].split(","), *kind[-1].split(",")]))
    return best
