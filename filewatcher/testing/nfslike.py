"""A folder served as by NFS, read only, whose server forgets files that are replaced and fails when it is told to.

A handle is a file's inode on the server, as with NFS: once another file has taken its name, who still holds the old one
is told ESTALE, and who opens the name anew gets the new file. Lines on stdin make a whole kind of call fail::

    read 5      every read gives EIO from now on ...
    read 0      ... and none any more
    lookup 116  nothing is found any more: ESTALE, as where a folder is no longer exported

Speaks the kernel's own protocol (Linux, include/uapi/linux/fuse.h, version 7.31) over ``/dev/fuse``; whom
``fusermount`` lets mount needs not be root. Run it as a process:
``python -m filewatcher.testing.nfslike FOLDER MOUNT``.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import stat
import struct
import subprocess
import sys
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = 1
"""Number of the served folder itself."""
MOST = 1 << 17
"""Bytes that a call may read."""
HEAD = struct.Struct("<IIQQIIIHH")
"""fuse_in_header: length, opcode, unique, node, uid, gid, pid, length of extensions, padding."""
ANSWER = struct.Struct("<IiQ")
"""fuse_out_header: length, error, unique."""
ATTRIBUTES = struct.Struct("<QQQQQQIIIIIIIIII")
"""fuse_attr."""
READ = struct.Struct("<QQI")
"""The beginning of fuse_read_in: handle, offset, size."""


class Call(IntEnum):
    """What the kernel asks (enum fuse_opcode)."""

    LOOKUP = 1
    FORGET = 2
    GETATTR = 3
    OPEN = 14
    READ = 15
    RELEASE = 18
    FLUSH = 25
    INIT = 26
    OPENDIR = 27
    READDIR = 28
    RELEASEDIR = 29
    INTERRUPT = 36
    DESTROY = 38
    BATCH_FORGET = 42


SILENT = {Call.FORGET, Call.INTERRUPT, Call.BATCH_FORGET}
"""Calls that nobody waits for."""


class Node(NamedTuple):
    """A file or folder that a client has looked up."""

    path: str
    device: int
    inode: int


class Server:
    """Answers one mount; `believed`: seconds for which clients may believe names and sizes."""

    def __init__(self, folder: str, believed: int = 1) -> None:
        status = os.lstat(folder)
        self._nodes = {ROOT: Node(folder, status.st_dev, status.st_ino)}
        self._numbers = {self._nodes[ROOT]: ROOT}
        self._open: dict[int, int] = {}
        self._listed: dict[int, bytes] = {}
        self._believed = believed
        self._failing: dict[int, int] = {}
        self._calls: dict[int, Callable[[int, bytes], bytes]] = {
            Call.INIT: self._init,
            Call.LOOKUP: self._lookup,
            Call.GETATTR: self._getattr,
            Call.OPEN: self._opened,
            Call.READ: self._read,
            Call.RELEASE: self._release,
            Call.OPENDIR: self._opendir,
            Call.READDIR: self._readdir,
            Call.RELEASEDIR: self._release,
            Call.FLUSH: lambda _node, _body: b"",
            Call.DESTROY: lambda _node, _body: b"",
        }

    def order(self, line: str) -> None:
        """Let a kind of call fail, or not any more."""
        name, number = line.split()
        self._failing[Call[name.upper()]] = int(number)

    def answer(self, request: bytes) -> bytes | None:
        """Return what is to be said to a request; None = nothing."""
        _, opcode, unique, node, *_ = HEAD.unpack_from(request)
        if opcode in SILENT:
            return None
        error, body = self._failing.get(opcode, 0), b""
        if not error:
            try:
                body = self._calls[opcode](node, request[HEAD.size :]) if opcode in self._calls else b""
                error = 0 if opcode in self._calls else errno.ENOSYS
            except OSError as failed:
                error = failed.errno or errno.EIO
        return ANSWER.pack(ANSWER.size + len(body), -error, unique) + body

    # ---- the calls

    def _init(self, _node: int, body: bytes) -> bytes:
        major, minor, ahead, _flags = struct.unpack_from("<IIII", body)
        return struct.pack("<IIIIHHIIHHI28x", major, min(minor, 31), ahead, 0, 12, 10, MOST, 1, 0, 0, 0)

    def _lookup(self, node: int, body: bytes) -> bytes:
        path = f"{self._path(node)}/{body.rstrip(bytes(1)).decode()}"
        status = os.lstat(path)
        found = Node(path, status.st_dev, status.st_ino)
        number = self._numbers.setdefault(found, len(self._nodes) + 1)
        self._nodes[number] = found
        return struct.pack("<QQQQII", number, 0, self._believed, self._believed, 0, 0) + _attributes(status)

    def _getattr(self, node: int, _body: bytes) -> bytes:
        return struct.pack("<QII", self._believed, 0, 0) + _attributes(os.lstat(self._path(node)))

    def _opened(self, node: int, _body: bytes) -> bytes:
        handle = os.open(self._path(node), os.O_RDONLY)
        self._open[handle] = node
        return struct.pack("<QII", handle, 0, 0)

    def _read(self, node: int, body: bytes) -> bytes:
        handle, offset, size = READ.unpack_from(body)
        self._path(node)  # an NFS server looks for the inode at every call
        return os.pread(handle, size, offset)

    def _release(self, _node: int, body: bytes) -> bytes:
        (handle,) = struct.unpack_from("<Q", body)
        if self._open.pop(handle, None) is not None:
            os.close(handle)
        self._listed.pop(handle, None)
        return b""

    def _opendir(self, node: int, _body: bytes) -> bytes:
        listing = b""
        for entry in os.scandir(self._path(node)):
            name = entry.name.encode()
            kind = stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode) >> 12
            one = struct.pack("<QQII", entry.inode(), len(listing) + (24 + len(name) + 7 & ~7), len(name), kind) + name
            listing += one.ljust(len(one) + 7 & ~7, b"\0")
        handle = (1 << 32) + len(self._listed)
        self._listed[handle] = listing
        return struct.pack("<QII", handle, 0, 0)

    def _readdir(self, _node: int, body: bytes) -> bytes:
        handle, offset, size = READ.unpack_from(body)
        listing, end = self._listed[handle], offset
        while end < len(listing):
            (length,) = struct.unpack_from("<16xI", listing, end)
            after = end + (24 + length + 7 & ~7)
            if after - offset > size:
                break
            end = after
        return listing[offset:end]

    def _path(self, number: int) -> str:
        """Where a file is that a client knows. Raises ESTALE if it is there no more."""
        node = self._nodes[number]
        try:
            status = os.lstat(node.path)
        except FileNotFoundError:
            status = None
        if status is None or (status.st_dev, status.st_ino) != (node.device, node.inode):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return node.path


def _attributes(status: os.stat_result) -> bytes:
    times = [(ns // 10**9, ns % 10**9) for ns in (status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns)]
    seconds, rest = zip(*times, strict=True)
    return ATTRIBUTES.pack(
        status.st_ino, status.st_size, status.st_blocks, *seconds, *rest, status.st_mode, status.st_nlink,
        status.st_uid, status.st_gid, 0, status.st_blksize, 0,
    )  # fmt: skip


def mount(place: str) -> int:
    """Mount by ``fusermount`` (man 1 fusermount), which hands over a descriptor of ``/dev/fuse``."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = ["fusermount", "-o", "ro,fsname=nfslike,subtype=nfslike", "--", place]
        environment = os.environ | {"_FUSE_COMMFD": str(theirs.fileno())}
        subprocess.run(command, check=True, env=environment, pass_fds=[theirs.fileno()])
        _, descriptors, *_ = socket.recv_fds(ours, 1, 1)
    return descriptors[0]


def main(folder: str, place: str) -> None:
    """Serve until the folder is unmounted or stdin ends."""
    server = Server(folder)
    device = mount(place)
    print("mounted", flush=True)  # noqa: T201
    waiting = select.poll()
    waiting.register(device, select.POLLIN)
    waiting.register(sys.stdin, select.POLLIN)
    while True:
        for ready, _ in waiting.poll():
            if ready == device:
                try:
                    answer = server.answer(os.read(device, MOST + (1 << 12)))
                    if answer is not None:
                        os.write(device, answer)
                except OSError as error:
                    if error.errno == errno.ENODEV:  # unmounted
                        return
                    if error.errno not in (errno.ENOENT, errno.EINTR):  # whoever asked has gone
                        raise
            elif line := sys.stdin.readline():
                server.order(line)
                print("done", flush=True)  # noqa: T201
            else:
                return


if __name__ == "__main__":
    main(*sys.argv[1:3])
