"""What is written into ISPyB: columns of a frame, of a centring, and of an end that was put aside and read again."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.centring import centre, centre_pair
from filewatcher.core.grid import Grid
from filewatcher.core.messages import FrameResult, Statistics
from filewatcher.core.picture import Picture
from filewatcher.edges.ispyb.rows import (
    CRYSTAL_COLUMNS,
    IMAGE_COLUMNS,
    CentringRow,
    CrystalRow,
    Ending,
    ScanEnding,
    flat_centring,
    image_row,
    solid_centring,
)

numbers = st.floats(-1e6, 1e6)
axes = st.tuples(numbers, numbers, st.none() | numbers)
crystals = st.builds(CrystalRow, *[st.none() | numbers if name.endswith("Z") else numbers for name in CRYSTAL_COLUMNS])
endings = st.builds(
    Ending,
    st.lists(
        st.builds(
            ScanEnding,
            st.booleans(),
            st.text(),
            st.just("2026-11-21T18:00:00"),
            st.lists(st.tuples(st.sampled_from(["Log", "Result", "Graph"]), st.text())).map(tuple),
        )
    ).map(tuple),
    st.lists(
        st.builds(CentringRow, st.integers(0, 1), st.sampled_from(["2d", "3d"]), st.lists(crystals).map(tuple))
    ).map(tuple),
)


@given(endings)
def test_an_end_that_was_put_aside_is_read_again(ending: Ending) -> None:
    assert Ending.from_json(json.loads(json.dumps(ending.as_json()))) == ending


def test_a_frame_has_productions_columns() -> None:
    statistics = Statistics(405, 380, 354, 22808.5, 1.75, 1.5, 1.6, 0.1, 0.2, 5548)
    row = dict(zip(IMAGE_COLUMNS, image_row(FrameResult(0, 6, statistics, "native"), 12, 34), strict=True))
    assert row == {
        "dataCollectionId": 12,
        "imageNumber": 7,
        "autoProcProgramId": 34,
        "spotTotal": 405,
        "inResTotal": 405,
        "goodBraggCandidates": 380,
        "method1Res": 1.75,
        "method2Res": 1.75,
        "totalIntegratedSignal": 22808.5,
    }


def picture(*rows: tuple[float, ...]) -> Picture:
    values = np.array(rows)
    grid = Grid(values.shape[1], values.shape[0], snaked=True)
    return Picture(grid, "n_spots_total", values, np.ones(values.shape, bool))


def test_a_centring_has_the_axes_that_there_are() -> None:
    seen = picture((0, 0, 0), (0, 8, 8), (0, 0, 0))
    flat = flat_centring(1, centre(seen, "dlstbx"))
    assert (flat.scan, flat.xrayCentringType, flat.status) == (1, "2d", "success")
    (crystal,) = flat.crystals
    assert (crystal.centreOfMassX, crystal.centreOfMassY, crystal.centreOfMassZ) == (2.0, 1.5, None)
    assert (crystal.maxVoxelX, crystal.maxVoxelY, crystal.numberOfVoxels, crystal.totalCount) == (1, 1, 2, 16.0)
    assert (crystal.boundingBoxMinX, crystal.boundingBoxMaxX, crystal.boundingBoxMaxZ) == (1, 3, None)
    solid = solid_centring(0, centre_pair(seen, picture((0, 5, 5), (0, 0, 0))))
    assert (solid.xrayCentringType, solid.status) == ("3d", "success")
    assert (solid.crystals[0].centreOfMassZ, solid.crystals[0].totalCount) == (0.5, 80.0)
    assert flat_centring(0, centre(picture((0, 0)), "dlstbx")).status == "failed"
