from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.core.selection import Selection
from filewatcher.errors import Refused

totals = st.integers(0, 5000)


@given(totals, st.integers(1, 500))
def test_every_nth_starts_with_the_first_image(total: int, step: int) -> None:
    frames = Selection(f"every-{step}").frames(total)
    assert frames.tolist() == [f for f in range(total) if f % step == 0]


@given(totals, st.integers(1, 600))
def test_selected_frames_are_distinct_equidistant_and_include_the_last(total: int, count: int) -> None:
    frames = Selection(f"select-{count}").frames(total)
    assert len(frames) == min(count, total)
    if total:
        assert frames[-1] == total - 1
    if len(frames) > 1:
        assert frames[0] == 0
        gaps = np.diff(frames)
        assert gaps.min() >= 1
        assert gaps.max() - gaps.min() <= 1


@given(totals, st.integers(1, 6000), st.integers(0, 6000))
def test_a_range_counts_images_from_one(total: int, first: int, more: int) -> None:
    frames = Selection.parse(images=f"{first}-{first + more}").frames(total)
    assert (frames + 1).tolist() == [i for i in range(1, total + 1) if first <= i <= first + more]


@given(st.sampled_from(["every", "every-3"]), totals, totals)
def test_a_scan_that_grows_keeps_what_was_chosen(pattern: str, before: int, more: int) -> None:
    selection = Selection(pattern)
    early, late = selection.frames(before), selection.frames(before + more)
    assert late[: len(early)].tolist() == early.tolist()


def test_words() -> None:
    assert Selection.parse("every-2", "1-6") == Selection("every-2", 1, 6)
    assert Selection.parse(images="7") == Selection(first=7, last=7)
    assert Selection.parse(images="100-") == Selection(first=100)


@pytest.mark.parametrize("pattern", ["", "all", "every-0", "select-", "every--1", "Every"])
def test_an_unknown_pattern_is_refused_by_name(pattern: str) -> None:
    with pytest.raises(Refused, match="every, every-N, select-N"):
        Selection.parse(pattern)


@pytest.mark.parametrize("images", ["0-5", "5-1", "a-b", "-3", "1-2-3", ""])
def test_a_wrong_range_is_refused(images: str) -> None:
    with pytest.raises(Refused, match="1-500"):
        Selection.parse(images=images)
