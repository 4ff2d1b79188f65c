"""The files of the simulated detector are those of the real ones: links, mappings, chunks, states."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Self

import h5py
import hdf5plugin
import numpy as np
import pytest
from dectris.compression import decompress

from filewatcher.errors import Broken, Refused
from filewatcher.testing.detector import Faults, Simulation, Written, data_files, master_path, run, write_master
from filewatcher.testing.detector.pool import load_pool
from filewatcher.testing.detector.sample import images

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

assert hdf5plugin.PLUGIN_PATH  # imported for its filters

SWMR_WRITING, CLOSED = 5, 0


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the simulated images of all these tests in one place that is not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


def simulation(directory: Path, layout: str = "diamond", **settings: Any) -> Simulation:
    usual: dict[str, Any] = {
        "detector": "eiger2-1m",
        "grid": (5, 4),
        "rate": math.inf,
        "writers": 2,
        "frames_per_file": 3,
        "levels": 2,
    }
    return Simulation(directory, layout=layout, **{**usual, **settings})


def stored(sim: Simulation) -> dict[int, bytes]:
    """The chunk of every frame on disk, by logical frame, straight from the data files."""
    chunks = {}
    for file in data_files(sim):
        if not file.path.exists():
            continue
        with h5py.File(file.path, "r", swmr=True, locking=False) as data:
            dataset = data[file.dataset]
            for row, frame in enumerate(file.frames[: len(dataset)]):
                place = (row,) + (0,) * (dataset.ndim - 1)
                if dataset.id.get_chunk_info_by_coord(place).size:
                    chunks[int(frame)] = dataset.id.read_direct_chunk(place)[1]
    return chunks


def expected(sim: Simulation) -> dict[int, bytes]:
    pool = load_pool(sim).chunks
    return {frame: pool[image] for frame, image in enumerate(images(sim))}


def flag(path: Path) -> int:
    """The state byte of HDF5's superblock."""
    return path.read_bytes()[11]


@pytest.mark.parametrize("layout", ["diamond", "dectris", "dectris-2024", "jungfraujoch", "single"])
def test_what_was_written_reads_back_bit_by_bit(layout: str, tmp_path: Path) -> None:
    sim = simulation(tmp_path, layout)
    assert write_master(sim) == master_path(sim)
    written = run(sim)
    assert (written.frames, written.killed) == (20, ())
    assert stored(sim) == expected(sim)
    assert {flag(path) for path in tmp_path.iterdir()} == {CLOSED}
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("layout", ["diamond", "dectris-2024", "jungfraujoch", "single"])
def test_the_master_shows_every_frame_in_its_place(layout: str, tmp_path: Path) -> None:
    sim = simulation(tmp_path, layout)
    run(sim)
    with h5py.File(master_path(sim), "r") as master:
        data = master["entry/data/data"]
        assert data.is_virtual == (layout != "single")
        assert data.ndim == (4 if layout == "dectris-2024" else 3)
        shown: dict[int, Any] = {}
        for frame, image in enumerate(images(sim)):
            pixels = data[frame].reshape(sim.model.shape)
            assert np.array_equal(pixels, shown.setdefault(int(image), pixels))
    assert len(shown) >= 3
    assert len({pixels.tobytes() for pixels in shown.values()}) == len(shown)


def test_diamond_points_in_two_hops_and_keeps_the_mask_in_meta(tmp_path: Path) -> None:
    sim = simulation(tmp_path)
    with h5py.File(write_master(sim), "r") as master:
        assert master["entry/definition"][()] == b"NXmx"
        source = master["entry/data/data"].virtual_sources()[1]
        assert (source.file_name, source.dset_name) == (".", "/entry/data/data_000002")
        link = master.get("entry/data/data_000002", getlink=True)
        assert (link.filename, link.path) == ("grid_000002.h5", "/data")
        detector = master["entry/instrument/detector"]
        link = detector.get("pixel_mask", getlink=True)
        assert (link.filename, link.path) == ("grid_meta.h5", "/mask")
        assert np.array_equal(detector["pixel_mask"][()], sim.model.mask(sim.seed))
        sample = master["entry/sample/transformations"]
        assert sample["sam_x"][:6] == pytest.approx([-0.04, -0.02, 0, 0.02, 0.04, 0.04])
        assert sample["sam_x"].attrs["units"] == "mm"
    assert not list(tmp_path.glob("grid_0*"))


