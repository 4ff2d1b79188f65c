"""The failure catalogue, part 3: writers and readers that die or stop, and masters that are not whole."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from filewatcher.core.observations import MasterBlocked, Writer
from filewatcher.edges.swmr import nursery
from filewatcher.testing.tinyfiles import write_data
from tests.edges.conftest import ROWS

if TYPE_CHECKING:
    from filewatcher.testing.stepwriter import StepWriter
    from tests.edges.conftest import Beamline

A = list(range(ROWS))
B = list(range(ROWS, 2 * ROWS))


@pytest.mark.parametrize("what", [signal.SIGKILL, signal.SIGSTOP], ids=["kill -9", "kill -STOP"])
def test_a_writer_that_dies_or_stops(beamline: Beamline, writer: StepWriter, what: signal.Signals) -> None:
    """Its file says for ever that it is being written: the frames in it come, the others are missing in time."""

    async def story() -> None:
        beamline.write_master()
        writer.create(beamline.a, ROWS)
        async with beamline.watching() as watching:
            for row in A[:2]:
                writer.write(beamline.a, row, row)
            os.kill(writer.pid, what)
            await watching.until(lambda: sorted(watching.frames) == A[:2])
            ended = await watching.end()
            assert ended.reason == "no new frame came for 2 s (--timeout)"
            assert watching.writers.states == (Writer.WRITING, Writer.ABSENT)
            assert watching.missing[2] == f"not written in a.h5: {ended.reason}"

    asyncio.run(story())


def test_a_writer_that_goes_on_after_a_pause(beamline: Beamline, writer: StepWriter) -> None:
    async def story() -> None:
        beamline.write_master()
        write_data(beamline.b, B)
        writer.create(beamline.a, ROWS)
        async with beamline.watching(progress=20.0) as watching:
            writer.write(beamline.a, 0, 0)
            await watching.until(lambda: sorted(watching.frames) == [0, *B])
            os.kill(writer.pid, signal.SIGSTOP)
            await watching.whole_scan()
            os.kill(writer.pid, signal.SIGCONT)
            for row in A[1:]:
                writer.write(beamline.a, row, row)
            assert (await watching.end()).reason == "complete"
            assert watching.right

    asyncio.run(story())


@pytest.mark.parametrize("what", [signal.SIGKILL, signal.SIGSTOP], ids=["kill -9", "kill -STOP"])
def test_a_reader_that_dies_or_stops_is_replaced(
    beamline: Beamline, writer: StepWriter, what: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No frame is lost, none is announced twice (`ScanWatch` would let one pass: `said` is what the children said)."""
    monkeypatch.setattr(nursery, "SILENCE", 1.5)

    async def story() -> None:
        beamline.write_master()
        write_data(beamline.b, B)
        writer.create(beamline.a, ROWS)
        async with beamline.watching(progress=20.0) as watching:
            for row in A:
                writer.write(beamline.a, row, row)
                await watching.until(lambda row=row: row in watching.frames)  # type: ignore[misc]
                first = watching.observer.pid
                assert first is not None
                os.kill(first, what)
                if row == 1:
                    break
            for row in A[2:]:
                writer.write(beamline.a, row, row)
            assert (await watching.end()).reason == "complete"
            assert watching.right
            assert watching.observer.pid != first

    asyncio.run(story())


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9])
def test_a_master_of_which_a_part_is_there(beamline: Beamline, share: float) -> None:
    async def story() -> None:
        whole = beamline.write_master(beamline.folder / "whole.h5").read_bytes()
        part = whole[: int(share * len(whole))]
        beamline.master.write_bytes(part)
        for path, numbers in ((beamline.a, A), (beamline.b, B)):
            write_data(path, numbers)
        async with beamline.watching(first=2.0) as watching:  # it stays so
            ended = await watching.end()
            assert ended.expected == 0
            assert str(beamline.master) in watching.watch.problems[0]
        async with beamline.watching() as watching:  # it was only slow
            await watching.until(lambda: any(isinstance(item, MasterBlocked) for item in watching.said))
            beamline.master.write_bytes(whole)
            assert (await watching.end()).reason == "complete"
            assert watching.right

    asyncio.run(story())
