"""Grid scans as JSON: read whole, or refused with what is wrong."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.centring import Samples, centre, centre_pair
from filewatcher.core.storedscans import parse_scans
from filewatcher.errors import Refused

INFO: dict[str, Any] = {
    "steps_x": 3.0, "steps_y": 2.0, "dx_mm": 0.02, "dy_mm": 0.01, "snaked": 1, "orientation": "horizontal",
    "micronsPerPixelX": 0.5, "micronsPerPixelY": 0.5, "snapshot_offsetXPixel": 10, "snapshot_offsetYPixel": 20,
}  # fmt: skip
DOCUMENT: dict[str, Any] = {"scans": [{"values": [0, 3, 9, 7.5, None, 0], "gridinfo": INFO}]}


def parse(document: object, metric: str = "n_spots_total") -> Any:
    return parse_scans(json.dumps(document).encode(), metric, "a.json")


def changed(path: list[Any], value: object) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return document


def test_values_lie_in_the_order_of_acquisition_and_null_is_unknown() -> None:
    stored = parse(DOCUMENT)
    (picture,) = stored.pictures
    np.testing.assert_array_equal(picture.values, np.array([[0, 3, 9], [0, math.nan, 7.5]]))
    assert picture.known.tolist() == [[True, True, True], [True, False, True]]
    found = centre(picture, snapshot=stored.snapshot)
    assert found.seen.known == 5
    assert found.pixel() is not None


def test_two_scans_are_a_pair_and_samples_have_their_wells() -> None:
    document = {
        "scans": DOCUMENT["scans"] * 2,
        "sample_id": "7",
        "multipin_sample_ids": {"1": 7, "2": 8.0},
        "loop_type": "multipin_2x20+10",
    }
    stored = parse(document)
    assert stored.samples == Samples(7, {1: 7, 2: 8}, ((0.0, 1.0), (1.0, 2.0)))
    assert [crystal.sample_id for crystal in centre_pair(*stored.pictures, samples=stored.samples).crystals] == [None]
    assert parse({**document, "well_limits": [[0, 1], [1, 3]]}).samples.at(2.5) == 8
    assert parse({**document, "loop_type": "standard"}).samples == Samples(7, {1: 7, 2: 8})


def test_minus_one_is_too_few_spots_where_a_metric_is_estimated() -> None:
    document = changed(["scans", 0, "values", 0], -1)
    (picture,) = parse(document, "estimated_d_min").pictures
    assert picture.known[0, 0]
    assert math.isnan(picture.values[0, 0])
    with pytest.raises(Refused, match=r"scan 0 of a\.json, image 1: n_spots_total is -1: expected a number from 0"):
        parse(document)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (["scans"], [], r'a\.json: expected {"scans": '),
        (["scans"], None, r'a\.json: expected {"scans": '),
        (["scans", 0], 3, r'scan 0 of a\.json: expected {"values": '),
        (["scans", 0, "gridinfo"], None, r'scan 0 of a\.json: expected {"values": '),
        (["scans", 0, "values"], [1] * 5, r"grid 3x2 has 6 cells, but scan 0 of a\.json has 5 frames"),
        (["scans", 0, "values", 2], "9", r"scan 0 of a\.json, image 3: n_spots_total is '9': expected a number"),
        (["scans", 0, "values", 2], True, "image 3: n_spots_total is True"),
        (["scans", 0, "values", 2], 10**300, "image 3: n_spots_total is 1000"),
        (["scans", 0, "values", 2], math.inf, "image 3: n_spots_total is inf"),
        (["scans", 0, "values", 2], math.nan, "image 3: n_spots_total is nan"),
        (["scans", 0, "gridinfo", "steps_x"], 2.5, r"gridinfo of scan 0 of a\.json: steps_x is 2\.5"),
        (["scans", 0, "gridinfo", "steps_x"], 1e300, r"steps_x is 1e\+300"),
        (["sample_id"], "abc", r"a\.json: sample_id is 'abc': expected a whole number"),
        (["multipin_sample_ids"], [1], r"multipin_sample_ids is \[1\]"),
        (["multipin_sample_ids"], {"one": 1}, "well is 'one'"),
        (["loop_type"], "multipin_6", "loop type 'multipin_6': expected multipin_<wells>"),
        (["well_limits"], [[1, 2, 3]], r"well_limits is \[\[1, 2, 3\]\]"),
        (["well_limits"], [["a", 2]], "well_limits is"),
    ],
)
def test_what_is_wrong_is_named(path: list[Any], value: object, says: str) -> None:
    with pytest.raises(Refused, match=says):
        parse(changed(path, value))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"1" * 10_000, b"null", b"[1]"])
def test_what_is_no_json_is_refused(content: bytes) -> None:
    with pytest.raises(Refused, match=r"^a\.json"):
        parse_scans(content, "n_spots_total", "a.json")


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
places = st.sampled_from(
    [["scans"], ["scans", 0], ["scans", 0, "values"], ["scans", 0, "values", 3], ["scans", 0, "gridinfo"],
     *(["scans", 0, "gridinfo", key] for key in INFO), ["sample_id"], ["multipin_sample_ids"], ["loop_type"],
     ["well_limits"]]
)  # fmt: skip


@given(places, documents)
def test_any_document_is_read_or_refused(path: list[Any], value: object) -> None:
    try:
        stored = parse(changed(path, value))
    except Refused:
        return
    assert stored.pictures
