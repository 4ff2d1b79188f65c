"""Hints of the kernel, and listings of folders: what they tell, and when."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

from filewatcher.edges.swmr.folders import ASK, GLANCE, TICK, Folders
from filewatcher.edges.swmr.hints import Hints

if TYPE_CHECKING:
    from pathlib import Path


def told(hints: Hints) -> bool:
    """Whether there is a hint; takes it."""
    assert hints.fd is not None
    ready = select.select([hints.fd], [], [], 0)[0]
    hints.clear()
    return bool(ready)


def test_files_that_come_and_writers_that_close_are_told(tmp_path: Path) -> None:
    with Hints() as hints:
        hints.watch({str(tmp_path), str(tmp_path / "not there")})
        assert not told(hints)
        with (tmp_path / "a").open("wb") as file:
            assert told(hints)
            file.write(b"x")
            file.flush()
            assert not told(hints)
        assert told(hints)
        (tmp_path / "a").rename(tmp_path / "b")
        assert told(hints)
        (tmp_path / "b").read_bytes()
        assert not told(hints), "our own reading"


def test_growth_is_told_only_while_it_is_of_interest(tmp_path: Path) -> None:
    with Hints() as hints, (tmp_path / "a").open("wb", buffering=0) as file:
        hints.watch({str(tmp_path)})
        for wanted in (True, False, True):
            assert hints.growth(wanted) == (wanted or file.tell() > 0)
            assert not hints.growth(wanted)
            file.write(b"x")
            assert told(hints) == wanted
        hints.watch({str(tmp_path / "..")})


def test_after_its_end_it_tells_nothing(tmp_path: Path) -> None:
    with Hints() as hints:
        pass
    hints.watch({str(tmp_path)})
    hints.clear()
    assert not hints.growth(True)


def test_what_comes_in_the_tick_of_a_listing_is_found_without_a_change_of_the_folder(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in "ab"]
    folders = Folders()
    folders.of(paths)
    (tmp_path / "a").touch()
    assert folders.glance(0.0)
    assert [folders.hold(path) for path in paths] == [True, False]
    (tmp_path / "b").touch()  # the folder's time may be the same as before
    assert folders.glance(ASK)
    assert [folders.hold(path) for path in paths] == [True, True]
    assert folders.coherent


def test_a_folder_that_rests_is_not_listed_but_now_and_then(tmp_path: Path) -> None:
    folders = Folders()
    folders.of([str(tmp_path / "a"), f"{tmp_path}//b"])
    assert folders.glance(0.0)
    rest = ASK + TICK
    assert [folders.glance(rest + ASK * n) for n in range(1, 5)] == [False] * 4
    assert folders.glance(rest + GLANCE)
    (tmp_path / "b").touch()
    folders.look_anew()
    assert folders.glance(rest + GLANCE)
    assert folders.hold(f"{tmp_path}//b")


def test_a_folder_may_come_later(tmp_path: Path) -> None:
    folders = Folders()
    path = tmp_path / "later" / "a"
    folders.of([str(path)])
    assert folders.glance(0.0)
    path.parent.mkdir()
    path.touch()
    assert folders.glance(1.0)
    assert folders.hold(str(path))
