"""Frozen settings, checked before anything starts; the only reader of the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What the environment may say: ``FILEWATCHER_STATE_DIR``, ``XDG_STATE_HOME``."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    filewatcher_state_dir: Path | None = None
    """Journals; a folder on a local file system."""
    xdg_state_home: Path = Field(default_factory=lambda: Path.home() / ".local" / "state")

    @property
    def state_dir(self) -> Path:
        """Where journals are kept."""
        return (self.filewatcher_state_dir or self.xdg_state_home / "filewatcher").absolute()
