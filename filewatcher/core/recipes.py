"""zocalo's recipes: a graph of steps, each with a queue and outputs that name further steps.

It travels with each message, in an envelope that says at which step it is; the format is that of ``workflows``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from filewatcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from filewatcher.core.lines import Json


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be sent."""

    kind: Literal["queue", "topic"]
    name: str
    body: Mapping[str, Any]
    """The envelope."""
    exchange: str | None = None
    delay: float | None = None
    """Seconds that the broker holds it back."""


@dataclass(frozen=True, slots=True)
class Step:
    """A message's place in its recipe."""

    recipe: Mapping[str, Any]
    pointer: int
    path: tuple[int, ...]
    """Steps before it."""
    environment: Mapping[str, Any]

    @classmethod
    def parse(cls, message: Mapping[str, Any]) -> Step:
        """Read an envelope; raises `Refused`."""
        try:
            recipe = {str(name): step for name, step in message["recipe"].items()}
            pointer = int(message["recipe-pointer"])
            path = tuple(int(one) for one in message.get("recipe-path") or ())
            step = cls(recipe, pointer, path, dict(message.get("environment") or {}))
            _checked(step)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Refused(f"this is no message of a recipe: {type(error).__name__} {error}") from error
        return step

    @property
    def words(self) -> Mapping[str, Any]:
        """The step itself."""
        return cast("Mapping[str, Any]", self.recipe[str(self.pointer)])

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Its parameters."""
        return self.words.get("parameters") or {}

    @property
    def queue(self) -> str | None:
        """Where its messages go."""
        return self.words.get("queue")

    @property
    def outputs(self) -> Mapping[str, tuple[int, ...]]:
        """Its named outputs, in the order of the recipe."""
        given = self.words.get("output")
        return {name: _pointers(ends) for name, ends in given.items()} if isinstance(given, dict) else {}

    @property
    def unnamed(self) -> tuple[int, ...]:
        """Where the output of a step goes that names none."""
        given = self.words.get("output")
        return () if given is None or isinstance(given, dict) else _pointers(given)

    def at(self, pointer: int) -> Step:
        """Return a step that one of its outputs leads to."""
        return Step(self.recipe, pointer, (*self.path, self.pointer), self.environment)

    def message(self, pointer: int, payload: Mapping[str, Json]) -> Iterator[Outgoing]:
        """Yield what is sent to a step: once to its queue, once to its topic, if it has them.

        Only the steps that can be reached from there travel on: there may be one message per image.
        """
        target = self.recipe[str(pointer)]
        body = {
            "environment": self.environment,
            "payload": payload,
            "recipe": self._from(pointer),
            "recipe-path": [*self.path, self.pointer],
            "recipe-pointer": pointer,
        }
        for kind in ("queue", "topic"):
            if name := target.get(kind):
                yield Outgoing(kind, name, body, target.get("exchange"), target.get("transport-delay"))

    def send(self, output: str, payload: Mapping[str, Json], *, default: str | None = None) -> Iterator[Outgoing]:
        """Yield what is sent when an output is written to; unnamed ones are that of the name `default`."""
        for pointer in self.unnamed if output == default and self.unnamed else self.outputs.get(output, ()):
            yield from self.message(pointer, payload)

    def _from(self, pointer: int) -> dict[str, Any]:
        """The recipe as far as it goes on from a step."""
        found = {pointer}
        new = [pointer]
        while new:
            step = self.at(new.pop())
            further = {end for ends in (*step.outputs.values(), step.unnamed) for end in ends} - found
            found |= further
            new += further
        return {str(one): self.recipe[str(one)] for one in sorted(found)} | {"start": [[pointer, []]]}


def _checked(step: Step) -> None:
    """Follow every way; KeyError for one that leads nowhere, TypeError for what is no step."""
    seen: set[int] = set()
    new = [step.pointer]
    while new:
        at = step.at(new.pop())
        if not isinstance(at.words, dict) or not isinstance(at.parameters, dict):
            raise TypeError(f"step {at.pointer}")
        seen.add(at.pointer)
        new += {end for ends in (*at.outputs.values(), at.unnamed) for end in ends} - seen


def _pointers(ends: Any) -> tuple[int, ...]:
    return tuple(int(end) for end in (ends if isinstance(ends, list) else [ends]))
