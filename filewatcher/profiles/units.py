"""Text with units in, numbers out, and back: seconds, bytes, whole numbers.

A number without a unit is never guessed at: 3 of what? And GB is refused where GiB is meant: Dask and Slurm disagree
about it, by 7 %.
"""

from __future__ import annotations

import re

SECONDS = {"d": 86400.0, "h": 3600.0, "min": 60.0, "s": 1.0}
"""From long to short, as they are written in a row: 1h30min."""
BYTES = {"TiB": 1 << 40, "GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10}
NEARLY = {
    "d": ("day", "days"),
    "h": ("hr", "hrs", "hour", "hours"),
    "min": ("m", "mins", "minute", "minutes"),
    "s": ("sec", "secs", "second", "seconds"),
}
"""What people write for them."""

_NUMBER = r"(\d+(?:\.\d+)?)"
_DURATION = re.compile("".join(f"(?:{_NUMBER}{unit})?" for unit in SECONDS), re.ASCII)
_CLOCK = re.compile(r"(?:(\d+)-)?(\d+):(\d+)(?::(\d+))?", re.ASCII)
_MEMORY = re.compile(_NUMBER + "(TiB|GiB|MiB|KiB)", re.ASCII)
_NEAR_MEMORY = re.compile(_NUMBER + r"\s*([kmgt])i?b?", re.IGNORECASE | re.ASCII)

DURATION_PATTERN = rf"^(?=\d){_DURATION.pattern}$"
"""What `seconds` accepts, for a JSON Schema."""
MEMORY_PATTERN = rf"^{_MEMORY.pattern}$"
"""What `size` accepts, for a JSON Schema."""


def seconds(text: str) -> float:
    """Read a length of time; returns seconds. Raises `ValueError` with the way out.

    >>> seconds("8h"), seconds("1h30min"), seconds("0.5s")
    (28800.0, 5400.0, 0.5)
    """
    match = _DURATION.fullmatch(text)
    if text and match:
        parts = zip(match.groups(), SECONDS.values(), strict=True)
        return sum(float(number) * unit for number, unit in parts if number)
    raise ValueError(f"{text!r} is no length of time: write {_time_meant(text)}")


def _time_meant(text: str) -> str:
    """What was probably meant.

    >>> _time_meant("60"), _time_meant("15m"), _time_meant("08:00:00"), _time_meant("1-00:00:00"), _time_meant("soon")
    ('60s, or with min, h or d', '15min', '8h', '1d', 'a number with d, h, min or s, as in 8h, 15min or 1h30min')
    """
    if match := _CLOCK.fullmatch(text):
        days, hours, minutes, rest = (float(part or 0) for part in match.groups())
        return as_duration(86400 * days + 3600 * hours + 60 * minutes + rest)
    if match := re.fullmatch(r"(\d+(?:\.\d+)?) *(\w*)", text):
        number, unit = match.groups()
        known = {word: name for name, words in NEARLY.items() for word in (name, *words)}
        if not unit:
            return f"{number}s, or with min, h or d"
        if unit.lower() in known:
            return number + known[unit.lower()]
    return "a number with d, h, min or s, as in 8h, 15min or 1h30min"


def as_duration(length: float) -> str:
    """Write seconds as `seconds` reads them.

    >>> as_duration(28800), as_duration(5400), as_duration(0.5), as_duration(0)
    ('8h', '1h30min', '0.5s', '0s')
    """
    words = []
    for name, unit in list(SECONDS.items())[:-1]:
        whole, length = divmod(length, unit)
        if whole:
            words.append(f"{int(whole)}{name}")
    if length or not words:
        words.append(f"{_plain(length)}s")
    return "".join(words)


def size(text: str) -> int:
    """Read an amount of memory; returns bytes. Raises `ValueError` with the way out.

    >>> size("3GiB"), size("512MiB")
    (3221225472, 536870912)
    """
    if match := _MEMORY.fullmatch(text):
        return round(float(match[1]) * BYTES[match[2]])
    if match := _NEAR_MEMORY.fullmatch(text):
        meant = f"{match[1]}{match[2].upper()}iB"
        raise ValueError(f"{text!r} can be read in two ways (1GB is 7 % less than 1GiB): write {meant}")
    raise ValueError(f"{text!r} is no amount of memory: write a number with MiB, GiB or TiB, as in 3GiB")


def as_size(amount: int) -> str:
    """Write bytes as `size` reads them, in the largest unit that leaves no fraction.

    >>> as_size(3 << 30), as_size(1536 << 20), as_size(1 << 40)
    ('3GiB', '1536MiB', '1TiB')
    """
    for name, unit in BYTES.items():
        if amount >= unit and amount % unit == 0:
            return f"{amount // unit}{name}"
    return f"{_plain(amount / 1024)}KiB"


def whole(text: str) -> int:
    """Read a number that counts something. Raises `ValueError`.

    >>> whole("20")
    20
    """
    if not re.fullmatch(r"\d+", text, flags=re.ASCII) or len(text) > 9:
        raise ValueError(f"{text!r} is no count: write a whole number, as in 20")
    return int(text)


def _plain(number: float) -> str:
    """Write a number without an exponent, exactly."""
    text = f"{number:.15f}" if abs(number) < 1e-4 else repr(float(number))
    return text.rstrip("0").rstrip(".") if "." in text else text
