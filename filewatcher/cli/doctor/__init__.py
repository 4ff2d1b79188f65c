"""``doctor``: what works here and what does not, one line each, before a night shift finds out."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Annotated

import typer

from filewatcher.cli.profile import Words

Data = Annotated[
    list[Path] | None, typer.Argument(metavar="PATH", readable=False, help="Masters, or folders with raw data.")
]
Profile = Annotated[str | None, typer.Option("--profile", metavar="NAME|PATH", help="Where workers run.")]
Output = Annotated[Path, typer.Option("--output", metavar="DIR", help="Where results are to go; seen by all nodes.")]
Patience = Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait for a worker.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON line per check on standard output.")]


def doctor(
    data: Data = None,
    profile: Profile = None,
    words: Words = None,
    output: Output = Path(),
    patience: Patience = 120.0,
    as_json: AsJson = False,
) -> None:
    """Check folders, engines, filters, clock, ISPyB, zocalo, Slurm, one worker; says what to do where it is not ok."""
    from filewatcher.cli.collecting.profiles import choose  # noqa: PLC0415
    from filewatcher.cli.doctor.checks import examine  # noqa: PLC0415  heavy: --help must not wait for it
    from filewatcher.cli.doctor.findings import Asked  # noqa: PLC0415

    asked = Asked(output.absolute(), tuple(data or ()), patience, cache(lambda: choose(profile, words or ())), [])
    for one in examine(asked):
        if as_json:
            typer.echo(json.dumps({"type": "check", "subject": one.subject, "state": one.state, "words": one.words}))
        else:
            typer.echo(f"{one.state:<11} {one.subject:<8} {one.words}")
    codes = {one.state.exit_code for one in asked.so_far}
    raise typer.Exit(1 if 1 in codes else max(codes))
