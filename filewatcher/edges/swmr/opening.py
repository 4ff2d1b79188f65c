"""From an open data file to its images, or why they cannot be watched.

In h5py's low-level calls: where four files begin at once, the first frames of the last one wait for all openings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from h5py import h5d, h5g, h5l, h5o

from filewatcher.edges.swmr.storage import storage_of
from filewatcher.errors import Broken, NotReady

if TYPE_CHECKING:
    import h5py

    from filewatcher.core.framemap import DataFile
    from filewatcher.edges.swmr.storage import Storage


class Redirected(Exception):
    """The dataset is a link into another file or virtual: its frames are elsewhere."""


def images_of(file: h5py.File, source: DataFile, shape: tuple[int, int] | None, *, growing: bool) -> Storage:
    """Return the images of a data file; `shape`: as the master has it, None = it does not say.

    Raises `Redirected`, `NotReady` if they are not there yet, `Broken` if they cannot be read while they are written.
    """
    path, name = source.path, source.dataset
    dataset = _dataset(file.id, source)
    if dataset is None:
        raise NotReady(f"{path} has no {name}")
    storage = storage_of(dataset, f"{path}:{name}", source.channel)
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


def _dataset(file: h5py.h5f.FileID, source: DataFile) -> h5py.h5d.DatasetID | None:
    """Return a dataset of this very file, None = there is none yet; no link is followed here, wherever it leads."""
    node: h5py.h5g.GroupID | h5py.h5d.DatasetID = file
    for part in filter(None, source.dataset.encode().split(b"/")):
        if not isinstance(node, h5g.GroupID) or not node.links.exists(part):
            return None
        if node.links.get_info(part).type != h5l.TYPE_HARD:
            raise Redirected(f"{source.path}:{source.dataset}")
        node = h5o.open(node, part)
    if not isinstance(node, h5d.DatasetID):
        return None
    if node.get_create_plist().get_layout() == h5d.VIRTUAL:
        raise Redirected(f"{source.path}:{source.dataset}")
    return node
