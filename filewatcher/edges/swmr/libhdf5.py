"""libhdf5 without its teeth: no file locks, bounded retries, and a look at a file before it is opened at all.

Imported in the child process only. A reader that takes locks makes the detector's writer fail; one that retries
a wrong checksum by the default rules hangs for ever, with the GIL held.
"""

from __future__ import annotations

import ctypes
import os
import struct
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from filewatcher.core.observations import Writer
from filewatcher.errors import Broken, Forbidden, NotReady
from filewatcher.mounts import file_system
from filewatcher.reasons import in_words
from filewatcher.roots import ANYWHERE

os.environ["HDF5_USE_FILE_LOCKING"] = "FALSE"  # before h5py is imported: libhdf5 reads it once

import h5py
import hdf5plugin  # noqa: F401  registers the filters of compressed masks
from h5py import h5f, h5p

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from filewatcher.mounts import FileSystem
    from filewatcher.roots import Roots

READ_ATTEMPTS = 25
"""For metadata with a wrong checksum; 25 take 37 ms, each one more doubles that."""

SIGNATURE = b"\x89HDF\r\n\x1a\n"
SWMR_WRITER = 5
WRITER = 1


@dataclass(frozen=True, slots=True)
class Peek:
    """What stat and the first bytes of a file say."""

    device: int
    inode: int
    size: int
    """Bytes."""
    mtime_ns: int
    """Nanoseconds since 1970."""
    ctime_ns: int
    """The same, of its inode."""
    superblock: int | None
    """Version; None = no HDF5 file, or not yet."""
    flags: int | None
    """Consistency flags, from superblock 3 on; None = this version says nothing of its writer."""
    end: int
    """Bytes that the file should have, as its last close (or the start of SWMR) says."""
    coherent: bool = True
    """An open handle of it shows what others write; else it has to be peeked at and opened anew each time."""

    @property
    def writer(self) -> Writer:
        """What has become of its writer; a file without flags counts as closed when it has its full size."""
        if self.superblock is None or (self.flags is not None and self.flags & SWMR_WRITER == WRITER):
            return Writer.OPENING
        if self.flags is not None and self.flags & SWMR_WRITER == SWMR_WRITER:
            return Writer.WRITING
        return Writer.CLOSED if self.size >= self.end else Writer.OPENING

    @property
    def problem(self) -> str:
        """Why a file that is `OPENING` cannot be read, for a sentence that begins with its name."""
        if self.size == 0:
            return "is empty: its writer has created it and written nothing yet"
        if self.superblock is None:
            return f"is not a whole HDF5 file ({self.size} bytes): its writer has only just begun, or it is none"
        if self.flags is not None and self.flags & SWMR_WRITER == WRITER:
            return (
                "is held by a writer that lets nobody read it yet: it can be read once SWMR is started or it is closed"
            )
        return (
            f"has {self.size} of the {self.end} bytes that it should have: a copy that is not finished or was cut off, "
            "or a writer without SWMR holds it"
        )

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode."""
        return self.device, self.inode


def peek(path: str, roots: Roots = ANYWHERE) -> Peek | None:
    """Look at a file without libhdf5; None = there is no such file. Raises `NotReady`, or `Forbidden` by `roots`.

    On a file system that is not coherent, whoever opens the file next sees what is there now.
    Layout: HDF5 File Format Specification, "Disk Format: Level 0A - Format Signature and Superblock".
    """
    roots.check_link(path)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise NotReady(f"{path} cannot be opened: {in_words(error)}") from error
    try:
        roots.check_open(handle, path)
        status = os.fstat(handle)
        shows_all = holding(status.st_dev, os.path.dirname(path)).coherent  # noqa: PTH120  of a string that stays one
        if not shows_all:
            # Opening makes most network file systems ask their server again, but not all (FUSE's kernel_cache).
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        head = os.pread(handle, 56, 0)
        if not shows_all:
            # a read has changed the access time, so this asks the server, for the size too
            status = os.fstat(handle)
    except OSError as error:
        raise NotReady(f"{path} cannot be read: {in_words(error)}") from error
    finally:
        os.close(handle)
    version, flags, end = _superblock(head)
    return Peek(
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        version,
        flags,
        end,
        shows_all,
    )


@cache
def holding(device: int, folder: str) -> FileSystem:
    """Return what holds a folder; by device, for it may be mounted later."""
    del device
    return file_system(folder)


def _superblock(head: bytes) -> tuple[int | None, int | None, int]:
    if len(head) < 48 or not head.startswith(SIGNATURE):
        return None, None, 0
    version = head[8]
    if version < 2 and len(head) < 56:
        return None, None, 0
    if version >= 2:
        (end,) = struct.unpack_from("<Q", head, 28) if head[9] == 8 else (0,)
        return version, head[11] if version >= 3 else None, end
    (end,) = struct.unpack_from("<Q", head, 40 if version == 0 else 44) if head[13] == 8 else (0,)
    return version, None, end


@cache
def _library() -> ctypes.PyDLL:
    """The libhdf5 of h5py, found through what h5py's own module is linked to: there may be two in a process.

    PyDLL keeps the GIL, as h5py does, so that no thread comes between.
    """
    return ctypes.PyDLL(h5p.__file__)


def open_for_swmr(path: str, roots: Roots = ANYWHERE) -> h5py.File:
    """Open a file that may be growing: no locks, bounded retries.

    Raises `NotReady` if it cannot be read now, `Forbidden` by `roots`.
    """
    roots.check_link(path)
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    access.set_file_locking(False, True)  # use; ignore where locks are disabled
    attempts = _library().H5Pset_metadata_read_attempts
    attempts.argtypes = [ctypes.c_int64, ctypes.c_uint]
    if attempts(access.id, READ_ATTEMPTS) < 0:
        raise Broken(f"libhdf5 {h5py.version.hdf5_version} does not let us bound its metadata read attempts")
    try:
        file = h5py.File(h5f.open(os.fsencode(path), h5f.ACC_RDONLY | h5f.ACC_SWMR_READ, fapl=access))
    except FileNotFoundError as error:
        raise NotReady(f"{path} does not exist") from error
    except (OSError, RuntimeError) as error:
        raise NotReady(f"{path} cannot be opened: {in_words(error)}") from error
    try:
        roots.check_open(file.id.get_vfd_handle(), path)
    except Forbidden:
        file.close()
        raise
    return file


@cache
def _storage_size() -> Callable[..., int]:
    function = _library().H5Dget_chunk_storage_size
    function.argtypes = [ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p]
    return function


def chunk_sizes(dataset: h5py.h5d.DatasetID, rows: Iterable[int], rest: tuple[int, ...]) -> list[int]:
    """Return stored bytes of the chunks at (row, *rest), 0 = not there; cheap however far into the dataset they are.

    ``H5Dget_chunk_storage_size``, which h5py does not wrap; `get_chunk_info_by_coord` walks the whole index. Every row
    must lie within the dataset as it is now: beyond its end libhdf5 2.0 answers at random.
    """
    function = _storage_size()
    place = (ctypes.c_uint64 * (1 + len(rest)))(0, *rest)
    size = ctypes.c_uint64(0)
    where, answer, number = ctypes.byref(place), ctypes.byref(size), dataset.id
    sizes = []
    for row in rows:
        place[0] = row
        sizes.append(size.value if function(number, where, answer) >= 0 else 0)
        size.value = 0
    return sizes
