"""What a data file may hold in the place of images, and what is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from filewatcher.core.framemap import DataFile
from filewatcher.edges.swmr.libhdf5 import open_for_swmr
from filewatcher.edges.swmr.opening import Redirected, images_of
from filewatcher.errors import Broken, NotReady

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from filewatcher.edges.swmr.storage import Storage

ENTRY = "entry/data/data"
IMAGES = {"shape": (5, 4, 6), "dtype": "<u2", "chunks": (1, 4, 6)}

Opened = tuple[h5py.File, DataFile]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    files: list[h5py.File] = []

    def made(channel: int | None = None, **dataset: Any) -> Opened:
        path = tmp_path / f"{'abc'[len(files)]}.h5"
        with h5py.File(path, "w", libver="v110") as file:
            if dataset:
                file.create_dataset(ENTRY, **dataset)
            else:
                file.create_group(ENTRY)
        files.append(open_for_swmr(str(path)))
        return files[-1], DataFile(str(path), ENTRY, channel)

    yield made
    for file in files:
        file.close()


def storage(opened: Opened) -> Storage:
    file, source = opened
    return images_of(file, source, None, growing=False)


def test_images(opened: Callable[..., Opened]) -> None:
    found = storage(opened(**IMAGES))
    assert (found.rows, found.layout.shape, found.layout.dtype, found.channel) == (5, (4, 6), "<u2", None)
    found = storage(opened(channel=1, shape=(5, 2, 4, 6), dtype="<u4", chunks=(1, 1, 4, 6)))
    assert (found.rows, found.layout.shape, found.layout.dtype, found.channel) == (5, (4, 6), "<u4", 1)
    found = storage(opened(data=np.ones((5, 4, 6), "<i4")))
    assert found.start is not None


@pytest.mark.parametrize(
    ("dataset", "says"),
    [
        ({"data": h5py.Empty("<u2")}, r"a\.h5:entry/data/data has shape \(\) and type uint16: these are no images"),
        ({"data": np.zeros(5, "<u2")}, r"has shape \(5,\) and type uint16: these are no images"),
        ({"data": np.array([[b"one"], [b"two"]])}, r"has shape \(2, 1\) and type \|S3: these are no images"),
        ({**IMAGES, "chunks": (2, 4, 6)}, r"is stored in chunks of \(2, 4, 6\), images have \(4, 6\) pixels"),
        ({"shape": (5, 2, 4, 6), "dtype": "<u2", "channel": 2}, r"has 2 channels, and number 2 \(counted from 0\)"),
        ({"shape": (5, 4, 6), "dtype": "<u2"}, r"is stored inside its object header or not at all"),
    ],
    ids=["null", "a line", "words", "two in a chunk", "no such channel", "nowhere"],
)
def test_what_is_no_image_is_named(opened: Callable[..., Opened], dataset: dict[str, Any], says: str) -> None:
    with pytest.raises(Broken, match=says):
        storage(opened(**dataset))


def test_a_group_is_not_yet_a_dataset(opened: Callable[..., Opened]) -> None:
    file, source = opened()
    for name in (ENTRY, "entry/other/data", f"{ENTRY}/deeper"):
        with pytest.raises(NotReady, match=rf"a\.h5 has no {name}"):
            images_of(file, DataFile(source.path, name), None, growing=False)


@pytest.mark.parametrize("link", [h5py.SoftLink("/entry/data/data"), h5py.ExternalLink("b.h5", "/data")])
def test_no_link_is_followed(tmp_path: Path, link: object) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="v110") as file:
        file.create_dataset(ENTRY, **IMAGES)
        file["linked"] = link
    with open_for_swmr(str(path)) as file, pytest.raises(Redirected, match=r"a\.h5:linked"):
        images_of(file, DataFile(str(path), "linked"), None, growing=False)
