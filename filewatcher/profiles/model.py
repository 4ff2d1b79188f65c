"""A profile: where workers run, how many, with what. One model per section of the YAML file.

Every scalar arrives as text, as it stands in the file; the field decides what it means. So ``no`` stays the name of a
partition, ``0123`` the number of an account and ``8:00:00`` is not 28,800 of something.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from filewatcher.profiles import rules, units

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
VERSION = 1
"""Of the profile format."""


def _reads(parse: Callable[[str], T], word: str | None = None) -> BeforeValidator:
    """Read text by `parse`; `word` stands for None. What is no text was made by a program and is taken as it is."""

    def read(value: object) -> object:
        if word is not None and value == word:
            return None
        return parse(value) if isinstance(value, str) else value

    return BeforeValidator(read)


def _writes(form: Callable[[T], str], word: str = "") -> PlainSerializer:
    def write(value: T | None) -> str:
        return word if value is None else form(value)

    return PlainSerializer(write, return_type=str)


def _text_schema(pattern: str, *words: str) -> WithJsonSchema:
    either = "|".join([pattern.removeprefix("^").removesuffix("$"), *words])
    return WithJsonSchema({"type": "string", "pattern": f"^({either})$"})


def _count_schema(least: int, *words: str) -> WithJsonSchema:
    number: dict[str, object] = {"type": "integer", "minimum": least}
    return WithJsonSchema({"anyOf": [number, {"enum": list(words)}]} if words else number)


Positive = Annotated[float, Field(gt=0)]
PositiveWhole = Annotated[int, Field(gt=0)]
_TIME, _MEMORY = units.DURATION_PATTERN, units.MEMORY_PATTERN

Seconds = Annotated[Positive, _reads(units.seconds), _writes(units.as_duration), _text_schema(_TIME)]
SecondsOrNever = Annotated[
    Positive | None, _reads(units.seconds, "never"), _writes(units.as_duration, "never"), _text_schema(_TIME, "never")
]
BytesOrAuto = Annotated[
    PositiveWhole | None, _reads(units.size, "auto"), _writes(units.as_size, "auto"), _text_schema(_MEMORY, "auto")
]
JobMemory = Annotated[
    PositiveWhole | Literal["omit"] | None,
    _reads(lambda text: text if text == "omit" else units.size(text), "auto"),
    _writes(lambda amount: amount if isinstance(amount, str) else units.as_size(amount), "auto"),
    _text_schema(_MEMORY, "auto", "omit"),
]
Count = Annotated[int, _reads(units.whole), _count_schema(0), Field(ge=0)]
CountFromOne = Annotated[int, _reads(units.whole), _count_schema(1), Field(ge=1)]
CountOrCores = Annotated[
    PositiveWhole | None, _reads(units.whole, "cores"), _writes(str, "cores"), _count_schema(1, "cores")
]
Name = Annotated[str, AfterValidator(rules.job_name_part)]
Variables = Annotated[
    dict[Annotated[str, AfterValidator(rules.variable)], str],
    WithJsonSchema({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}),
]


class Section(BaseModel):
    """What all sections have in common: unknown keys are refused, nothing changes later."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Slurm(Section):
    """What Slurm is asked for; used with ``scheduler: slurm``."""

    partition: Name | None = Field(
        default=None, description="partition, or several with commas; must be given for Slurm"
    )
    account: Name | None = Field(default=None, description="account that the jobs are charged to")
    qos: Name | None = Field(default=None, description="quality of service")
    walltime: Seconds = Field(
        default=8 * 3600.0, description="longest life of a job; at least 1min. Workers retire before it is over"
    )
    job_memory: JobMemory = Field(
        default=None,
        description="memory of a job; auto = that of its workers and 10 % + 128MiB per worker for Dask's nannies; "
        "omit = ask for none, where the site forbids it",
    )
    extra_directives: tuple[Annotated[str, AfterValidator(rules.checked_directive)], ...] = Field(
        default=(), description="further options of sbatch, one per item, for what has no key here"
    )
    log_directory: Annotated[str, AfterValidator(rules.shared_directory)] | None = Field(
        default=None,
        description="folder for the output of jobs, seen by all nodes; none = it is thrown away",
    )


class Workers(Section):
    """How many workers, and what each of them has."""

    jobs_min: Count = Field(default=0, description="jobs kept running between collections (warm)")
    jobs_max: CountFromOne = Field(default=1, description="most jobs at a time")
    per_job: CountOrCores = Field(
        default=None,
        description="worker processes in a job, one core each; cores = one per core of this machine (local only)",
    )
    threads: CountFromOne = Field(
        default=1, le=1, description="threads of a worker; only 1: the engine holds Python's lock while it works"
    )
    memory_each: BytesOrAuto = Field(
        default=None,
        description="memory of a worker; above 95 % of it Dask restarts the worker; auto = a fair share (local)",
    )
    local_directory: Annotated[str, AfterValidator(rules.node_directory)] | None = Field(
        default=None, description="folder on a disk of the node for Dask's scratch files; $TMPDIR is understood"
    )
    interface: Annotated[str, AfterValidator(rules.host_interface)] | None = Field(
        default=None, description="network interface of the workers, and of the scheduler"
    )
    scheduler_interface: Annotated[str, AfterValidator(rules.host_interface)] | None = Field(
        default=None, description="network interface of the scheduler, where it is another one"
    )