def test_dectris_has_links_and_no_virtual_dataset(tmp_path: Path) -> None:
    sim = simulation(tmp_path, "dectris", faults=Faults(abort_at=8))
    run(sim)
    with h5py.File(master_path(sim), "r") as master:
        data = master["entry/data"]
        assert "data" not in data
        assert [k for k in data if k.startswith("data_")] == [f"data_{k:06d}" for k in range(1, 8)]
        assert dict(data["data_000003"].attrs) == {"image_nr_low": 7, "image_nr_high": 8}
        assert len(data["data_000003"]) == 2
        specific = master["entry/instrument/detector/detectorSpecific"]
        assert (specific["nimages"][()], specific["ntrigger"][()]) == (5, 4)
        assert "pixel_mask" in specific
    assert sorted(p.name for p in tmp_path.glob("*data*")) == [f"grid_data_{k:06d}.h5" for k in (1, 2, 3)]


def test_several_channels(tmp_path: Path) -> None:
    sim = simulation(tmp_path, "dectris-2024", channels=3, grid=(2, 2))
    run(sim)
    pool = load_pool(sim).chunks
    with h5py.File(master_path(sim), "r") as master:
        assert master["entry/data/data"].shape == (4, 3, *sim.model.shape)
        assert master["entry/data/channel"].asstr()[:].tolist() == ["threshold_1", "threshold_2", "difference"]
        assert "pixel_mask" in master["entry/instrument/detector/threshold_2_channel"]
    with h5py.File(tmp_path / "grid_data_000001.h5", "r") as data:
        assert data["entry/data/data"].id.read_direct_chunk((0, 1, 0, 0))[1] == pool[0]


def test_round_robin_is_one_strided_mapping_for_each_file(tmp_path: Path) -> None:
    sim = simulation(tmp_path, "jungfraujoch")
    with h5py.File(write_master(sim), "r") as master:
        sources = master["entry/data/data"].virtual_sources()
        starts = [(s.vspace.get_regular_hyperslab()[0][0], s.vspace.get_regular_hyperslab()[1][0]) for s in sources]
    assert starts == [(0, 2), (1, 2)]


