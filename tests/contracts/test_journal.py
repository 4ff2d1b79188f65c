"""What every journal does, the fake as the real one."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from filewatcher.core.messages import Disagreement, FrameFailed, FrameResult, Recorded, Statistics
from filewatcher.core.observations import MasterFile
from filewatcher.core.run import Run
from filewatcher.core.selection import Selection
from filewatcher.edges.journal import Journal, JournalReader
from filewatcher.errors import Broken, Refused
from filewatcher.testing.fakes import MemoryJournal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from filewatcher.ports import Journal as JournalPort

MASTER = MasterFile("/data/m.nxs", 1, 2, 3, 4)
RUN = Run((MASTER,), Selection(), {"d_max": 40.0}, "dials")


def result(frame: int, spots: int = 5, place: str = "/data/m_1.h5:100+90") -> Recorded:
    outcome = FrameResult(0, frame, Statistics(spots, 4, 3, 2.5, -1.0, 1.5, 1.6, 0.1, 0.2, 99), "dials", 2)
    return Recorded(outcome, place)


@pytest.fixture(params=["fake", "sqlite"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], JournalPort]]:
    """Open the journal of the same run, again and again."""
    opened: list[JournalPort] = []
    memory = MemoryJournal()

    def open_journal() -> JournalPort:
        for journal in opened:
            journal.close()
        opened[:] = [memory if request.param == "fake" else Journal.open(tmp_path, RUN)]
        return opened[0]

    yield open_journal
    for journal in opened:
        journal.close()


def test_outcomes_survive(reopen: Callable[[], JournalPort]) -> None:
    failed = Recorded(FrameFailed(0, 3, "the bytes are torn", 3), "/data/m_1.h5:300+90")
    asyncio.run(reopen().add([result(5), failed, result(1)]))
    assert list(reopen().recorded()) == [result(1), failed, result(5)]


def test_what_dials_said_survives(reopen: Callable[[], JournalPort]) -> None:
    verdict = (Disagreement("n_spots_total", 5, 6), Disagreement("error", None, "too many strong pixels"))
    said = [
        Recorded(replace(one.outcome, verified=verified), one.place)
        for one, verified in ((result(1), ()), (result(2), verdict), (result(3), None))
    ]
    failed = Recorded(FrameFailed(0, 4, "the bytes are torn", 3, verdict), "/data/m_1.h5:300+90")
    asyncio.run(reopen().add([*said, failed]))
    assert list(reopen().recorded()) == [*said, failed]


def test_the_first_outcome_stays(reopen: Callable[[], JournalPort]) -> None:
    asyncio.run(reopen().add([result(1, 7)]))
    asyncio.run(reopen().add([result(1, 8), result(2)]))
    assert list(reopen().recorded()) == [result(1, 7), result(2)]


def test_other_bytes_replace_what_is_on_record(reopen: Callable[[], JournalPort]) -> None:
    asyncio.run(reopen().add([result(1, 7), result(2, 7)]))
    asyncio.run(reopen().add([result(1, 8, "/data/m_1.h5:100+91")]))
    assert list(reopen().recorded()) == [result(1, 8, "/data/m_1.h5:100+91"), result(2, 7)]


def test_a_run_whose_files_are_anothers_is_never_resumed(reopen: Callable[[], JournalPort]) -> None:
    journal = reopen()
    asyncio.run(journal.add([result(1)]))
    journal.retire()
    assert list(reopen().recorded()) == []


def test_another_run_has_another_journal(tmp_path: Path) -> None:
    one = Journal.open(tmp_path, RUN)
    other = Journal.open(tmp_path, replace(RUN, engine="native"))
    assert one.key != other.key
    one.close()
    other.close()


def test_a_complete_run_whose_master_was_written_again_is_a_new_one(tmp_path: Path) -> None:
    master = tmp_path / "m.nxs"
    master.write_text("as it was described")
    run = replace(RUN, masters=(replace(MASTER, path=str(master)),))
    master.write_text("as it was when the last frame had ended")
    journal = Journal.open(tmp_path, run)
    asyncio.run(journal.add([result(1)]))
    journal.complete(run)
    journal.close()
    same = Journal.open(tmp_path, run)
    assert same.recorded() == [result(1)]
    same.close()
    master.write_text("as it was written for another collection")
    again = Journal.open(tmp_path, run)
    assert again.key == f"{run.key}-2"
    assert again.recorded() == []
    again.close()


def test_a_master_copied_over_with_its_old_time_is_a_new_run(tmp_path: Path) -> None:
    """As rsync -t and cp -p write: the same size, the same time of the content."""
    master = tmp_path / "m.nxs"
    master.write_bytes(b"one")
    run, before = replace(RUN, masters=(replace(MASTER, path=str(master)),)), master.stat()
    journal = Journal.open(tmp_path, run)
    journal.complete(run)
    journal.close()
    while master.stat().st_ctime_ns == before.st_ctime_ns:  # within one tick of the kernel nobody can tell
        master.write_bytes(b"two")
        os.utime(master, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (master.stat().st_size, master.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    again = Journal.open(tmp_path, run)
    assert again.key == f"{run.key}-2"
    again.close()


def test_force_starts_over(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, RUN)
    asyncio.run(journal.add([result(1)]))
    journal.close()
    forced = Journal.open(tmp_path, RUN, force=True)
    assert forced.recorded() == []
    forced.close()


def test_a_reader_reads_on_while_it_is_written(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, RUN)
    reader = JournalReader(journal.folder)
    assert reader.after(0, 10) == []
    asyncio.run(journal.add([result(5), result(1), result(3)]))
    first = reader.after(0, 2)
    assert [recorded for _, recorded in first] == [result(5), result(1)]
    assert [recorded for _, recorded in reader.after(first[-1][0], 10)] == [result(3)]
    reader.close()
    journal.close()


def test_what_is_recorded_anew_is_read_once_more(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, RUN)
    reader = JournalReader(journal.folder)
    asyncio.run(journal.add([result(1), result(2)]))
    (_, _), (seen, _) = reader.after(0, 10)
    other = result(1, 8, "/data/m_1.h5:100+91")
    asyncio.run(journal.add([result(2), other]))
    ((anew, read),) = reader.after(seen, 10)
    assert (read, anew > seen) == (other, True)
    journal.close()
    forced = Journal.open(tmp_path, RUN, force=True)
    asyncio.run(forced.add([result(1)]))
    ((later, read),) = reader.after(anew, 10)
    assert (read, later > anew) == (result(1), True)
    reader.close()
    forced.close()


def test_what_is_no_journal_is_named(tmp_path: Path) -> None:
    with pytest.raises(Broken, match=r"the journal in .* cannot be read"):
        JournalReader(tmp_path)


def test_two_processes_on_one_run_are_refused(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, RUN)
    script = "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    other = [sys.executable, "-c", script, str(journal.folder / "lock")]
    assert b"BlockingIOError" in subprocess.run(other, capture_output=True, check=False).stderr
    with pytest.raises(Refused, match=r"is being worked on by process \d+"):
        Journal.open(tmp_path, RUN)
    journal.close()
    Journal.open(tmp_path, RUN).close()


def test_a_damaged_journal_is_named(tmp_path: Path) -> None:
    Journal.open(tmp_path, RUN).close()
    (tmp_path / "runs" / RUN.key / "journal.sqlite3").write_bytes(b"not a database" * 100)
    with pytest.raises(Broken, match=r"journal\.sqlite3 cannot be opened .* --force"):
        Journal.open(tmp_path, RUN)
    Journal.open(tmp_path, RUN, force=True).close()


def test_a_state_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="FILEWATCHER_STATE_DIR"):
        Journal.open(tmp_path / "file", RUN)
