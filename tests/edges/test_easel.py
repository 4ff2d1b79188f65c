"""Images of collections that have ended, made without any worker; by a process that may hang or die."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from filewatcher.cli.collecting.wishes import Wishes
from filewatcher.cli.serving import easel
from filewatcher.cli.serving.viewing import Albums
from filewatcher.errors import Broken, Forbidden, Unknown, Unreachable
from filewatcher.roots import ANYWHERE, Roots
from tests.daemon import write_tiny

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

PNG = b"\x89PNG"


def looked_at(master: Path, story: Callable[[Callable[..., Awaitable[bytes]], Albums], Awaitable[None]]) -> None:
    """Let a story look at images of a collection: ``look(frame, what)``."""

    async def told() -> None:
        albums = Albums(ANYWHERE)
        wishes = Wishes(master, (), "native")

        async def look(frame: int, what: str = "image") -> bytes:
            return await albums.view("collection", wishes, (0, frame), what, None)

        try:
            await story(look, albums)
        finally:
            await albums.close()

    asyncio.run(told())


def process_of(albums: Albums) -> int:
    assert albums._easel._child is not None
    return int(albums._easel._child[0].pid)


@pytest.mark.timeout(120)
def test_images_are_shown_and_a_process_that_died_or_hangs_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    master = write_tiny(tmp_path / "raw" / "scan.nxs")
    data = master.with_name("scan_000001.h5")

    async def story(look: Callable[..., Awaitable[bytes]], albums: Albums) -> None:
        assert (await look(0)).startswith(PNG)
        assert json.loads(await look(1, "notes"))["engine"] == "native"
        first = process_of(albums)
        assert os.getpriority(os.PRIO_PROCESS, first) == easel.NICE
        with pytest.raises(Unknown, match="image 100 of scan 0 is not on disk"):
            await look(99)

        os.kill(first, signal.SIGKILL)
        with pytest.raises(Unreachable, match="the process that makes images ended with -9: try again"):
            await look(2)
        assert (await look(2)).startswith(PNG)

        real = data.rename(data.with_suffix(".away"))
        os.mkfifo(data)  # as a server that does not answer: whoever opens it waits for ever
        monkeypatch.setattr(easel, "LIMIT", 1.0)
        with pytest.raises(Unreachable, match="longer than 1 s: does its file system answer"):
            await look(3)
        monkeypatch.undo()
        real.rename(data)
        pictures = await asyncio.gather(*(look(frame) for frame in range(6)))
        assert all(picture.startswith(PNG) for picture in pictures)

        albums._easel._rest()
        assert albums._easel._child is None, "nobody looks: it is ended"
        assert (await look(0)).startswith(PNG)

    looked_at(master, story)


@pytest.mark.timeout(60)
def test_the_end_does_not_wait_for_an_image_that_hangs(tmp_path: Path) -> None:
    master = write_tiny(tmp_path / "raw" / "scan.nxs")

    async def story(look: Callable[..., Awaitable[bytes]], albums: Albums) -> None:
        await look(0)
        data = master.with_name("scan_000001.h5")
        data.unlink()
        os.mkfifo(data)
        hanging = asyncio.ensure_future(look(1))
        with await asyncio.to_thread(data.open, "wb"):
            pass  # opened once the other side has: the image is being made, and waits at its second try to read
        await albums.close()
        with pytest.raises(Unreachable):
            await hanging
        with pytest.raises(Unreachable, match="the daemon stops"):
            await look(2)

    looked_at(master, story)


def test_a_frame_that_leads_out_by_now_is_not_shown(tmp_path: Path) -> None:
    mine, theirs = write_tiny(tmp_path / "mine" / "scan.nxs"), write_tiny(tmp_path / "theirs" / "scan.nxs")

    async def told() -> None:
        albums = Albums(Roots([mine.parent]))
        try:
            assert (await albums.view("c", Wishes(mine, (), "native"), (0, 0), "image", None)).startswith(PNG)
            data = mine.with_name("scan_000001.h5")
            data.unlink()
            data.symlink_to(theirs.with_name("scan_000001.h5"))
            with pytest.raises(Broken, match="it now leads outside the folders that may be read"):
                await albums.view("c", Wishes(mine, (), "native"), (0, 1), "image", None)
            with pytest.raises(Forbidden, match="is, or leads, outside"):
                await albums.view("d", Wishes(mine, (), "native"), (0, 1), "image", None)
        finally:
            await albums.close()

    asyncio.run(told())
