"""What pydantic found, as sentences: the place, what is wrong there, the way out."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from filewatcher.profiles.model import Profile, Section
from filewatcher.profiles.tree import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from filewatcher.profiles.tree import Node

FAMILIAR = {
    "queue": "slurm.partition",
    "project": "slurm.account",
    "time": "slurm.walltime",
    "job_mem": "slurm.job_memory",
    "job_extra_directives": "slurm.extra_directives",
    "memory": "workers.memory_each",
    "memory_limit": "workers.memory_each",
    "cores": "workers.per_job",
    "processes": "workers.per_job",
    "n_workers": "workers.per_job",
    "nthreads": "workers.threads",
    "jobs": "workers.jobs_max",
    "maximum_jobs": "workers.jobs_max",
    "minimum_jobs": "workers.jobs_min",
    "job_script_prologue": "environment.setup",
    "env": "environment.variables",
}
"""Names of dask-jobqueue, Dask and sbatch -> ours."""


def complaints(error: ValidationError, nodes: Mapping[tuple[str, ...], Node], file: str) -> list[str]:
    """Make one sentence per fault, in the order of the lines; `nodes` are the texts as they were written."""
    found: dict[tuple[str, ...], tuple[int, str]] = {}
    for detail in error.errors():
        place = tuple(str(part) for part in detail["loc"] if part != "[key]")
        if detail["type"] == "profile":
            place = tuple(detail["ctx"]["place"].split("."))
        elif place not in nodes:
            place = place[:-1]  # one of the types that a value may have: the first one tells enough
        known = place
        while known and known not in nodes:
            known = known[:-1]
        # where a whole section is missing, the file is all there is to point at
        origin = nodes[known].origin if known else Origin(file)
        written = nodes[place].plain() if place in nodes else None
        found.setdefault(place, (origin.line, f"{origin}: {'.'.join(place)}: {_sentence(detail, place, written)}"))
    return [sentence for _, sentence in sorted(found.values(), key=lambda one: one[0])]


def _sentence(detail: ErrorDetails, place: tuple[str, ...], written: object) -> str:
    context: dict[str, Any] = detail.get("ctx", {})
    last = place[-1]
    ways: dict[str, Callable[[], str]] = {
        "value_error": lambda: str(context["error"]),
        "profile": lambda: str(context["sentence"]),
        "extra_forbidden": lambda: _unknown(place),
        "model_type": lambda: f"is a section: write its keys ({_keys(place)}) below it, indented",
        "dict_type": lambda: "is a section: write lines NAME: value below it, indented",
        "tuple_type": lambda: f"is a list: write {last}: [{_quoted(written)}]",
        "string_type": lambda: "is one text: no list and no section can be here",
        "float_type": lambda: "is one length of time: no list and no section can be here",
        "int_type": lambda: "is one number: no list and no section can be here",
        "greater_than_equal": lambda: f"{written!r} is too small: write {context['ge']} or more",
        "greater_than": lambda: f"{written!r} is too small: write more than {context['gt']:g}",
        "less_than_equal": lambda: f"{written!r} is too large: {_why_less(place, context['le'])}",
    }
    return ways.get(detail["type"], lambda: detail["msg"])()


def _why_less(place: tuple[str, ...], most: object) -> str:
    if place == ("workers", "threads"):
        return "a worker analyses one frame at a time: write 1, and more per_job"
    return f"write {most} or less"


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else "..."


def _unknown(place: tuple[str, ...]) -> str:
    *section, key = place
    here = list(_fields(tuple(section)))
    if key in FAMILIAR:
        return f"is not a key here: write {FAMILIAR[key]}"
    elsewhere = [where for where in all_keys() if where.rpartition(".")[2] == key]
    if elsewhere:
        return f"is not a key here: it belongs in {elsewhere[0].rpartition('.')[0] or 'no section, at the left margin'}"
    if near := difflib.get_close_matches(key, here, 1, cutoff=0.6):
        return f"is not a key: did you mean {near[0]}?"
    every = {where.rpartition(".")[2]: where for where in all_keys()}
    if near := difflib.get_close_matches(key, every, 1, cutoff=0.75):
        return f"is not a key: did you mean {every[near[0]]}?"
    return f"is not a key: there are {', '.join(here)}"


def _keys(place: tuple[str, ...]) -> str:
    return ", ".join(_fields(place))


def _fields(place: tuple[str, ...]) -> Iterator[str]:
    """Yield the keys of a section, () for the outermost."""
    model: type[Section] = Profile
    for part in place:
        inner = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, Section)):
            return
        model = inner
    yield from model.model_fields


def all_keys() -> Iterator[str]:
    """Yield every key with its section: ``scheduler``, ``slurm.partition``.

    >>> "slurm.partition" in all_keys()
    True
    """
    for name in Profile.model_fields:
        yield name
        yield from (f"{name}.{inner}" for inner in _fields((name,)))