class Running:
    """A simulation in another thread, which holds its files open when all is written."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self._stop = threading.Event()
        self._all_written = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.written: Written | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._all_written.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        self.written = run(self._sim, self._report, self._stop)

    def _report(self, frames: int, _seconds: float) -> None:
        if frames == self._sim.n_frames:
            self._all_written.set()


def test_held_files_are_open_for_swmr_until_told(tmp_path: Path) -> None:
    """And as in Odin each writer has its last two open, the rest closed."""
    sim = simulation(tmp_path, grid=(6, 4), faults=Faults(hold=True))
    with Running(sim) as running:
        states = [flag(file.path) for file in data_files(sim)]
        assert states == [CLOSED] * 4 + [SWMR_WRITING] * 4
        assert stored(sim) == expected(sim)  # all is readable, though nothing is closed
    assert running.written is not None
    assert running.written.frames == 24
    assert {flag(file.path) for file in data_files(sim)} == {CLOSED}


def test_images_inside_the_master_are_seen_while_it_is_written(tmp_path: Path) -> None:
    sim = simulation(tmp_path, "single", faults=Faults(hold=True))
    with Running(sim):
        assert flag(master_path(sim)) == SWMR_WRITING
        assert stored(sim) == expected(sim)
    assert flag(master_path(sim)) == CLOSED


def test_abort_leaves_properly_closed_files(tmp_path: Path) -> None:
    """The first file of each writer is there, even without a frame."""
    sim = simulation(tmp_path, faults=Faults(abort_at=2))
    assert run(sim).frames == 2
    assert stored(sim).keys() == {0, 1}
    files = sorted(tmp_path.glob("grid_0*"))
    assert [p.name for p in files] == ["grid_000001.h5", "grid_000002.h5"]
    assert {flag(path) for path in files} == {CLOSED}


def test_gaps_lost_files_and_late_frames(tmp_path: Path) -> None:
    faults = Faults(gap=(0, 13), no_file=(3,), late={1: 0.3}, shuffle=4)
    sim = simulation(tmp_path, rate=500, faults=faults)
    written = run(sim)
    there = expected(sim)
    for frame in (0, 13, 6, 7, 8):
        del there[frame]
    assert stored(sim) == there
    assert written.frames == len(there)
    assert written.seconds > 0.2
    assert not (tmp_path / "grid_000003.h5").exists()


def test_a_file_without_any_frame_is_empty_but_there(tmp_path: Path) -> None:
    sim = simulation(tmp_path, faults=Faults(gap=(6, 7, 8)))
    run(sim)
    assert (tmp_path / "grid_000003.h5").exists()
    assert stored(sim).keys() == set(range(20)) - {6, 7, 8}


def test_damaged_bytes_are_noticed_by_whoever_decompresses(tmp_path: Path) -> None:
    sim = simulation(tmp_path, faults=Faults(corrupt=(4,)))
    run(sim)
    chunks = stored(sim)
    assert len(chunks[4]) == len(expected(sim)[4])
    with pytest.raises(RuntimeError, match="decompress"):
        decompress(chunks[4], "bslz4", elem_size=2)
    with h5py.File(master_path(sim), "r") as master:
        master["entry/data/data"][3]
        with pytest.raises(OSError, match="read"):
            master["entry/data/data"][4]


def test_a_killed_writer_leaves_its_files_open_and_the_others_go_on(tmp_path: Path) -> None:
    sim = simulation(tmp_path, faults=Faults(kill=7))  # file 3, of writer 0
    written = run(sim)
    assert written.killed == (0,)
    assert flag(tmp_path / "grid_000003.h5") == SWMR_WRITING
    assert flag(tmp_path / "grid_000004.h5") == CLOSED
    assert stored(sim).keys() == set(range(20)) - {7, 8} - {12, 13, 14} - {18, 19}


def test_stopping_closes_everything(tmp_path: Path) -> None:
    sim = simulation(tmp_path, rate=20)
    stop = threading.Event()
    written = run(sim, lambda frames, _: stop.set() if frames else None, stop)
    assert 0 < written.frames < 20
    assert len(stored(sim)) == written.frames
    assert {flag(path) for path in tmp_path.glob("*.h5")} == {CLOSED}


@pytest.mark.parametrize("layout", ["diamond", "single"])
def test_nothing_is_overwritten_unasked(layout: str, tmp_path: Path) -> None:
    sim = simulation(tmp_path, layout, grid=(2, 2))
    said: list[str] = []
    run(sim, ready=lambda: said.append("ready"))
    before = stored(sim)
    with pytest.raises(Refused, match=r"already there.*overwrite"):
        run(sim, ready=lambda: said.append("ready again"))
    assert said == ["ready"]
    with pytest.raises(Refused, match="already there"):
        write_master(sim)
    assert stored(sim) == before
    again = simulation(tmp_path, layout, grid=(2, 1), overwrite=True)
    assert run(again).frames == 2
    assert stored(again).keys() == {0, 1}


def test_files_that_no_simulation_made_are_never_removed(tmp_path: Path) -> None:
    mine = tmp_path / "grid_000001.h5"
    mine.write_bytes(b"years of work")
    with pytest.raises(Refused, match="not made by a simulation"):
        run(simulation(tmp_path, overwrite=True))
    assert mine.read_bytes() == b"years of work"


def test_the_master_that_someone_watches_already_is_kept(tmp_path: Path) -> None:
    sim = simulation(tmp_path, overwrite=True)
    before = write_master(sim).stat()
    run(sim)
    after = master_path(sim).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_directory_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Refused, match="choose another directory"):
        write_master(simulation(tmp_path / "file"))


def test_a_cache_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(Refused, match="set XDG_CACHE_HOME"):
        run(simulation(tmp_path / "raw"))


def test_a_damaged_cache_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sim = simulation(tmp_path / "raw", grid=(1, 1), overwrite=True)
    run(sim)
    first = stored(sim)
    (pool,) = (tmp_path / "cache").rglob("*.npz")
    pool.write_bytes(pool.read_bytes()[:1000])
    run(sim)
    assert stored(sim) == first


START = """
import sys
from pathlib import Path
from filewatcher.testing.detector import Faults, Simulation, run
if __name__ == "__main__":
    faults = Faults(hold="hold" in sys.argv)
    sim = Simulation(Path(sys.argv[1]), detector="eiger2-1m", grid=(2, 1), levels=2, faults=faults)
    done = run(sim, lambda frames, _: print(frames, flush=True))
    print("done", done.frames, "h5py" in sys.modules)
