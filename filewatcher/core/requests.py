"""What a zocalo message asks for: a step of a recipe, or a trigger that no dispatcher has made one of.

Names are those of dlstbx (the steps of its filewatcher and of its per-image analysis) and of mx-bluesky (Hyperion's
triggers).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from filewatcher.core.asks import Ask, Priority
from filewatcher.core.recipes import Step
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from filewatcher.core.lines import Json

Event: TypeAlias = Literal["start", "end"]

RESULT = "result"
"""The output of a per-image analysis; a step that names no outputs means this one."""
ABSENT = frozenset({"", "None", "null"})
"""What a recipe has in place of a parameter that nobody gave."""
PIA_PARAMETERS: Mapping[str, Json] = {"threshold_algorithm": "dispersion", "disable_parallax_correction": True}
"""Where a recipe leaves them out, as in dlstbx; the defaults of its other parameters are ours too."""
PIA_NAMES = ("d_min", "d_max", "threshold_algorithm", "disable_parallax_correction", "filter_ice", "ice_rings_width")


@dataclass(frozen=True, slots=True)
class Request:
    """What a message asks for."""

    event: Event
    dcid: int | None
    master: str | None
    """Absolute path; None = the data collection id says where it is."""
    frames: int | None
    """Images of the master; None = as it says."""
    timeout: float | None = None
    """Seconds without a new image."""
    timeout_first: float | None = None
    """Seconds for the first one."""
    begun: int = 0
    """Images that another filewatcher has told of, the first so many, before it handed the message on."""
    burst: int | None = None
    """Images whose messages are sent together, at most."""
    parameters: tuple[str, ...] = ()
    """Of spot finding, ``key=value``."""
    step: Step | None = None
    """Whose outputs are to be answered; None = nobody wants an answer."""

    def ask(self) -> Ask:
        """Return it in our words."""
        return Ask(
            () if self.master is None else (self.master,),
            frames=self.frames,
            dcids=() if self.dcid is None else (self.dcid,),
            parameters=self.parameters,
            # a recipe that goes on to a grid is waited for
            priority=Priority.INTERACTIVE if self._centres else None,
            timeout_first=self.timeout if self.timeout_first is None else self.timeout_first,
            timeout=self.timeout,
            origin="zocalo",
        )

    @property
    def _centres(self) -> bool:
        steps = {} if self.step is None else self.step.recipe
        return any("gridinfo" in words for words in steps.values() if isinstance(words, dict))

    @property
    def whole(self) -> bool:
        """Whether the step stands for the analysis of the whole collection, not only for watching its file."""
        return self.step is not None and "hdf5" not in self.step.parameters

    @property
    def name(self) -> str:
        """Equal for a message that is delivered twice."""
        step = self.step
        words = [] if step is None else [step.environment.get("ID"), *step.path, step.pointer]
        return _digest(self._subject, words)

    @property
    def purpose(self) -> str:
        """Equal for two recipes that want the same of the same collection: to answer both would count images twice."""
        step = self.step
        outputs = {} if step is None else {**step.outputs, "": step.unnamed}
        ends = {
            name: sorted(str(_end(step, one)) for one in ends) for name, ends in outputs.items() if step is not None
        }
        return _digest(self._subject, ends)

    @property
    def _subject(self) -> list[object]:
        return [self.event, self.dcid, self.master, self.frames, *self.parameters]


def read_request(message: Mapping[str, Any], *, recipe: bool, absorbed: frozenset[str]) -> Request:
    """Understand a message: the step of a `recipe`, or a trigger that no dispatcher has made one of.

    `absorbed`: queues of the per-image analysis that we replace. Raises `Refused`, with the reason.
    """
    if recipe:
        step = Step.parse(message)
        payload = message.get("payload")
        given = {**step.parameters, **(payload if isinstance(payload, dict) else {})}
    else:
        step, given = None, message.get("parameters") or {}
        if not isinstance(given, dict):
            raise Refused("this message has parameters that are no dictionary")
    read = _Parameters(given)
    if "hdf5" not in given and ("pattern" in given or "list" in given):
        raise Refused("this step watches single files (pattern or list): only HDF5 collections (hdf5) are watched here")
    event = read.word("event") or "start"
    if event not in {"start", "end"}:
        raise Refused(f"event is {event!r}: expected start or end")
    dcid = read.whole("ispyb_dcid", "dcid")
    master = _master(read, dcid)
    frames = read.whole("number_of_frames", least=1)
    return Request(
        cast("Event", event),
        dcid,
        master,
        # one that is looked up may be one of a pair, and its own master knows
        None if master is None else frames,
        read.number("timeout"),
        read.number("timeout-first"),
        _begun(given),
        read.whole("burst-limit", least=1),
        () if step is None else _spot_finding(step, absorbed),
        step,
    )


def absorbed_by(step: Step, pointer: int, absorbed: frozenset[str]) -> bool:
    """Whether an output leads to a per-image analysis, which we replace: its outputs are ours to write to."""
    return step.at(pointer).queue in absorbed


def _master(read: _Parameters, dcid: int | None) -> str | None:
    """The path, if it is one: Hyperion names a file in the detector's memory, and where in it a grid begins."""
    path = read.word("hdf5") or read.word("filename")
    if read.word("event") == "end" and dcid is not None:
        return None
    first = read.whole("start_frame_index") or 0
    usable = path is not None and path.startswith("/") and first == 0
    if not usable and dcid is None:
        where = f"filename is {path!r}" if first == 0 else f"it begins at image {first} of {path!r}"
        raise Refused(f"{where}, and there is no data collection id (ispyb_dcid) to look the master up by")
    return path if usable else None


