"""The failure catalogue, part 5: handles that a server has forgotten (ESTALE), and disks that give nothing (EIO).

On a real file system whose server does so: `filewatcher.testing.nfslike`, through FUSE.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Self

import pytest

from filewatcher.core.scanwatch import SUPERSEDED
from filewatcher.testing.tinyfiles import IMAGE, image, write_data
from spotfinding.chunks import Chunk, Decoder, Layout, read_frame
from spotfinding.errors import NotReadable
from tests.edges.conftest import ROWS, Beamline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from filewatcher.testing.stepwriter import StepWriter
    from tests.edges.conftest import Watching

A = list(range(ROWS))
B = list(range(ROWS, 2 * ROWS))
CALLS = ("lookup", "getattr", "open", "read")
WORDS = {
    errno.EIO: "its disk or server does not give it (Input/output error)",
    errno.ESTALE: "its server no longer knows it (Stale file handle)",
}


class Served:
    """A folder, and where it is mounted as from a server."""

    def __init__(self, folder: Path, place: Path) -> None:
        folder.mkdir()
        place.mkdir()
        self.there, self.here = Beamline(folder), Beamline(place)
        command = [sys.executable, "-m", "filewatcher.testing.nfslike", str(folder), str(place)]
        self._server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._expect("mounted")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["fusermount", "-u", "-z", str(self.here.folder)], check=True)
        self._server.communicate()

    def fail(self, number: int, *calls: str) -> None:
        """Let these calls, or all of them, fail with this error from now on; 0 = not any more."""
        for call in calls or CALLS:
            assert self._server.stdin is not None
            self._server.stdin.write(f"{call} {number}\n")
            self._server.stdin.flush()
            self._expect("done")

    def _expect(self, word: str) -> None:
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == f"{word}\n", "fusermount did not mount: is /dev/fuse there?"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path / "server", tmp_path / "client") as mounted:
        yield mounted


async def half_seen(served: Served, writer: StepWriter, watching: Watching) -> None:
    served.there.write_master()
    writer.create(served.there.a, ROWS)
    writer.write(served.there.a, 0, 0)
    await watching.until(lambda: sorted(watching.frames) == [0])


def test_the_server_forgets_what_is_replaced(served: Served) -> None:
    """What the other tests rest on: nobody has told it to fail."""
    path = served.there.folder / "x"
    path.write_bytes(bytes(range(200)) * 2000)
    with (served.here.folder / "x").open("rb", buffering=0) as held:
        assert held.read(3) == b"\0\1\2"
        path.with_name("y").write_bytes(b"another")
        path.with_name("y").replace(path)
        with pytest.raises(OSError, match="Stale file handle") as caught:
            os.pread(held.fileno(), 10, 390_000)
        assert caught.value.errno == errno.ESTALE
    served.fail(errno.EIO, "read")
    with pytest.raises(OSError, match="Input/output error"):
        (served.here.folder / "x").read_bytes()
    served.fail(0, "read")
    assert (served.here.folder / "x").read_bytes() == b"another"


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO], ids=["ESTALE", "EIO"])
@pytest.mark.parametrize("calls", [CALLS, ("read",), ("open",)], ids=["all calls", "read", "open"])
def test_what_fails_for_a_while_is_said_and_waited_for(
    served: Served, writer: StepWriter, number: int, calls: tuple[str, ...]
) -> None:
    async def story() -> None:
        async with served.here.watching(progress=30.0) as watching:
            await half_seen(served, writer, watching)
            first = watching.observer.pid
            served.fail(number, *calls)
            writer.write(served.there.a, 1, 1)
            about_it = re.compile(f"{re.escape(str(served.here.a))}.*{re.escape(WORDS[number])}")
            await watching.until(lambda: any(map(about_it.match, watching.problems)))
            assert sorted(watching.frames) == [0]
            served.fail(0, *calls)
            for row in A[2:]:
                writer.write(served.there.a, row, row)
            write_data(served.there.b, B)
            assert (await watching.end()).reason == "complete"
            assert watching.right
            assert watching.observer.pid == first

    asyncio.run(story())


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO], ids=["ESTALE", "EIO"])
def test_what_fails_for_ever_ends_in_time(served: Served, writer: StepWriter, number: int) -> None:
    async def story() -> None:
        async with served.here.watching() as watching:
            await half_seen(served, writer, watching)
            first = watching.observer.pid
            served.fail(number)
            ended = await watching.end()
            assert watching.missing[1].startswith(f"{served.here.a} cannot be")
            assert watching.missing[1].endswith(f"{WORDS[number]}: {ended.reason}")
            assert watching.observer.pid == first

    asyncio.run(story())


def test_a_master_that_cannot_be_had_is_named(served: Served) -> None:
    async def story() -> None:
        served.there.write_master()
        served.fail(errno.EIO, "read")
        async with served.here.watching(first=6.0) as watching:
            ended = await watching.end()
            assert ended.expected == 0
            assert WORDS[errno.EIO] in "".join(watching.problems)

    asyncio.run(story())


def test_a_file_that_was_replaced_on_the_server_is_another_collections(
    served: Served, writer: StepWriter, other_writer: StepWriter
) -> None:
    async def story() -> None:
        async with served.here.watching(progress=30.0) as watching:
            await half_seen(served, writer, watching)
            served.there.a.unlink()
            other_writer.create(served.there.a, ROWS)
            other_writer.write(served.there.a, 0, 1000)
            ended = await watching.end()
            assert ended.reason.endswith(SUPERSEDED)
            assert watching.right

    asyncio.run(story())


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO], ids=["ESTALE", "EIO"])
def test_a_worker_says_why_and_reads_it_later(served: Served, number: int) -> None:
    path = served.there.a
    path.write_bytes(image(7).tobytes())
    chunk = Chunk(str(served.here.a), 0, len(image(7).tobytes()))
    decoder = Decoder(Layout(IMAGE, "<u2"))
    served.fail(number, "read")
    with pytest.raises(NotReadable, match=os.strerror(number)):
        read_frame(chunk, decoder, patience=0.1)
    served.fail(0, "read")
    assert (read_frame(chunk, decoder) == 7).all()
