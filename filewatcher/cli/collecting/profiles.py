"""Which profile a command means, with what the environment and its options add."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filewatcher.config import read_profile_values, read_settings
from filewatcher.errors import Refused
from filewatcher.profiles import DEFAULT, SHIPPED, Loaded, Override, SearchPath, load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from filewatcher.cli.collecting.wishes import Wishes


def search_path() -> SearchPath:
    """Return the folders with profiles: shipped, the site's, the user's."""
    return SearchPath((SHIPPED, *read_settings().profile_folders))


def from_environment() -> list[Override]:
    """Return the values that the environment gives to whatever profile is used."""
    return [Override(key, text, f"environment variable {name}") for name, (key, text) in read_profile_values().items()]


def from_options(
    words: Sequence[str], *, workers: int | None = None, frame_timeout: float | None = None
) -> Iterator[Override]:
    """Yield the values that the command line gives: --set KEY=VALUE, --workers N, --frame-timeout SECONDS."""
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise Refused(f"--set {word}: write KEY=VALUE, as --set slurm.partition=live")
        yield Override(key, text, f"--set {word}")
    if workers is not None:
        yield Override("workers.per_job", str(workers), f"--workers {workers}")
    if frame_timeout is not None:
        yield Override("limits.frame_timeout", f"{frame_timeout:.9g}s", f"--frame-timeout {frame_timeout:g}")


def chosen(wishes: Wishes) -> Loaded:
    """Load the profile that a collection is to be analysed with. Raises `Refused`."""
    return choose(wishes.profile, wishes.settings, workers=wishes.workers, frame_timeout=wishes.frame_timeout)


def choose(
    word: str | None, words: Sequence[str] = (), *, workers: int | None = None, frame_timeout: float | None = None
) -> Loaded:
    """Load the profile that is asked for, else FILEWATCHER_PROFILE, else the local one. Raises `Refused`."""
    word = word or read_settings().filewatcher_profile or DEFAULT
    options = list(from_options(words, workers=workers, frame_timeout=frame_timeout))
    loaded = load(word, search_path(), [*from_environment(), *options])
    if workers is not None and loaded.profile.kind != "local":
        raise Refused(
            f"--workers {workers}: profile {loaded.name} has its workers elsewhere ({loaded.profile.scheduler}): "
            "use --set workers.per_job=N or --set workers.jobs_max=N"
        )
    return loaded