"""


def start(directory: Path, *more: str) -> subprocess.Popen[str]:
    """Start a simulation of two frames from a program of its own, leader of a group as under a shell."""
    script = directory / "start.py"
    script.write_text(START)
    command = [sys.executable, str(script), str(directory / "raw"), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)


def wait_for(line: str, process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert line in (said.strip() for said in process.stdout)


def test_whoever_starts_it_needs_no_hdf5(tmp_path: Path) -> None:
    with start(tmp_path) as process:
        wait_for("done 2 False", process)
    assert process.returncode == 0


def test_control_c_lets_go_of_held_files(tmp_path: Path) -> None:
    with start(tmp_path, "hold") as process:
        wait_for("2", process)
        assert flag(tmp_path / "raw" / "grid_000001.h5") == SWMR_WRITING
        os.killpg(process.pid, signal.SIGINT)
        wait_for("done 2 False", process)
    assert flag(tmp_path / "raw" / "grid_000001.h5") == CLOSED


def test_writers_do_not_outlive_whoever_started_them(tmp_path: Path) -> None:
    with start(tmp_path, "hold") as process:
        wait_for("2", process)
        process.kill()
        assert process.stdout is not None
        process.stdout.read()  # ends when the last process that could write to it has
    assert flag(tmp_path / "raw" / "grid_000001.h5") == CLOSED


def test_a_writer_that_cannot_write_ends_the_simulation_with_a_reason(tmp_path: Path) -> None:
    sim = simulation(tmp_path, rate=20)
    in_the_way = data_files(sim)[-1].path

    def report(_frames: int, _seconds: float) -> None:
        in_the_way.mkdir(exist_ok=True)

    with pytest.raises(Broken, match="writer 0 cannot write"):
        run(sim, report)
    assert {flag(file.path) for file in data_files(sim)[:-1]} == {CLOSED}


def test_the_rate_is_held_on_one_clock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a busy machine achieves is printed; that no frame comes before its time holds anywhere."""
    told: list[tuple[int, float]] = []
    sim = simulation(tmp_path, grid=(10, 6), rate=100)
    written = run(sim, lambda frames, seconds: told.append((frames, seconds)))
    with capsys.disabled():
        said = f"{written.rate:.1f} Hz of 100, at worst {written.lag * 1000:.0f} ms late"
        print(f"\nsimulated detector: {said}")  # noqa: T201  a figure of this machine, for whoever reads
    assert told[-1][0] == 60
    assert all(frames <= seconds * 100 + 1 for frames, seconds in told)
