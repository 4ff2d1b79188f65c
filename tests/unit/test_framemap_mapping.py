"""The inversion of a mapping, against a reading of it element by element."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.framemap import DataFile, FrameMap
from filewatcher.core.joining import Part, compose, end_to_end, keep_numbers, rename
from filewatcher.core.mapping import ALL, Entry, Selection, Slab, place, reach
from filewatcher.errors import Broken

if TYPE_CHECKING:
    from collections.abc import Sequence

IMAGE = (4, 6)
WHOLE = (Slab(0, 1, 1, 4), Slab(0, 1, 1, 6))


def rows(slab: Slab) -> Selection:
    return Selection(((slab, *WHOLE),))


def blocks(indices: Sequence[int]) -> Selection:
    return Selection(tuple((Slab(i), *WHOLE) for i in indices))


def at(frame_map: FrameMap, frame: int) -> tuple[str, int]:
    source = frame_map.source(frame)
    assert source is not None
    return source.path, source.row


def test_strides_and_offsets() -> None:
    #   frame    0 1 2 3 4 5
    #   a        5   6   7
    #   b          1   2   3
    entries = [
        Entry(rows(Slab(0, 2, 3)), "/a.h5", "data", rows(Slab(5, 1, 1, 3))),
        Entry(rows(Slab(1, 2, 3)), "/b.h5", "data", rows(Slab(1, 1, 3))),
    ]
    found = place(entries, (6, *IMAGE), where="vds")
    assert [at(found, i) for i in range(6)] == [
        ("/a.h5", 5), ("/b.h5", 1), ("/a.h5", 6), ("/b.h5", 2), ("/a.h5", 7), ("/b.h5", 3),
    ]  # fmt: skip


@st.composite
def mappings(draw: st.DrawFn) -> tuple[list[Entry], list[tuple[str, int]]]:
    """Any distribution of frames over files, with any rows in each; and where each frame is."""
    owner = draw(st.lists(st.integers(0, 3), min_size=1, max_size=30))
    answer: list[tuple[str, int]] = [("", 0)] * len(owner)
    entries = []
    for k in sorted(set(owner)):
        frames = [i for i, o in enumerate(owner) if o == k]
        start, stride = draw(st.integers(0, 5)), draw(st.integers(1, 3))
        everything = draw(st.booleans())
        found = list(range(len(frames))) if everything else [start + stride * i for i in range(len(frames))]
        source = ALL if everything else rows(Slab(start, stride, len(frames)))
        entries.append(Entry(blocks(draw(st.permutations(frames))), f"/{k}.h5", "data", source))
        for frame, row in zip(frames, found, strict=True):
            answer[frame] = (f"/{k}.h5", row)
    return draw(st.permutations(entries)), answer


@given(mappings())
def test_every_frame_is_where_the_mapping_says(case: tuple[list[Entry], list[tuple[str, int]]]) -> None:
    entries, answer = case
    found = place(entries, (len(answer), *IMAGE), where="vds")
    assert [at(found, i) for i in range(len(answer))] == answer
    first = [found.file.tolist().index(k) for k in range(len(found.files))]
    assert first == sorted(first)  # files are numbered by their first frame


@given(mappings())
def test_rows_lead_back_to_their_frames(case: tuple[list[Entry], list[tuple[str, int]]]) -> None:
    entries, answer = case
    found = place(entries, (len(answer), *IMAGE), where="vds")
    back: dict[int, tuple[str, int]] = {}
    for number, source in enumerate(found.files):
        back |= {frame: (source.path, row) for row in range(100) for frame in found.frames_of(number, row)}
    assert [back[i] for i in range(len(answer))] == answer


@given(st.integers(0, 3), st.integers(1, 4), st.integers(1, 4), st.integers(1, 40))
def test_unlimited_slab_is_a_limited_one_cut_off(start: int, block: int, gap: int, stop: int) -> None:
    endless = Slab(start, block + gap, None, block).indices(stop)
    expected = [i for i in range(start, stop) if (i - start) % (block + gap) < block]
    assert endless.tolist() == expected


def test_pattern_names_one_file_per_block_and_reaches_as_far_as_files_exist() -> None:
    entry = Entry(rows(Slab(0, 3, None, 3)), "/100%%_%b.h5", "d%b", ALL)
    found = place([entry], (5, *IMAGE), where="vds")
    assert found.files == (DataFile("/100%_0.h5", "d0"), DataFile("/100%_1.h5", "d1"))
    assert found.row.tolist() == [0, 1, 2, 0, 1]
    there = {"/100%_0.h5": 3, "/100%_2.h5": 2}
    assert reach([entry], lambda file, _: there.get(file)) == 8  # a gap does not end it
    assert reach([entry], lambda _file, _name: None) == 0


@given(st.integers(0, 20), st.integers(1, 3), st.integers(1, 3))
def test_reach_is_the_end_of_the_last_row_there(n: int, block: int, gap: int) -> None:
    entry = Entry(rows(Slab(1, block + gap, None, block)), "/a.h5", "d", rows(Slab(0, 1, None)))
    total = reach([entry], lambda _file, _name: n)
    assert total == (Slab(1, block + gap, None, block).indices(1000)[n - 1] + 1 if n else 0)


def test_channels() -> None:
    # frames x channels 0 1 2 of one source; channel 1 alone from another one, which has no channels
    both = (Slab(0, 1, 1, 2), Slab(0, 1, 1, 3), *WHOLE)
    found = place([Entry(Selection((both,)), "/a.h5", "d", ALL)], (2, 3, *IMAGE), 2, where="vds")
    assert found.files == (DataFile("/a.h5", "d", 2),)
    assert found.row.tolist() == [0, 1]
    one = (Slab(0, 1, 1, 2), Slab(1), *WHOLE)
    found = place([Entry(Selection((one,)), "/b.h5", "d", rows(Slab(4, 1, 1, 2)))], (2, 3, *IMAGE), 1, where="vds")
    assert found.files == (DataFile("/b.h5", "d", None),)
    assert found.row.tolist() == [4, 5]


def test_one_image_per_dataset() -> None:
    found = place([Entry(blocks([k]), f"/{k}.h5", "d", Selection((WHOLE,))) for k in range(3)], (3, *IMAGE), where="v")
    assert [at(found, i) for i in range(3)] == [("/0.h5", 0), ("/1.h5", 0), ("/2.h5", 0)]


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([Entry(Selection(((Slab(0, 1, 1, 6), Slab(0, 1, 1, 2), WHOLE[1]),)), "/a", "d", ALL)], "cuts images"),
        ([Entry(rows(Slab(0, 1, 1, 6)), "/a", "d", Selection(((Slab(0), Slab(1, 1, 1, 4), WHOLE[1]),)))], "cuts"),
        ([Entry(rows(Slab(0, 1, 0)), "/a", "d", ALL)], r"mapping 0 of vds \(/a:d\) maps no frame"),
        ([Entry(rows(Slab(0, 1, 1, 3)), "/a", "d", ALL)], "3 of 6 frames without a source, the first are 3 to 5"),
        ([Entry(rows(Slab(1, 1, 1, 5)), "/a", "d", ALL)], "1 of 6 frames without a source, the first are 0 to 0"),
        ([Entry(rows(Slab(0, 1, 1, 6)), "/a", "d", rows(Slab(0, 1, 1, 5)))], "pairs 6 images with 5"),
        ([], "6 of 6 frames without a source"),
    ],
)  # fmt: skip
def test_a_wrong_mapping_is_an_error_that_says_which(entries: list[Entry], says: str) -> None:
    with pytest.raises(Broken, match=says):
        place(entries, (6, *IMAGE), where="vds")


def test_a_thousand_mappings() -> None:
    entries = [Entry(rows(Slab(100 * k, 1, 1, 100)), f"/{k}.h5", "d", rows(Slab(0, 1, 1, 100))) for k in range(1000)]
    found = place(entries, (100_000, *IMAGE), where="vds")
    assert at(found, 99_999) == ("/999.h5", 99)


def test_files_end_to_end() -> None:
    files = [DataFile(f"/{k}", "d") for k in range(3)]
    found = end_to_end([Part(f, n) for f, n in zip(files, (3, 3, 1), strict=True)], None)
    assert found.open_ended
    assert found.file.tolist() == [0, 0, 0, 1, 1, 1, 2]
    # the second one is still growing: where the third one starts is not known, unless it says so itself
    parts = [Part(files[0], 2), Part(files[1], 1, final=False), Part(files[2], 2)]
    assert end_to_end(parts, 6).file.tolist() == [0, 0, 1, -1, -1, -1]
    parts[2] = Part(files[2], 2, first=4)
    assert end_to_end(parts, 6).file.tolist() == [0, 0, 1, -1, 2, 2]
    assert end_to_end(parts, 6).source(3) is None


def test_composition_goes_through_virtual_sources() -> None:
    a, b, through = DataFile("/a", "d"), DataFile("/b", "d"), DataFile("/vds", "d")
    outer = FrameMap((through, b), np.array([0, 1, 0], np.int32), np.array([1, 7, 0]))
    inner = FrameMap((a, b), np.array([1, 0], np.int32), np.array([3, 4]))
    found = compose(outer, {through: inner}, where="vds")
    assert [at(found, i) for i in range(3)] == [("/a", 4), ("/b", 7), ("/b", 3)]
    with pytest.raises(Broken, match="holds 1 images"):
        compose(outer, {through: FrameMap((a,), np.zeros(1, np.int32), np.zeros(1, np.int64))}, where="vds")


@given(mappings(), mappings())
def test_files_keep_their_numbers(
    old: tuple[list[Entry], list[tuple[str, int]]], new: tuple[list[Entry], list[tuple[str, int]]]
) -> None:
    before, after = (place(entries, (len(answer), *IMAGE), where="vds") for entries, answer in (old, new))
    kept = keep_numbers(before, after)
    assert kept.files[: len(before.files)] == before.files
    assert [at(kept, i) for i in range(len(kept))] == new[1]


def test_files_of_the_same_name_become_one() -> None:
    two = FrameMap((DataFile("/x", "a"), DataFile("/x", "b")), np.array([0, 1, -1], np.int32), np.array([0, 1, -1]))
    found = rename(two, [DataFile("/y", "d")] * 2)
    assert found.files == (DataFile("/y", "d"),)
    assert found.file.tolist() == [0, 0, -1]
