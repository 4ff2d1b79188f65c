"""Names in a master, followed through links into other files that may not be there yet.

h5py follows links by itself, but it opens the files behind them by its own rules and cannot say which one is missing.
Here every file is opened by `open_for_swmr`, and a name ends as a `Node`: an object, or the file that is awaited.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import h5py
import numpy as np
from h5py import h5d, h5l

from filewatcher.core.observations import Writer
from filewatcher.edges.swmr.libhdf5 import open_for_swmr, peek
from filewatcher.errors import Broken, Forbidden, NotReady
from filewatcher.reasons import in_words
from filewatcher.roots import ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from filewatcher.roots import Roots

HOPS = 16
"""Links in a row before they are taken to go round in circles."""


@dataclass(frozen=True, slots=True)
class Node:
    """Where a name leads: exactly one of an object, a file that is not there (or not readable yet), or nothing."""

    file: str
    """Absolute path of the last file reached."""
    name: str
    """Absolute name in it."""
    object: h5py.Group | h5py.Dataset | None = None
    awaited: bool = False
    """The name leads into a file that is absent or cannot be read yet."""

    @property
    def dataset(self) -> h5py.Dataset | None:
        """The object, if it is a dataset."""
        return self.object if isinstance(self.object, h5py.Dataset) else None

    @property
    def group(self) -> h5py.Group | None:
        """The object, if it is a group."""
        return self.object if isinstance(self.object, h5py.Group) else None


class Tree:
    """One file, and those that its links lead to, each opened once; use it as a context manager.

    Raises `NotReady` when it is entered if the file is absent or not readable yet, `Forbidden` whenever a name leads
    out of the `roots`.
    """

    def __init__(self, path: str, alive: Callable[[], None] = lambda: None, roots: Roots = ANYWHERE) -> None:
        self.path = path
        self.roots = roots
        self._alive = alive
        self._open: dict[str, h5py.File] = {}

    def __enter__(self) -> Self:
        self._file(self.path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._open.values():
            file.close()
        self._open.clear()

    def _file(self, path: str) -> h5py.File:
        if path not in self._open:
            self._open[path] = self._opened(path)
        return self._open[path]

    def _opened(self, path: str) -> h5py.File:
        try:
            seen = peek(path, self.roots)
            if seen is None:
                raise NotReady(f"{path} does not exist")
            if seen.writer is Writer.OPENING:
                raise NotReady(f"{path} {seen.problem}")
            return open_for_swmr(path, self.roots)
        except Forbidden as error:
            raise self._led_out(path, error) from error

    def find(self, name: str, file: str | None = None, hops: int = 0) -> Node:
        """Follow a name (absolute, or relative to the root) in a file, the tree's own by default."""
        self._alive()
        path = file or self.path
        if hops > HOPS:
            raise Broken(f"{self.path}: the links of {name} go round in circles")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        try:
            return self._follow(path, parts, hops)
        except (NotReady, OSError, RuntimeError, KeyError):
            # a data file that cannot be read is its own affair, now or for good: the others are not held up
            if path == self.path:
                raise
            return Node(path, "/" + "/".join(parts), awaited=True)

    def _follow(self, path: str, parts: list[str], hops: int) -> Node:
        node: Any = self._file(path)["/"]
        done = ""
        for i, part in enumerate(parts):
            rest = "/".join(parts[i + 1 :])
            target = self._link(path, node, part)
            if target is None:
                return Node(path, "/" + "/".join(parts))
            if isinstance(target, h5py.SoftLink):
                start = "" if target.path.startswith("/") else done
                return self.find(f"{start}/{target.path}/{rest}", path, hops + 1)
            if isinstance(target, h5py.ExternalLink):
                return self.find(f"{target.path}/{rest}", beside(path, target.filename), hops + 1)
            node, done = node[part], f"{done}/{part}"
        self._check_sources(path, node)
        return Node(path, done or "/", node)

    def _check_sources(self, path: str, node: Any) -> None:
        """Before libhdf5 looks for the size of a virtual dataset: in its sources, if it has no end."""
        if self.roots.everywhere or not isinstance(node, h5py.Dataset):
            return
        plist = node.id.get_create_plist()
        if plist.get_layout() == h5d.VIRTUAL:
            for name in {plist.get_virtual_filename(i) for i in range(plist.get_virtual_count())} - {"."}:
                source = beside(path, name)
                try:
                    self.roots.check_link(source)
                except Forbidden as error:
                    raise self._led_out(source, error) from error

    def _led_out(self, path: str, error: Forbidden) -> Forbidden:
        return error if path == self.path else Forbidden(f"{self.path} leads out: {error}")

    def release(self, path: str) -> None:
        """Close a file that a link has led to, and the objects in it; the tree's own stays open."""
        if path != self.path and (file := self._open.pop(path, None)) is not None:
            file.close()

    def _link(self, path: str, node: Any, part: str) -> h5py.HardLink | h5py.SoftLink | h5py.ExternalLink | None:
        """How a name is linked in a group; None = it is not."""
        if not isinstance(node, h5py.Group):
            return None
        name = part.encode()
        try:
            if not node.id.links.exists(name):
                return None
            kind = node.id.links.get_info(name).type
            if kind == h5l.TYPE_SOFT:
                return h5py.SoftLink(node.id.links.get_val(name).decode())
            if kind == h5l.TYPE_EXTERNAL:
                file, target = node.id.links.get_val(name)
                return h5py.ExternalLink(file.decode(), target.decode())
        except (KeyError, RuntimeError, OSError) as error:
            raise NotReady(f"{path} cannot be read: {in_words(error)}") from error
        return h5py.HardLink()

    def names(self, group: str) -> list[str]:
        """Names in a group, sorted; empty if there is no such group."""
        node = self.find(group).group
        return sorted(node) if node is not None else []

    def children(self, group: str, nx_class: str) -> list[str]:
        """Absolute names of the groups of a NeXus class in a group, by name."""
        found = []
        for name in self.names(group):
            child = self.find(f"{group}/{name}").group
            if child is not None and text(child.attrs.get("NX_class")) == nx_class:
                found.append(f"{group.rstrip('/')}/{name}")
        return found

    def value(self, name: str) -> Any:
        """Return the value of a dataset as numpy gives it, None if there is none; `NotReady` if it is awaited."""
        node = self.find(name)
        if node.awaited:
            raise NotReady(f"{node.file} does not exist yet, and {self.path}:{name} is in it")
        return None if node.dataset is None else self.read(node.dataset)

    def read(self, dataset: h5py.Dataset) -> Any:
        """Return the whole of a dataset. Raises `NotReady` if that fails: while it is written it may.

        libhdf5 finds the files of a virtual dataset, and of one stored outside, by its own rules: not where there are
        roots, raises `Forbidden`.
        """
        where = f"{dataset.file.filename}:{dataset.name}"
        plist = dataset.id.get_create_plist()
        if not self.roots.everywhere and (plist.get_layout() == h5d.VIRTUAL or plist.get_external_count()):
            raise Forbidden(
                f"{where} has its values in other files, and which ones cannot be seen before they are read: a server "
                "with 'roots' takes only values stored in a file, or linked to"
            )
        try:
            return dataset[()]
        except (OSError, RuntimeError) as error:
            raise NotReady(f"{where} cannot be read: {in_words(error)}") from error


def beside(path: str, name: str) -> str:
    """Return the file that a link or mapping in `path` means: relative to its folder, as libhdf5 does it.

    An absolute path that does not exist any more may have moved together with the master (libhdf5 looks there too).
    """
    folder = Path(path).parent
    target = Path(name)
    if target.is_absolute() and not _is_there(target) and _is_there(folder / target.name):
        target = folder / target.name
    return str(folder / target)


def _is_there(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110  it raises nothing where we may not look


def text(value: Any) -> str:
    """Return a string of HDF5 (bytes, fixed or variable length, array of one) as str; empty for None."""
    if isinstance(value, np.ndarray):
        value = value.reshape(-1)[0] if value.size else ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return "" if value is None else str(value).rstrip("\0").strip()


def number(value: Any) -> float | None:
    """Return the first number of a scalar or array; None for None and for an empty array."""
    flat = np.asarray(value).reshape(-1) if value is not None else np.zeros(0)
    return float(flat[0]) if flat.size else None
