"""From an open data file to its images, or why they cannot be watched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
from h5py import h5d, h5l

from filewatcher.edges.swmr.storage import storage_of
from filewatcher.errors import Broken, NotReady

if TYPE_CHECKING:
    from filewatcher.core.framemap import DataFile
    from filewatcher.edges.swmr.storage import Storage


class Redirected(Exception):
    """The dataset is a link into another file or virtual: its frames are elsewhere."""


def images_of(file: h5py.File, source: DataFile, shape: tuple[int, int] | None, *, growing: bool) -> Storage:
    """Return the images of a data file; `shape`: as the master has it, None = it does not say.

    Raises `Redirected`, `NotReady` if they are not there yet, `Broken` if they cannot be read while they are written.
    """
    path, name = source.path, source.dataset
    dataset = _dataset(file, name)
    if dataset is None:
        raise NotReady(f"{path} has no {name}")
    storage = storage_of(dataset, source.channel)
    if shape not in (None, storage.layout.shape):
        raise Broken(
            f"{path}:{name} has images of {storage.layout.shape} pixels, the master's have {shape}: its "
            "mapping cuts them apart, and only whole images can be handed out"
        )
    if storage.early and growing:
        raise Broken(
            f"{path}:{name} was created with all of its space allocated (H5D_ALLOC_TIME_EARLY), so nobody can see "
            "which images are written before it is closed: have the writer use the default, or analyse it then "
            "with filewatcher reprocess"
        )
    return storage


def _dataset(file: h5py.File, name: str) -> h5py.Dataset | None:
    """Return a dataset of this very file, None = there is none yet; no link is followed here, wherever it leads."""
    node: Any = file
    for part in filter(None, name.split("/")):
        if not isinstance(node, h5py.Group) or not node.id.links.exists(part.encode()):
            return None
        if node.id.links.get_info(part.encode()).type != h5l.TYPE_HARD:
            raise Redirected(f"{file.filename}:{name}")
        node = node[part]
    if not isinstance(node, h5py.Dataset):
        return None
    if node.id.get_create_plist().get_layout() == h5d.VIRTUAL:
        raise Redirected(f"{file.filename}:{name}")
    return node
