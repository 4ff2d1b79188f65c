"""``profile``: which profiles there are, what one says, whether it can work."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from filewatcher.errors import Refused

if TYPE_CHECKING:
    from filewatcher.profiles import Loaded

app = typer.Typer(no_args_is_help=True, help="Where workers run: list, show and check profiles.")

Word = Annotated[str | None, typer.Argument(metavar="NAME|PATH", help="Profile.", show_default="local")]
Words = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Another value; repeatable."),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]

Folder = Annotated[
    Path, typer.Option(file_okay=False, exists=True, help="Where a frame is put; all nodes must see it.")
]
Patience = Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait for the worker.")]


@app.command("list")
def list_profiles(as_json: AsJson = False) -> None:
    """List the profiles that can be asked for by name, and where they are."""
    from filewatcher.cli.collecting.profiles import search_path  # noqa: PLC0415  heavy: --help must not wait for it

    search = search_path()
    rows = [_row(name, path) for name, path in search.names().items()]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        typer.echo(f"{row['name']:<{width}}  {row['path']}  {row['problem'] or row['description']}".rstrip())
    typer.echo(f"looked up in {', '.join(str(folder) for folder in reversed(search.folders))}", err=True)


def _row(name: str, path: Path) -> dict[str, Any]:
    from filewatcher.profiles.tree import read  # noqa: PLC0415

    row: dict[str, Any] = {"name": name, "path": str(path), "description": None, "problem": None}
    try:
        described = read(path).plain()
    except Refused as error:
        return row | {"problem": str(error)}
    assert isinstance(described, dict)
    return row | {"description": described.get("description")}


@app.command()
def show(profile: Word = None, words: Words = None, as_json: AsJson = False) -> None:
    """Print the whole profile as YAML, with the origin of every value: file and line, variable, option, default."""
    from filewatcher.cli.collecting.profiles import choose  # noqa: PLC0415  heavy: --help must not wait for it
    from filewatcher.profiles.showing import as_yaml, flat, origin  # noqa: PLC0415

    loaded = choose(profile, words or ())
    if as_json:
        origins = {".".join(place): origin(loaded, place) for place, _ in flat(loaded.profile)}
        typer.echo(json.dumps({"profile": loaded.profile.model_dump(mode="json"), "origins": origins}))
    else:
        typer.echo(as_yaml(loaded), nl=False)


@app.command()
def check(profile: Word = None, words: Words = None, as_json: AsJson = False) -> None:
    """Check a profile without starting anything: the plan, and the sbatch script of its jobs on standard output."""
    from filewatcher.cli.collecting.profiles import choose  # noqa: PLC0415  heavy: --help must not wait for it

    loaded = choose(profile, words or ())
    if as_json:
        typer.echo(json.dumps({"profile": loaded.name, "plan": dict(told(loaded)), "script": script(loaded)}))
        return
    typer.echo(f"{loaded.name} ({loaded.files[0]}) is in order", err=True)
    for subject, words_of_it in told(loaded):
        typer.echo(f"{subject:<10} {words_of_it}", err=True)
    typer.echo(script(loaded) or "", nl=False)


@app.command("test")
def try_out(
    profile: Word = None,
    words: Words = None,
    folder: Folder = Path(),
    patience: Patience = 300.0,
    as_json: AsJson = False,
) -> None:
    """Start one worker as the profile says, let it analyse one frame, say how long that took, and give it back."""
    import asyncio  # noqa: PLC0415  heavy: --help must not wait for it

    from filewatcher.cli.collecting.profiles import choose  # noqa: PLC0415
    from filewatcher.cli.trial import trial  # noqa: PLC0415

    loaded = choose(profile, words or ())

    def say(sentence: str) -> None:
        typer.echo(sentence, err=True)

    steps = asyncio.run(trial(loaded.profile, folder.absolute(), patience, say)).steps
    if as_json:
        typer.echo(json.dumps({"profile": loaded.name, "seconds": {what: round(took, 3) for what, took in steps}}))
        return
    for what, took in steps:
        typer.echo(f"{took:6.1f} s  {what}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of a profile, for editors."""
    from filewatcher.profiles.showing import schema as made  # noqa: PLC0415  heavy: --help must not wait for it

    typer.echo(json.dumps(made(), indent=2))


def told(loaded: Loaded) -> Iterator[tuple[str, str]]:
    """Yield the plan of a profile on this machine, subject and words."""
    from filewatcher.edges.dask_pool import cores  # noqa: PLC0415  heavy: --help must not wait for it
    from filewatcher.profiles.plan import plan  # noqa: PLC0415

    yield from plan(loaded.profile, cores())


def script(loaded: Loaded) -> str | None:
    """Return the sbatch script of a job of this profile; None where there are no jobs."""
    if loaded.profile.kind != "slurm":
        return None
    from filewatcher.edges.cluster import job_script  # noqa: PLC0415  heavy: --help must not wait for it

    return job_script(loaded.profile, home=Path.home(), python=sys.executable)
