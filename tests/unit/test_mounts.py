"""What is known of a file system by its name and options."""

from __future__ import annotations

from pathlib import Path

import pytest

from filewatcher.mounts import FileSystem, file_system


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "tmpfs", "overlay", "btrfs", "zfs", "gpfs", "lustre", "beegfs", "ceph"]
)
def test_coherent(kind: str) -> None:
    found = FileSystem(kind, "/data", frozenset({"rw", "actimeo=5"}))
    assert found.coherent
    assert found.attribute_timeout == 0.0


@pytest.mark.parametrize(
    ("kind", "options", "seconds"),
    [
        ("nfs4", {"rw"}, 3.0),
        ("nfs", {"acregmin=7", "acregmax=60"}, 7.0),
        ("nfs", {"actimeo=0"}, 0.0),
        ("nfs4", {"noac"}, 0.0),
        ("cifs", {"actimeo=2"}, 2.0),
        ("smb3", set(), 1.0),
        ("fuse.sshfs", set(), 1.0),
        ("never heard of", set(), 1.0),
    ],
)
def test_not_coherent(kind: str, options: set[str], seconds: float) -> None:
    found = FileSystem(kind, "/data", frozenset(options))
    assert not found.coherent
    assert found.attribute_timeout == seconds


@pytest.mark.parametrize(("kind", "shared"), [("ext4", False), ("nfs4", True), ("gpfs", True), ("virtiofs", False)])
def test_shared_by_machines(kind: str, shared: bool) -> None:
    assert FileSystem(kind, "/data").shared is shared


def test_a_path_that_is_not_there_is_where_its_nearest_parent_is() -> None:
    assert file_system("/proc/no/such/thing") == file_system("/proc")
    assert file_system(Path("/proc")).kind == "proc"
