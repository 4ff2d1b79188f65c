"""Frozen settings, checked before anything starts; the only reader of the environment."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from filewatcher.errors import Refused

PROFILE_PREFIX = "FILEWATCHER_PROFILE__"


class Settings(BaseSettings):
    """What the environment may say, by the names of the fields in capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    filewatcher_state_dir: Path | None = None
    """Journals; a folder on a local file system."""
    filewatcher_debug: bool = False
    """Show where a fault of filewatcher happened."""
    filewatcher_watch_share: float = Field(default=0.2, gt=0, le=1)
    """Of one core: what watching files may take, all collections of a process together."""
    filewatcher_direct_index: bool = True
    """Read the chunk index of a growing file as it lies on disk; libhdf5, slower in long files, only checks."""
    filewatcher_zocalo_broker: str | None = None
    """RabbitMQ where a configuration names none: an AMQP URL, or an environment of zocalo's configuration."""
    xdg_state_home: Path = Field(default_factory=lambda: Path.home() / ".local" / "state")
    xdg_cache_home: Path = Field(default_factory=lambda: Path.home() / ".cache")
    xdg_config_home: Path = Field(default_factory=lambda: Path.home() / ".config")
    filewatcher_profile: str | None = None
    """Name or path of the profile where a command names none."""
    filewatcher_site_profiles: Path = Path("/etc/filewatcher/profiles")
    """Profiles of the site; a folder that its administrators write."""

    ispyb_credentials: Path | None = None
    """File that says how to log in to the beamline's database."""
    filewatcher_ispyb_rows: int = Field(default=100_000, ge=0)
    """Images of a grid up to which each has a row there; a larger one gets an attachment instead."""
    filewatcher_ispyb_patience: float = Field(default=60.0, ge=0)
    """Seconds that the end of a collection waits for what is still to be written there."""
    filewatcher_url: str | None = None
    """The daemon that ``status`` and ``cancel`` ask."""
    filewatcher_token: str | None = Field(default=None, repr=False)
    """What they show it."""

    @property
    def state_dir(self) -> Path:
        """Where journals are kept."""
        return (self.filewatcher_state_dir or self.xdg_state_home / "filewatcher").absolute()

    @property
    def cache_dir(self) -> Path:
        """Where things are kept that can be made again."""
        return (self.xdg_cache_home / "filewatcher").absolute()

    @property
    def profile_folders(self) -> tuple[Path, Path]:
        """Where profiles are looked up: the site's, then the user's, which win."""
        return self.filewatcher_site_profiles.absolute(), (self.xdg_config_home / "filewatcher/profiles").absolute()


def read_profile_values() -> dict[str, tuple[str, str]]:
    """Values of profiles in the environment: variable -> (key, text).

    ``FILEWATCHER_PROFILE__SLURM__PARTITION`` is ``slurm.partition``; names of variables for workers keep their case.
    """
    found = {}
    for name, text in sorted(os.environ.items()):
        if name.startswith(PROFILE_PREFIX) and text:
            section, *key = name.removeprefix(PROFILE_PREFIX).split("__", 2)
            found[name] = (".".join([section.lower(), *(part.lower() for part in key[:1]), *key[1:]]), text)
    return found


def on_this_machine(path: str) -> str:
    """Replace ``~`` and variables in a path of a profile. Raises `Refused` for a variable that is not set here."""
    try:
        known = {"TMPDIR": tempfile.gettempdir(), **{name: text for name, text in os.environ.items() if text}}
        given = re.sub(r"\$\{?(\w+)\}?", lambda name: known[name[1]], path)
    except KeyError as error:
        raise Refused(f"workers.local_directory: {path}: {error.args[0]} is not set on this machine") from error
    return str(Path(given).expanduser())


def read_settings() -> Settings:
    """Read the environment. Raises `Refused` for a value that makes no sense."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper()
        raise Refused(f"environment variable {name}={first['input']!r}: {first['msg']}") from error
