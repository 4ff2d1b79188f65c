"""A writer in a process of its own that does one thing at a time, when it is told to: for tests without sleeps.

It writes as Odin does: SWMR, one chunk per image put down as it is, flushed after every frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from filewatcher.testing.apart import Apart

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path


class StepWriter(Apart):
    """Each call returns when the writer has done it; use it as a context manager."""

    def __init__(self) -> None:
        super().__init__(_serve)

    def create(
        self,
        path: Path,
        rows: int,
        *,
        growing: bool = False,
        early: bool = False,
        swmr: bool = True,
        old: bool = False,
        name: str = "data",
    ) -> None:
        """Create a data file with room for images; one of that name is cut to nothing and begun anew (``O_TRUNC``).

        `early`: with all of its space allocated. `old`: as HDF5 1.6 would read it (superblock 0, no SWMR).
        """
        self._do("create", str(path), rows, growing, early, swmr and not old, old, name)

    def write(self, path: Path, row: int, number: int) -> None:
        """Write an image (see `tinyfiles`), and make it visible."""
        self._do("write", str(path), row, number)

    def flush(self, path: Path) -> None:
        """Have libhdf5 put all it holds back into the file."""
        self._do("flush", str(path))

    def close(self, path: Path) -> None:
        """Close a data file."""
        self._do("close", str(path))

    def _do(self, *what: Any) -> None:
        self.pipe.send(what)
        answer = self.answer()
        if answer != "done":
            raise RuntimeError(answer)


def _serve(pipe: Connection) -> None:
    files = _Files()
    while True:
        try:
            verb, *arguments = pipe.recv()
        except EOFError:
            return
        try:
            getattr(files, verb)(*arguments)
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            pipe.send(f"{verb} {arguments}: {error}")
        else:
            pipe.send("done")


class _Files:
    def __init__(self) -> None:
        self._open: dict[str, Any] = {}
        self._names: dict[str, str] = {}

    def create(self, path: str, rows: int, growing: bool, early: bool, swmr: bool, old: bool, name: str) -> None:
        import h5py  # noqa: PLC0415  not in the process of the tests

        from filewatcher.testing.tinyfiles import IMAGE, LIBVER  # noqa: PLC0415

        self._names[path] = name
        file = h5py.File(path, "w", libver=("earliest", "v110") if old else LIBVER, locking=False)
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((1, *IMAGE))
        if early:
            plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        top = (h5py.h5s.UNLIMITED if growing else rows, *IMAGE)
        space = h5py.h5s.create_simple((rows, *IMAGE), top)
        parent, _, leaf = name.rpartition("/")
        group = file.require_group(parent or "/")
        h5py.h5d.create(group.id, leaf.encode(), h5py.h5t.STD_U16LE, space, plist)
        if swmr:
            file.swmr_mode = True
        self._open[path] = file

    def write(self, path: str, row: int, number: int) -> None:
        from filewatcher.testing.tinyfiles import image  # noqa: PLC0415

        images = self._open[path][self._names[path]]
        if row >= len(images):
            images.resize(row + 1, axis=0)
        images.id.write_direct_chunk((row, 0, 0), image(number).tobytes())
        if self._open[path].swmr_mode:
            images.id.flush()

    def flush(self, path: str) -> None:
        self._open[path].flush()

    def close(self, path: str) -> None:
        self._open.pop(path).close()
