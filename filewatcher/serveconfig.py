"""How a daemon is set up: one YAML file, checked whole before anything starts."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from filewatcher.errors import Refused

DEFAULT = Path("/etc/filewatcher/serve.yaml")
"""Read where no other file is named, if it is there."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
EXPECTED = {
    "model_type": "should have keys below it",
    "tuple_type": "should be a list, as [a, b]",
    "string_type": "should be text",
    "path_type": "should be a path",
}
"""What a key should be, by pydantic's type of error, where its own words are not for people."""
Count = Annotated[int, Field(ge=1, le=100_000)]


class Section(BaseModel):
    """Nothing that is not named."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Listen(Section):
    """Where the server listens, and what it is called."""

    host: str = "127.0.0.1"
    """Beyond this machine, `tokens` and `roots` are required."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8765
    """0 = any that is free; it is said at the start."""
    certificate: Path | None = None
    """PEM, with `key`: serve by TLS."""
    key: Path | None = None
    proxied: bool = False
    """A proxy on this machine brings the visitors, by TLS."""
    names: tuple[str, ...] = ()
    """Host names under which browsers reach it, beside `host`; ``*`` = any."""

    @model_validator(mode="after")
    def _pair(self) -> Listen:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: give both or neither")
        return self

    @property
    def public(self) -> bool:
        """Whether others than this machine can reach it."""
        return self.host not in LOOPBACK or self.proxied

    @property
    def secure(self) -> bool:
        """Whether browsers reach it by https."""
        return self.certificate is not None or self.proxied


class Limits(Section):
    """How much at once."""

    running: Count = 16
    """Collections that are watched at once; each has a reader process of its own."""
    queued: Count = 200
    """Collections that wait for that; more are refused."""
    remembered: Count = 5000
    """Collections that have ended and are still listed."""
    body: Annotated[int, Field(ge=1024, le=2**24)] = 65536
    """Bytes of a request."""
    viewers: Count = 1000
    """Connections at once."""


class Watched(Section):
    """A folder in which a new master starts a collection."""

    folder: Path
    patterns: tuple[str, ...] = ("*.nxs", "*_master.h5")
    """Names of masters, as a shell writes them."""
    poll: Annotated[float, Field(gt=0, le=3600)] | Literal["auto"] = "auto"
    """Seconds between two looks where the kernel tells nothing; auto = 2 on network mounts, else the kernel tells."""
    depth: Annotated[int, Field(ge=0, le=10)] = 3
    """Folders below it that are watched too."""


class Zocalo(Section):
    """A queue on RabbitMQ whose messages ask for collections, and whose recipes are answered."""

    queue: str
    broker: SecretStr | None = None
    """``amqp://user:password@host:port/vhost``, or an environment of zocalo's configuration; none = its default one."""
    replaces: tuple[str, ...] = ("per_image_analysis",)
    """Queues of the per-image analysis that is replaced: the outputs of its step are written to in its place."""


class ServeConfig(Section):
    """All keys; what is left out has its default."""

    listen: Listen = Listen()
    tokens: Path | None = None
    """File with lines ``control TOKEN`` and ``read TOKEN``, mode 0600."""
    roots: tuple[Path, ...] = ()
    """Folders in which masters may be; on loopback, none = everywhere."""
    results: Path | None = None
    """Folder in which each run gets one of its own; none = ``results`` in the state directory."""
    profile: str | None = None
    """Where workers run."""
    limits: Limits = Limits()
    watch_directories: tuple[Watched, ...] = ()
    zocalo: Zocalo | None = None
    notify: tuple[str, ...] = ()
    """URLs that are told of every frame, as ``--notify``."""
    watch_share: Annotated[float, Field(gt=0, le=16)] | None = None
    """Of one core: what watching files may take, all collections together."""

    @model_validator(mode="after")
    def _guarded(self) -> ServeConfig:
        if self.listen.public:
            for name in ("tokens", "roots"):
                if not getattr(self, name):
                    raise ValueError(f"beyond this machine (listen.host {self.listen.host}), {name} must be given")
        return self

    def allowed(self) -> tuple[Path, ...]:
        """Return the folders in which masters may be."""
        return self.roots or (Path("/"),)


def load(path: Path | None, changes: dict[str, Any] | None = None) -> ServeConfig:
    """Read a file (None: the default one, if there is one), with `changes` from options, section by section.

    Raises `Refused`, naming the file, the key and the value.
    """
    where = path or DEFAULT
    given: Any = {}
    if path is not None or where.exists():
        try:
            given = yaml.safe_load(where.read_text()) or {}
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(f"{where} cannot be read: {getattr(error, 'strerror', error)}") from error
        except yaml.YAMLError as error:
            raise Refused(f"{where} is no YAML: {' '.join(str(error).split())}") from error
        if not isinstance(given, dict):
            raise Refused(f"{where}: expected keys such as 'listen:' and 'roots:'")
    for key, value in (changes or {}).items():
        section = given.get(key) or {}
        if not isinstance(value, dict):
            given[key] = value
        elif isinstance(section, dict):  # else it is refused below
            given[key] = section | value
    try:
        return ServeConfig.model_validate(given)
    except ValidationError as error:
        raise Refused(f"{where if path or where.exists() else 'serve'}: {_sentence(error)}") from error


def _sentence(error: ValidationError) -> str:
    """Say the first mistake; never a value that may be, or hold, a password."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(first["loc"][-1]), _keys(ServeConfig), 1)
        return f"unknown key {where}" + (f"; did you mean {near[0]}?" if near else "")
    if first["type"] == "missing":
        return f"{where} must be given"
    if first["type"] == "value_error":
        return first["msg"].removeprefix("Value error, ")
    words = EXPECTED.get(first["type"], first["msg"].removeprefix("Input "))
    return f"{where} {words}" + ("" if "broker" in first["loc"] else f", not {first['input']!r}")


def _keys(model: type[BaseModel]) -> list[str]:
    found: list[str] = []
    for name, field in model.model_fields.items():
        found.append(name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found += _keys(field.annotation)
    return [*found, *Watched.model_fields] if model is ServeConfig else found
