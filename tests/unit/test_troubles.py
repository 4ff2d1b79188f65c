"""Which problems are told, and when."""

from __future__ import annotations

from filewatcher.core.troubles import LASTING, Troubles


def test_what_passes_is_not_told_and_what_lasts_is_told_once() -> None:
    troubles = Troubles()
    assert troubles.lasting(["a is empty"], 0.0) == []
    assert troubles.lasting([], 1.0) == []
    assert troubles.lasting(["a is empty"], LASTING) == []  # since just now
    assert troubles.lasting(["a is empty", "b is cut off"], 2 * LASTING) == ["a is empty"]
    assert troubles.lasting(["a is empty", "b is cut off"], 3 * LASTING) == ["b is cut off"]
    assert troubles.lasting(["a is empty", "b is cut off"], 4 * LASTING) == []
