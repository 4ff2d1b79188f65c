"""Memory that is kept from image to image.

New memory is page-faulted in for every image, which costs more than decompression itself (measured: 36 MB, 25 ms):
glibc maps anew whatever is larger than 32 MB, each time.
"""

from __future__ import annotations

import mmap


class KeptBuffer:
    """Bytes that stay where they are until more are asked for than ever before.

    They begin on a page: to where malloc puts large memory, 16 bytes behind the beginning of one, a file was read at
    a third of the speed or less (an AMD EPYC, 4.6 MB). Huge pages (``MADV_HUGEPAGE``) made no difference.
    """

    def __init__(self) -> None:
        self._bytes = memoryview(b"")

    def first(self, nbytes: int) -> memoryview:
        """Return the first so many bytes, holding anything; the next call gives the same ones.

        Raises `MemoryError` for more than there is.
        """
        if nbytes > len(self._bytes):
            try:
                pages = mmap.mmap(-1, nbytes + nbytes // 4, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            except (OSError, OverflowError) as error:
                raise MemoryError(f"there is no memory for {nbytes} bytes") from error
            self._bytes = memoryview(pages)
        return self._bytes[:nbytes]
