"""Blocks of metadata, read at their addresses from a file that somebody else is writing."""

from __future__ import annotations

import os

from filewatcher.edges.swmr.index.checksum import intact

UNDEFINED = 0xFFFF_FFFF_FFFF_FFFF
"""The address of what does not exist (specification: II.A, "undefined address")."""
OFFSETS = 8
"""Bytes of an address: "Size of Offsets" of the superblock; other sizes are not used by any detector."""
HIGHEST = 2**62
"""No file has an address beyond this one."""
ENDLESS = 2**62
"""More elements than any index has."""


class Unusual(Exception):
    """Something that this reader does not know, in words: libhdf5 has to read the index."""


class Torn(Exception):
    """Half of a block, or a wrong one: it is being written right now, or broken for good. Nothing was read."""


class Blocks:
    """The metadata of one open file.

    `fd`: its descriptor; it stays the caller's. `base`: bytes before the HDF5 data (a user block): addresses count
    from there.
    """

    def __init__(self, fd: int, base: int = 0) -> None:
        self.fd = fd
        self.base = base

    @property
    def end(self) -> int:
        """Address of the end of the file now."""
        return os.fstat(self.fd).st_size - self.base

    def read(self, address: int, size: int) -> bytes:
        """Read bytes at an address, all of them."""
        if address > HIGHEST:
            raise Torn(f"address {address:#x} is in no file")
        block = os.pread(self.fd, size, self.base + address)
        if len(block) < size:
            raise Torn(f"the file ends within a block of {size} bytes at {address}")
        return block

    def checked(self, address: int, size: int, signature: bytes) -> bytes:
        """Read a block that starts with its signature and ends with its checksum."""
        block = self.read(address, size)
        if not block.startswith(signature) or not intact(block):
            raise Torn(f"no whole {signature.decode()} at {address}")
        return block

    def expect(self, address: int, prefix: bytes) -> None:
        """See that a block begins as it must."""
        if self.read(address, len(prefix)) != prefix:
            raise Torn(f"no {prefix[:4].decode()} of this index at {address}")

    def pointer(self, address: int) -> int | None:
        """Return the address that is stored at an address; None = undefined."""
        value = int.from_bytes(self.read(address, OFFSETS), "little")
        return None if value == UNDEFINED else value


def prefix(signature: bytes, client: int, header: int, offset: bytes = b"") -> bytes:
    """Return how every block of an index begins: signature, version 0, client, address of its header, block offset.

    Specification: VII.C (FADB) and VII.D (EAIB, EASB, EADB).
    """
    return signature + bytes((0, client)) + header.to_bytes(OFFSETS, "little") + offset
