"""What is written to the outputs of a recipe's step, frame by frame and in the end: names and order of dlstbx.

Of an image: ``first``, ``every``, ``last``, its number, ``select-N`` and ``every-N``, where the step has these outputs;
of a collection: ``timeout`` if images are missing, ``any`` if one was seen, ``finally``. Where an output leads to a
per-image analysis that we replace, its ``result`` is written in place of the request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from filewatcher.core.lines import to_json
from filewatcher.core.messages import FrameResult
from filewatcher.core.requests import RESULT, absorbed_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from filewatcher.core.lines import Json
    from filewatcher.core.messages import FrameFailed
    from filewatcher.core.recipes import Outgoing
    from filewatcher.core.requests import Request

PIA_METRICS = (
    "n_spots_4A",
    "n_spots_no_ice",
    "n_spots_total",
    "total_intensity",
    "d_min_distl_method_1",
    "d_min_distl_method_2",
    "estimated_d_min",
    "noisiness_method_1",
    "noisiness_method_2",
)
"""Numbers of a per-image analysis, in the order in which it sends them."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many images there are."""

    expected: int | None
    """None = the master never came."""
    seen: int
    """Of these, how many were on disk."""
    first_missing: int | None
    """The lowest frame that was not, from 0."""


def selected(image: int, count: int, total: int) -> bool:
    """Whether an image (from 1) of `total` is one of `count` equidistant ones, as dlstbx counts ``select-N``.

    >>> [image for image in range(1, 201) if selected(image, 30, 200)][:6]
    [1, 7, 14, 21, 28, 35]
    >>> [image for image in range(1, 6) if selected(image, 1, 5)]
    [5]
    """
    if total <= count or image == total:
        return True
    # theirs divides by zero for one image, which is the last one here
    return count > 1 and image == 1 + round(image * (count - 1) // total) * total // (count - 1)


def outputs_of(image: int, total: int | None, names: Iterator[str] | tuple[str, ...]) -> list[str]:
    """Return to which outputs an image (from 1) is written, in production's order.

    >>> outputs_of(1, 9, ("every-3", "select-2", "every", "last", "first", "1", "finally"))
    ['first', 'every', '1', 'select-2', 'every-3']
    """
    given = tuple(names)
    found = [name for name in ("first", "every", "last", str(image)) if name in given]
    found = [name for name in found if (name != "first" or image == 1) and (name != "last" or image == total)]
    for name in given:
        if (count := _number(name, "select-")) and total is not None and selected(image, count, total):
            found.append(name)
    return found + [name for name in given if (step := _number(name, "every-")) and (image - 1) % step == 0]


def needs_total(request: Request) -> bool:
    """Whether the number of images must be known before an image can be told of."""
    names = () if request.step is None else request.step.outputs
    return any(name == "last" or _number(name, "select-") for name in names)


@dataclass(frozen=True, slots=True)
class Outputs:
    """The outputs of one step."""

    request: Request
    """It has a step."""
    master: str
    """Path."""
    absorbed: frozenset[str]
    """Queues of the per-image analysis that we replace."""

    def frame(self, outcome: FrameResult | FrameFailed, total: int | None, seen_at: float) -> Iterator[Outgoing]:
        """Yield the messages about a frame that was on disk; `seen_at`: epoch s."""
        step = self.request.step
        assert step is not None
        image = outcome.frame + 1
        result = self._result(outcome, seen_at) if isinstance(outcome, FrameResult) else None
        for name in outputs_of(image, total, tuple(step.outputs)):
            for pointer in step.outputs[name]:
                if not absorbed_by(step, pointer, self.absorbed):
                    yield from step.message(pointer, self._request(image, seen_at))
                elif result is not None:
                    yield from step.at(pointer).send(RESULT, result, default=RESULT)
        if result is not None:
            yield from step.send(RESULT, result, default=RESULT if self.request.whole else None)

    def end(self, tally: Tally) -> Iterator[Outgoing]:
        """Yield the messages at the end of the collection."""
        step = self.request.step
        assert step is not None
        counts: dict[str, Json] = {"images-expected": tally.expected, "images-seen": tally.seen}
        whole = tally.expected is not None and tally.seen >= tally.expected
        if not whole:
            index = tally.first_missing or 0
            yield from step.send("timeout", {"file": self.master, "hdf5-index": index, "success": False})
        if tally.seen:
            yield from step.send("any", counts)
        yield from step.send("finally", {**counts, "success": whole})

    def _request(self, image: int, seen_at: float) -> Mapping[str, Json]:
        return {
            "hdf5": self.master,
            "hdf5-index": image - 1,
            "file": self.master,
            "file-number": image,
            "file-seen-at": seen_at,
            "parameters": {"scan_range": f"{image},{image}"},
        }

    def _result(self, outcome: FrameResult, seen_at: float) -> Mapping[str, Json]:
        numbers = {name: to_json(getattr(outcome.statistics, name)) for name in PIA_METRICS}
        request = self._request(outcome.frame + 1, seen_at)
        return numbers | {name: value for name, value in request.items() if name.startswith("file")}


def _number(name: str, prefix: str) -> int:
    """The N of ``every-N``; 0 where it is none."""
    number = name.removeprefix(prefix)
    return int(number) if name.startswith(prefix) and number.isdigit() else 0
