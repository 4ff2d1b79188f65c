"""What a value of a parameter may be: how its word is read, what is allowed, how that is said."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class ParameterError(ValueError):
    """A parameter that does not exist, a value that it cannot have, or a file that says such a thing."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one parameter may be."""

    allowed: str
    """In words."""
    from_word: Callable[[str], Any]
    """What a word means; raises ValueError."""
    normal: Callable[[Any], Any]
    """The value in its normal form; raises ValueError if it is not allowed."""

    def read(self, name: str, word: str) -> Any:
        """Return the value that a word means; `ParameterError` if it means none that is allowed."""
        try:
            return self.normal(self.from_word(word))
        except ValueError:
            raise ParameterError(f"{name}={word}: allowed is {self.allowed}") from None

    def checked(self, name: str, value: object) -> Any:
        """Return a value in its normal form (2 -> 2.0); `ParameterError` if it is not allowed."""
        try:
            return self.normal(value)
        except ValueError:
            raise ParameterError(f"{name}={value!r}: allowed is {self.allowed}") from None


def number(low: float, high: float = math.inf, *, above: bool = False) -> Rule:
    """A finite number from `low` (or, if `above`, above it) to `high`."""
    if high < math.inf:
        allowed = f"a number from {low:g} to {high:g}"
    else:
        allowed = f"a number {'above' if above else 'from'} {low:g}" + ("" if above else " up")

    def normal(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ValueError(value)
        if not low <= value <= high or (above and value == low):
            raise ValueError(value)
        return float(value)

    return Rule(allowed, float, normal)


numbers_above_zero = number(0, above=True)


def whole(low: int | None = None) -> Rule:
    """A whole number, from `low` up if given."""

    def normal(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or (low is not None and value < low):
            raise ValueError(value)
        return value

    return Rule("a whole number" if low is None else f"a whole number from {low} up", int, normal)


def whole_or_auto(low: int, *, auto: int) -> Rule:
    """A whole number from `low` up, or the word auto for a given one."""
    rule = whole(low)

    def from_word(word: str) -> int:
        return auto if word.lower() == "auto" else int(word)

    return replace(rule, allowed=f"{rule.allowed}, or auto (= {auto})", from_word=from_word)


def choice(*words: str) -> Rule:
    """One of a few words."""

    def normal(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(value)
        return value

    return Rule(" or ".join(words), str.lower, normal)


def optional(rule: Rule) -> Rule:
    """What another rule allows, or None."""

    def from_word(word: str) -> Any:
        return None if word.lower() == "none" else rule.from_word(word)

    def normal(value: object) -> Any:
        return None if value is None else rule.normal(value)

    return Rule(f"{rule.allowed}, or none", from_word, normal)


def _bool_from_word(word: str) -> bool:
    known = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    try:
        return known[word.lower()]
    except KeyError:
        raise ValueError(word) from None


def _bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(value)  # noqa: TRY004  one kind of error for all that is not allowed
    return value


switch = Rule("true or false", _bool_from_word, _bool)


def _kernel_from_word(word: str) -> tuple[int, ...]:
    sizes = tuple(int(size) for size in re.split(r"[\s,]+", word.strip("()[] ")))
    return sizes * 2 if len(sizes) == 1 else sizes


def _kernel(value: object) -> tuple[int, int]:
    sizes = tuple(value) if isinstance(value, (tuple, list)) else ()
    if len(sizes) != 2 or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in sizes):
        raise ValueError(value)
    return sizes[0], sizes[1]


kernel = Rule("two whole numbers from 1 up, such as 3,3", _kernel_from_word, _kernel)
