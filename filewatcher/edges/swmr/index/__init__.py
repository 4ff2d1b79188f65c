"""The chunk index of a dataset, read with ``pread`` instead of libhdf5: which chunks are there, and where.

libhdf5 walks over the whole index to find the place of one chunk, which costs milliseconds far into a long dataset,
takes 3 to 120 reads and holds the GIL. The place of its entry can be computed: one read of a few hundred bytes says
all of the next rows, at the same cost for the first row and the last.

Format facts are from the HDF5 File Format Specification, version 3.0 (4.0 where it says so); sections are named where
they are used. Known here: datasets with a version 2 object header, layout message 4 or 5, and the two indexes that
a detector's files have: Fixed Array (extent known) and Extensible Array (first dimension unlimited). Everything else
is `Unusual`, and libhdf5 reads it.

Nothing read here is trusted: the file is being written. Headers are checked by checksum, blocks by signature,
version, owner and offset, entries by size, address and the size of the file; what is half written is `Torn`.
"""

from filewatcher.edges.swmr.index._entries import Tail, follow, look_at, on_disk
from filewatcher.edges.swmr.index.blocks import Blocks, Torn, Unusual
from filewatcher.edges.swmr.index.chunks import ChunkIndex

__all__ = ["Blocks", "ChunkIndex", "Tail", "Torn", "Unusual", "follow", "look_at", "on_disk"]