def _begun(given: Mapping[str, Any]) -> int:
    status = given.get("filewatcher-status")
    return _Parameters(status).whole("seen-images") or 0 if isinstance(status, dict) else 0


def _spot_finding(step: Step, absorbed: frozenset[str]) -> tuple[str, ...]:
    """The parameters of all per-image analyses of the recipe: one that has several asks for one collection."""
    steps = [step.at(int(pointer)) for pointer in step.recipe if pointer.isdigit()]
    found = [_words(one.parameters) for one in steps if one.queue in absorbed] or [_words(step.parameters)]
    if any(one != found[0] for one in found):
        raise Refused("the per-image analyses of this recipe have different parameters: give them one recipe each")
    return found[0]


def _words(given: Mapping[str, Any]) -> tuple[str, ...]:
    words = []
    for name in PIA_NAMES:
        value = given.get(name, PIA_PARAMETERS.get(name))
        if value is None or str(value).strip() in ABSENT:
            if name in given and name in {"d_min", "d_max"}:
                words.append(f"{name}=none")
            continue
        if name == "disable_parallax_correction":
            name, value = "parallax_correction", str(value).strip().lower() not in {"true", "1"}  # noqa: PLW2901
        words.append(f"{name}={str(value).lower() if isinstance(value, bool) else value}")
    return tuple(words)


class _Parameters:
    """Parameters, which recipes have as words or numbers, or leave out."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def word(self, name: str) -> str | None:
        value = self._given.get(name)
        word = None if value is None else str(value).strip()
        # a placeholder that the dispatcher had nothing for
        return None if word is None or word in ABSENT or word == f"{{{name}}}" else word

    def number(self, name: str) -> float | None:
        word = self.word(name)
        try:
            number = None if word is None else float(word)
        except ValueError:
            number = -1.0
        if number is not None and not 0 <= number < 1e9:
            raise Refused(f"{name} is {self._given[name]!r}: expected a number from 0")
        return number

    def whole(self, *names: str, least: int = 0) -> int | None:
        for name in names:
            number = self.number(name)
            if number is not None and (number != int(number) or number < least):
                raise Refused(f"{name} is {self._given[name]!r}: expected a whole number from {least}")
            if number is not None:
                return int(number)
        return None


def _end(step: Step, pointer: int) -> str:
    words = step.at(pointer).words
    return f"{words.get('queue')} {words.get('topic')}"


def _digest(*what: object) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:24]
