"""``serve``: the daemon, triggered over HTTP or by new files; ``config``: how it is set up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE.yaml", help="How it is set up.", show_default="/etc/filewatcher/serve.yaml"),
]
Host = Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="0 = any that is free.", show_default="8765")]
Root = Annotated[
    list[Path] | None, typer.Option(help="Folder in which masters may be; repeatable.", show_default="everywhere")
]
Tokens = Annotated[Path | None, typer.Option(help="File with 'control TOKEN' and 'read TOKEN', mode 0600.")]
Results = Annotated[Path | None, typer.Option(help="Folder for results.", show_default="in the state directory")]
Profile = Annotated[
    str | None, typer.Option(metavar="NAME|PATH", help="Where workers run.", show_default="local: this machine")
]
Watched = Annotated[
    list[Path] | None,
    typer.Option("--watch-directory", metavar="DIR", help="A new master there starts a collection; repeatable."),
]
Zocalo = Annotated[
    str | None, typer.Option(metavar="QUEUE", help="Of RabbitMQ: its messages start collections.", show_default="none")
]

app = typer.Typer(help="How the daemon is set up.", no_args_is_help=True)


def serve(
    config: ConfigFile = None,
    host: Host = None,
    port: Port = None,
    root: Root = None,
    tokens: Tokens = None,
    results: Results = None,
    profile: Profile = None,
    watch_directory: Watched = None,
    zocalo: Zocalo = None,
) -> None:
    """Serve collections to whoever asks for them over HTTP, and a page to watch them."""
    from filewatcher.serveconfig import load  # noqa: PLC0415  heavy: --help must not wait for it

    changes: dict[str, Any] = {"tokens": tokens, "results": results, "profile": profile}
    changes |= {"roots": root or None, "listen": {"host": host, "port": port}}
    changes["watch_directories"] = [{"folder": folder} for folder in watch_directory or ()] or None
    changes["zocalo"] = None if zocalo is None else {"queue": zocalo}
    changes["listen"] = {key: value for key, value in changes["listen"].items() if value is not None} or None
    found = load(config, {key: value for key, value in changes.items() if value is not None})
    from filewatcher.cli.serving.server import run  # noqa: PLC0415

    raise typer.Exit(run(found))


@app.command("show")
def show(config: ConfigFile = None) -> None:
    """Check a configuration, and print it with its defaults."""
    import yaml  # noqa: PLC0415

    from filewatcher.serveconfig import load  # noqa: PLC0415

    typer.echo(yaml.safe_dump(load(config).model_dump(mode="json"), sort_keys=False), nl=False)


@app.command("schema")
def schema() -> None:
    """Print the JSON schema of a configuration, for editors."""
    from filewatcher.serveconfig import ServeConfig  # noqa: PLC0415

    typer.echo(json.dumps(ServeConfig.model_json_schema(), indent=1))