class Environment(Section):
    """What a worker finds when it starts."""

    setup: tuple[str, ...] = Field(default=(), description="shell lines run in a job of Slurm before the worker")
    python: Annotated[str, AfterValidator(rules.python)] | None = Field(
        default=None,
        description="Python in a job of Slurm, seen by all nodes; none = the one that runs filewatcher",
    )
    variables: Variables = Field(default_factory=dict, description="environment variables, set after setup")


class Limits(Section):
    """How work is handed out."""

    frames_per_task_max: CountFromOne = Field(default=64, description="most frames in one task, when frames come fast")
    in_flight_per_worker: CountFromOne = Field(default=3, description="tasks per worker, the running one included")
    retries: Count = Field(default=2, description="times a frame is tried again after its worker died")
    frame_timeout: Seconds = Field(default=60.0, description="longest time for one frame; then its worker is replaced")
    idle_release: SecondsOrNever = Field(
        default=900.0, description="jobs above jobs_min are given back after this time without work; never = kept"
    )


class Profile(Section):
    """All of it, checked: what is in it can be done."""

    version: Annotated[int, _reads(units.whole)] = Field(
        default=VERSION, description="version of this format", json_schema_extra={"const": VERSION}
    )
    description: str = Field(default="", description="one line for filewatcher profile list; not inherited")
    scheduler: str = Field(
        default="local",
        description="who runs the workers: local, slurm, a running Dask scheduler (tcp://host:port, tls://host:port), "
        "or its scheduler file (/path/to/it.json)",
    )
    fallback_after: SecondsOrNever = Field(
        default=60.0, description="no worker of Slurm by then: local ones take over, and it is said; never = wait"
    )
    slurm: Slurm = Slurm()
    workers: Workers = Workers()
    environment: Environment = Environment()
    limits: Limits = Limits()

    @property
    def kind(self) -> Literal["local", "slurm", "address", "file"]:
        """How `scheduler` is meant."""
        match self.scheduler:
            case "local" | "slurm" as kind:
                return kind
            case address:
                return "address" if "://" in address else "file"

    @model_validator(mode="after")
    def _possible(self) -> Profile:
        if self.version != VERSION:
            raise at("version", f"{self.version} is not known to this filewatcher: write {VERSION}")
        if self.workers.jobs_min > self.workers.jobs_max:
            raise at(
                "workers.jobs_min",
                f"{self.workers.jobs_min} is more than jobs_max, {self.workers.jobs_max}: lower it, or raise jobs_max",
            )
        if not re.fullmatch(r"local|slurm|(tcp|tls)://[\w.\-\[\]:]+:\d+|[~/].*\.json", self.scheduler):
            raise at(
                "scheduler",
                f"{self.scheduler!r} is not known: write local, slurm, tcp://host:port, tls://host:port, "
                "or the absolute path of a scheduler file (.json)",
            )
        if self.kind == "slurm":
            self._slurm_possible()
        return self

    def _slurm_possible(self) -> None:
        if self.slurm.partition is None:
            raise at(
                "slurm.partition",
                "Slurm needs a partition: write partition: NAME in the section slurm (sinfo -s lists them)",
            )
        if self.slurm.walltime < 60:
            shown = units.as_duration(self.slurm.walltime)
            raise at("slurm.walltime", f"{shown} is shorter than Slurm can count: write 1min or more")
        if self.workers.per_job is None:
            raise at(
                "workers.per_job", "a job of Slurm needs a number: write per_job: 20 (cores is for scheduler: local)"
            )
        if self.workers.memory_each is None:
            raise at("workers.memory_each", "a job of Slurm needs an amount: write memory_each: 3GiB")
        least = self.workers.per_job * self.workers.memory_each
        if isinstance(self.slurm.job_memory, int) and self.slurm.job_memory <= least:
            raise at(
                "slurm.job_memory",
                f"{units.as_size(self.slurm.job_memory)} is not more than the {self.workers.per_job} x "
                f"{units.as_size(self.workers.memory_each)} of its workers: Slurm would kill them; write auto",
            )


def at(place: str, sentence: str) -> PydanticCustomError:
    """Make an error of the whole profile that belongs to one place in it, as ``slurm.partition``."""
    return PydanticCustomError("profile", "{sentence}", {"place": place, "sentence": sentence})
