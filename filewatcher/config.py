"""Frozen settings, checked before anything starts; the only reader of the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from filewatcher.errors import Refused


class Settings(BaseSettings):
    """What the environment may say, by the names of the fields in capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    filewatcher_state_dir: Path | None = None
    """Journals; a folder on a local file system."""
    filewatcher_debug: bool = False
    """Show where a fault of filewatcher happened."""
    filewatcher_watch_share: float = Field(default=0.2, gt=0, le=1)
    """Of one core: what watching files may take, all collections of a process together."""
    xdg_state_home: Path = Field(default_factory=lambda: Path.home() / ".local" / "state")
    xdg_cache_home: Path = Field(default_factory=lambda: Path.home() / ".cache")

    @property
    def state_dir(self) -> Path:
        """Where journals are kept."""
        return (self.filewatcher_state_dir or self.xdg_state_home / "filewatcher").absolute()

    @property
    def cache_dir(self) -> Path:
        """Where things are kept that can be made again."""
        return (self.xdg_cache_home / "filewatcher").absolute()


def read_settings() -> Settings:
    """Read the environment. Raises `Refused` for a value that makes no sense."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper()
        raise Refused(f"environment variable {name}={first['input']!r}: {first['msg']}") from error
