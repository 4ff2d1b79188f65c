from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filewatcher.profiles import units


@given(st.integers(1, 10**9).map(lambda milliseconds: milliseconds / 1000))
@example(1e-3)
def test_a_length_of_time_reads_back(length: float) -> None:
    text = units.as_duration(length)
    assert units.seconds(text) == pytest.approx(length, rel=1e-12)
    assert re.fullmatch(units.DURATION_PATTERN, text)


@given(st.integers(1, 1 << 50))
def test_an_amount_of_memory_reads_back(amount: int) -> None:
    text = units.as_size(amount)
    assert units.size(text) == amount
    assert re.fullmatch(units.MEMORY_PATTERN, text)


@given(st.text(max_size=12))
def test_a_text_is_read_or_refused_with_a_way_out(text: str) -> None:
    for read, pattern in ((units.seconds, units.DURATION_PATTERN), (units.size, units.MEMORY_PATTERN)):
        if re.fullmatch(pattern, text, flags=re.ASCII):
            assert read(text) >= 0
        else:
            with pytest.raises(ValueError, match="write "):
                read(text)


@pytest.mark.parametrize(
    ("text", "way_out"),
    [
        ("60", "write 60s, or with min, h or d"),
        ("15m", "write 15min"),
        ("15 min", "write 15min"),
        ("8 hours", "write 8h"),
        ("08:00:00", "write 8h"),
        ("1-12:00:00", "write 1d12h"),
        ("00:30", "write 30min"),
        ("-5s", "write a number with d, h, min or s"),
        ("", "write a number with d, h, min or s"),
    ],
)
def test_what_is_no_length_of_time_says_what_was_meant(text: str, way_out: str) -> None:
    with pytest.raises(ValueError, match=f"is no length of time: {re.escape(way_out)}"):
        units.seconds(text)


@pytest.mark.parametrize(
    ("text", "way_out"),
    [("3GB", "write 3GiB"), ("512M", "write 512MiB"), ("3 gb", "write 3GiB"), ("3", "with MiB, GiB or TiB")],
)
def test_what_is_no_amount_of_memory_says_what_was_meant(text: str, way_out: str) -> None:
    with pytest.raises(ValueError, match=way_out):
        units.size(text)


@pytest.mark.parametrize("text", ["2.0", "-1", "1_0", "٣", "1e3", "99999999999", ""])
def test_a_count_is_plain_digits(text: str) -> None:
    with pytest.raises(ValueError, match="write a whole number"):
        units.whole(text)
