"""The bench measures what it says: tiny recordings, facts only; its times are for `make bench`."""

from __future__ import annotations

import math
import urllib.request
from pathlib import Path

import docutils.core
import numpy as np
import pytest

from filewatcher.core.cells import HEADER

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def bench(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.delenv("HDF5_USE_FILE_LOCKING", raising=False)  # the bench does that for all its processes


@pytest.mark.parametrize("growing", [False, True])
def test_a_recording_is_watched_and_every_frame_compared(tmp_path: Path, growing: bool) -> None:
    import cost  # noqa: PLC0415  only reachable from here on
    from odin_writer import Recording  # noqa: PLC0415

    recording = Recording(tmp_path, 600, 300.0, writers=2, per_file=100, growing=growing)
    figures = cost.measure(cost.Case("tiny", recording, check_bytes=True))
    assert (figures["frames"], figures["files"], figures["announced"]) == (600, 6, 600)
    assert (figures["announced-twice"], figures["missed"], figures["failed-creations"]) == (0, 0, 0)
    assert (figures["frames-compared"], figures["wrong-bytes"]) == (600, [])
    assert 0 <= figures["latency-ms"]["p50"] <= figures["latency-ms"]["p99"] <= figures["latency-ms"]["max"]
    assert figures["child-us"] > 0
    assert figures["parent-us"] > 0
    assert list(tmp_path.iterdir()) == []


def test_a_run_in_which_others_take_much_is_made_again_and_a_fault_is_kept() -> None:
    import cost  # noqa: PLC0415

    def chosen(*runs: tuple[float, int]) -> tuple[float, int, int]:
        later = [
            {"stolen-cores": stolen, "frames": 10, "announced": announced, "announced-twice": 0}
            for stolen, announced in reversed(runs)
        ]
        figures = cost.left_alone(later.pop, 3)
        assert not later
        return figures["stolen-cores"], figures["announced"], figures["runs"]

    assert chosen((0.02, 10)) == (0.02, 10, 1)
    assert chosen((0.5, 10), (0.01, 10)) == (0.01, 10, 2)
    assert chosen((0.5, 10), (0.2, 10), (0.3, 10)) == (0.2, 10, 3)
    assert chosen((0.5, 10), (0.9, 9)) == (0.9, 9, 2)


def test_readers_take_turns_and_get_all_frames(tmp_path: Path) -> None:
    import harm  # noqa: PLC0415
    import page  # noqa: PLC0415
    from odin_writer import Recording  # noqa: PLC0415

    flushes = harm.flushes(Recording(tmp_path, 200, 1000.0, per_file=100), rounds=1)
    assert flushes["filewatcher"]["frames-read"] == [200]
    assert flushes["filewatcher"]["failed-creations"] == 0
    assert flushes["nobody"]["flush-us"]["p50"] > 0
    creations = harm.creations(Recording(tmp_path, 20, math.inf, per_file=1), rounds=1)
    assert creations["filewatcher"]["failed"] == 0
    lines = page.harm_sentences({"flushes": flushes, "creations": creations})
    assert [line.partition(":")[0] for line in lines] == [f"writer with {reader}" for reader in harm.READERS]


def test_a_missed_target_is_called_missed_and_the_page_is_well_formed() -> None:
    import page  # noqa: PLC0415

    target = {"case": "1 kHz", "what": "latency p99, ms", "value": 12.0, "limit": 10.0, "met": False}
    assert page.verdict(target) == "MISSED 1 kHz: latency p99, ms 12 (target 10)"
    table = page._targets([target])
    docutils.core.publish_doctree(table, settings_overrides={"report_level": 2, "halt_level": 2})
    assert "**missed**" in table


def test_parts_measured_one_by_one_make_a_page(tmp_path: Path) -> None:
    import page  # noqa: PLC0415
    import watch  # noqa: PLC0415

    ten = watch.run(tmp_path, quick=True, part="ten at once")
    assert (ten["many"]["announced"], ten["many"]["announced-twice"]) == (2420, 0)
    assert ten["watch"] == []
    other = {**ten, "watch": [], "targets": [{**ten["targets"][0], "case": "another"}]}
    both = watch.add(other, ten)
    assert [target["case"] for target in both["targets"]] == ["another", *["ten at once"] * 3]
    assert watch.add(both, ten) == both
    written = page.page(both)
    docutils.core.publish_doctree(written, settings_overrides={"report_level": 2, "halt_level": 2})
    assert "2420 of 2420 frames announced" in written


def test_the_stages_of_a_frame_through_a_daemon_add_up(tmp_path: Path) -> None:
    import latency  # noqa: PLC0415

    figures = latency.measure(tmp_path, 20, 10)
    assert (figures["frames"], figures["shown"]) == (200, 200)
    stages = {name: one["first"] for name, one in figures["stages-ms"].items()}
    worker, shown = stages.pop("of these, the worker"), stages.pop("written -> shown")
    assert list(stages) == ["written -> seen", "seen -> submitted", "submitted -> done", "done -> shown"]
    assert 0 < worker < stages["submitted -> done"]
    # it may be seen before the writer knows that it is written
    assert sum(stages.values()) >= shown - 0.1
    assert figures["first-ms"]["done"] > 0


def test_a_scan_is_told_to_a_crowd_beside_a_collector_at_its_limit() -> None:
    import fed  # noqa: PLC0415
    import viewers  # noqa: PLC0415

    with fed.Fed(40, 30, before=0.5) as server:
        where = f"{server.url}api/collections/{server.collection}"
        with viewers.Crowd(f"{where.replace('http', 'ws', 1)}/live", 3) as crowd:
            assert server.known == 600
            crowd.come()
            times = server.fill(1000, 0.2)
            assert len(times) == 200
            assert (np.diff(times) >= 0).all()
            rate, share = server.collect(1000, 0.2)
            assert rate > 0
            assert 0 < share < 1
            assert crowd.go() >= 2 * 3
        with urllib.request.urlopen(f"{where}/cells?since=600&wait=0") as answer:
            cells = answer.read()
    assert HEADER.unpack_from(cells)[2:] == (600, 1000, 400, 1200)
    frames = np.frombuffer(cells, "<u4", 400, HEADER.size)
    assert frames.tolist() == list(range(600, 1000))
