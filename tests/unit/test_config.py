from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from filewatcher.config import read_profile_values, read_settings

STATE = "from filewatcher.config import read_settings; print(read_settings().state_dir)"


def state_dir(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", STATE],
        env={"HOME": "/home/me", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({}, "/home/me/.local/state/filewatcher"),
        ({"XDG_STATE_HOME": "/var/state"}, "/var/state/filewatcher"),
        ({"XDG_STATE_HOME": "/var/state", "FILEWATCHER_STATE_DIR": "/var/lib/filewatcher"}, "/var/lib/filewatcher"),
        ({"FILEWATCHER_STATE_DIR": ""}, "/home/me/.local/state/filewatcher"),
    ],
)
def test_where_state_goes(environment: dict[str, str], folder: str) -> None:
    assert Path(state_dir(**environment).stdout.strip()) == Path(folder)


def test_values_of_profiles_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILEWATCHER_PROFILE__SLURM__PARTITION", "live")
    monkeypatch.setenv("FILEWATCHER_PROFILE__SCHEDULER", "local")
    monkeypatch.setenv("FILEWATCHER_PROFILE__ENVIRONMENT__VARIABLES__One__Two", "3")
    monkeypatch.setenv("FILEWATCHER_PROFILE__WORKERS__JOBS_MAX", "")
    assert read_profile_values() == {
        "FILEWATCHER_PROFILE__ENVIRONMENT__VARIABLES__One__Two": ("environment.variables.One__Two", "3"),
        "FILEWATCHER_PROFILE__SCHEDULER": ("scheduler", "local"),
        "FILEWATCHER_PROFILE__SLURM__PARTITION": ("slurm.partition", "live"),
    }


def test_where_profiles_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("FILEWATCHER_SITE_PROFILES", raising=False)
    assert read_settings().profile_folders == (
        Path("/etc/filewatcher/profiles"),
        Path("/home/me/.config/filewatcher/profiles"),
    )


def test_a_value_without_sense_is_named() -> None:
    refused = state_dir(FILEWATCHER_DEBUG="perhaps")
    assert "Refused: environment variable FILEWATCHER_DEBUG='perhaps'" in refused.stderr


def test_a_share_of_a_core_is_more_than_nothing() -> None:
    refused = state_dir(FILEWATCHER_WATCH_SHARE="0")
    assert "Refused: environment variable FILEWATCHER_WATCH_SHARE='0'" in refused.stderr
