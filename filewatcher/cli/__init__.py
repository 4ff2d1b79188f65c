"""Commands: the only place that builds real edges (composition root).

Heavy imports happen inside the commands, so that ``--help`` answers at once. Exit codes: 0 all done, 1 failure,
2 usage or configuration, 3 finished with failed or missing frames, 4 daemon or cluster unreachable, 130 interrupted.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from filewatcher.built import check_built
from filewatcher.cli import centre, demo, doctor, export, inspect, profile, remote, serve, simulate, spots, watch
from filewatcher.errors import FilewatcherError

app = typer.Typer(
    help="Live analysis of X-ray diffraction images while the detector is still writing them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"filewatcher {version('filewatcher')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Say which one this is.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """Options of the program itself."""


app.command("watch")(watch.watch)
app.command("reprocess")(watch.reprocess)
app.command("inspect")(inspect.inspect)
app.command("spots")(spots.spots)
app.command("centre")(centre.centre)
app.command("export")(export.export)
app.command("serve")(serve.serve)
app.command("status")(remote.status)
app.command("cancel")(remote.cancel)
app.add_typer(serve.app, name="config")
app.command("simulate")(simulate.simulate)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.add_typer(profile.app, name="profile")


def main() -> None:
    """Entry point: runs a command; a user never sees a traceback (unless FILEWATCHER_DEBUG asks for it)."""
    try:
        check_built()
        app()
    except FilewatcherError as error:
        sys.exit(_say(str(error), error.exit_code))
    except Exception as error:  # the boundary of the program
        if _debugging():
            raise
        what = f"{type(error).__name__}: {error}"
        sys.exit(_say(f"this is a fault of filewatcher: {what} (FILEWATCHER_DEBUG=1 shows where)", 1))


def _debugging() -> bool:
    from filewatcher.config import read_settings  # noqa: PLC0415  heavy: --help must not wait for it

    try:
        return read_settings().filewatcher_debug
    except FilewatcherError:  # of the environment; what happened is told first
        return False


def _say(sentence: str, code: int) -> int:
    sys.stderr.write(f"filewatcher: {sentence}\n")
    return code
