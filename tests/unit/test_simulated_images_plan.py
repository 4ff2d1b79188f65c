"""Where the simulated detector puts which image, and when."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.errors import Refused
from filewatcher.testing.detector import LAYOUTS, Faults, Simulation, data_files, schedule
from filewatcher.testing.detector.plan import writers
from filewatcher.testing.detector.sample import BLANKS, cells, images, positions, stills


def simulation(**settings: Any) -> Simulation:
    faults = settings.pop("faults", {})
    return Simulation(Path("somewhere"), faults=Faults(**faults), **settings)


@given(
    layout=st.sampled_from(LAYOUTS),
    grid=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    n_writers=st.integers(1, 5),
    size=st.integers(1, 20),
    shuffle=st.integers(0, 7),
)
def test_every_frame_is_written_once(
    layout: str, grid: tuple[int, int], n_writers: int, size: int, shuffle: int
) -> None:
    sim = simulation(layout=layout, grid=grid, writers=n_writers, frames_per_file=size, faults={"shuffle": shuffle})
    files = data_files(sim)
    placed = np.concatenate([file.frames for file in files])
    assert sorted(placed) == list(range(sim.n_frames))
    steps = [step for writer in range(writers(sim)) for step in schedule(sim, writer)]
    assert sorted(step.frame for step in steps) == list(range(sim.n_frames))
    assert all(files[step.file].frames[step.row] == step.frame for step in steps)


def test_blocks_go_round_the_writers_as_odins_do() -> None:
    sim = simulation(grid=(10, 10), writers=3, frames_per_file=8)
    for index, file in enumerate(data_files(sim)):
        for row, frame in enumerate(file.frames):
            assert (frame // 8, frame % 8, (frame // 8) % 3) == (index, row, file.writer)
    assert [f.path.name for f in data_files(sim)[:2]] == ["grid_000001.h5", "grid_000002.h5"]


def test_round_robin_is_strided() -> None:
    files = data_files(simulation(layout="jungfraujoch", grid=(5, 2), writers=3))
    assert [f.frames.tolist() for f in files] == [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8]]
    assert files[0].path.name == "grid_data_000.h5"


def test_frames_are_due_on_one_clock() -> None:
    sim = simulation(grid=(6, 2), rate=4, writers=2, frames_per_file=3)
    for writer in (0, 1):
        assert all(step.due == step.frame / 4 for step in schedule(sim, writer))


def test_an_infinite_rate_waits_for_nothing() -> None:
    sim = simulation(grid=(6, 2), rate=math.inf)
    assert {step.due for step in schedule(sim, 0)} == {0.0}
    assert sim.frame_time > 0


def test_abort_gap_and_lost_files_leave_frames_out() -> None:
    faults = {"abort_at": 17, "gap": (3, 4), "no_file": (2,)}
    sim = simulation(grid=(5, 4), writers=2, frames_per_file=5, faults=faults)
    written = {step.frame for writer in (0, 1) for step in schedule(sim, writer)}
    assert written == set(range(17)) - {3, 4} - set(range(5, 10))


def test_a_late_frame_holds_up_no_other() -> None:
    sim = simulation(grid=(5, 2), rate=10, writers=1, faults={"late": {2: 0.35}})
    steps = schedule(sim, 0)
    assert [step.frame for step in steps] == [0, 1, 3, 4, 5, 2, 6, 7, 8, 9]
    assert all(step.due == pytest.approx(step.frame / 10) for step in steps if step.frame != 2)


def test_shuffled_frames_stay_near() -> None:
    sim = simulation(grid=(20, 2), writers=1, faults={"shuffle": 4})
    order = [step.frame for step in schedule(sim, 0)]
    assert order != sorted(order)
    assert max(abs(place - frame) for place, frame in enumerate(order)) <= 3
    assert [step.due for step in schedule(sim, 0)] == [k / sim.rate for k in range(40)]


def test_the_grid_is_snaked_or_not() -> None:
    column, row = cells(simulation(grid=(3, 2)))
    assert list(zip(column, row, strict=True)) == [(0, 0), (1, 0), (2, 0), (2, 1), (1, 1), (0, 1)]
    column, _ = cells(simulation(grid=(3, 2), snaked=False))
    assert column.tolist() == [0, 1, 2, 0, 1, 2]


def test_positions_are_in_millimetres_around_the_middle() -> None:
    x, y = positions(simulation(grid=(3, 2), step_um=20))
    assert x == pytest.approx([-0.02, 0, 0.02, 0.02, 0, -0.02])
    assert y == pytest.approx([-0.01] * 3 + [0.01] * 3)


@given(st.floats(0.3, 0.7), st.floats(0.3, 0.7))
def test_the_crystal_is_where_it_is_put(x: float, y: float) -> None:
    sim = simulation(grid=(40, 30), crystal_at=(x, y))
    column, row = cells(sim)
    shows = images(sim) >= BLANKS
    assert abs(column[shows].mean() - x * 39) < 0.5
    assert abs(row[shows].mean() - y * 29) < 0.5


@pytest.mark.parametrize("crystals", [1, 2])
def test_the_crystal_is_in_part_of_the_grid_and_strongest_inside(crystals: int) -> None:
    sim = simulation(grid=(40, 30), crystals=crystals)
    column, row = cells(sim)
    strength = np.zeros((30, 40))
    crystal = np.zeros((30, 40), int)
    pool = stills(sim)
    for k, image in enumerate(images(sim)):
        strength[row[k], column[k]] = pool[image].strength
        crystal[row[k], column[k]] = pool[image].crystal
    assert set(np.unique(crystal)) == set(range(-1, crystals))
    for one in range(crystals):
        rows, columns = np.nonzero(crystal == one)
        middle = strength[round(rows.mean()), round(columns.mean())]
        assert middle == strength[crystal == one].max()
    assert 0.1 < np.count_nonzero(strength) / strength.size < 0.5
    assert strength[:, 0].max() == strength[-1].max() == 0


@pytest.mark.parametrize("grid", [(1, 1), (1, 8), (8, 1), (2, 2), (3, 2), (4, 3)])
def test_even_a_small_grid_has_some_crystal(grid: tuple[int, int]) -> None:
    assert images(simulation(grid=grid)).max() >= BLANKS


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"name": "../x"}, "name '../x'"),
        ({"layout": "esrf"}, "layout 'esrf' is not known.*diamond"),
        ({"detector": "pilatus"}, "detector 'pilatus' is not known.*eiger2-16m"),
        ({"grid": (0, 4)}, "grid 0x4 has no cells"),
        ({"grid": (4, 4), "frames": 17}, "frames=17 does not fit.*1 to 16"),
        ({"rate": 0}, "rate 0 Hz"),
        ({"rate": math.nan}, "rate nan Hz"),
        ({"step_um": -1}, "step -1 um"),
        ({"rate": 100, "exposure": 0.02}, "exposure 0.02 s does not fit.*at most 0.01 s"),
        ({"writers": 0}, "writers=0: give 1 to 64"),
        ({"frames_per_file": 0}, "frames_per_file=0"),
        ({"crystals": 3}, "crystals=3: give 1 to 2"),
        ({"channels": 2}, "channels=2: the layout diamond has one"),
        ({"seed": -1}, "seed=-1"),
        ({"grid": (2, 2), "faults": {"gap": (4,)}}, "gap: there is no frame 4; frames are 0 to 3"),
        ({"grid": (2, 2), "faults": {"late": {9: 1.0}}}, "late: there is no frame 9"),
        ({"faults": {"late": {0: -1.0}}}, "late: frame 0 by -1.0 s"),
        ({"grid": (2, 2), "faults": {"kill": 4}}, "kill: there is no frame 4"),
        ({"grid": (2, 2), "faults": {"abort_at": 5}}, "abort_at=5: give 0 to 4"),
        ({"faults": {"shuffle": -1}}, "shuffle=-1"),
        ({"faults": {"no_file": (0,)}}, "no_file: there is no data file 0"),
        ({"layout": "single", "faults": {"no_file": (1,)}}, "no_file: the layout single has no data files"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        simulation(**settings)
