"""``status`` and ``cancel``: what a daemon is doing, and that it stops doing it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from filewatcher.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filewatcher.edges.client import Daemon

Which = Annotated[str | None, typer.Argument(metavar="ID", help="A collection.", show_default="all of them")]
One = Annotated[str, typer.Argument(metavar="ID", help="A collection.")]
Url = Annotated[
    str | None, typer.Option(metavar="URL", help="Of the daemon.", show_default="FILEWATCHER_URL, or the one here")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, as the daemon answers.")]


def status(collection: Which = None, url: Url = None, as_json: AsJson = False) -> None:
    """Say what a daemon is doing: all collections, or one of them."""
    daemon = reach(url)
    found = daemon.list(limit=50) if collection is None else daemon.get(collection)
    if as_json:
        typer.echo(json.dumps(found))
        return
    for line in _table(found["collections"]) if collection is None else _told(found):
        typer.echo(line)


def cancel(collection: One, url: Url = None, as_json: AsJson = False) -> None:
    """Stop the analysis of a collection; what is there is kept."""
    found = reach(url).cancel(collection)
    typer.echo(json.dumps(found) if as_json else f"{found['id']} {found['state']}")


def reach(url: str | None) -> Daemon:
    """Find the daemon: as asked, as the environment says, or the one of this state directory."""
    from filewatcher.config import read_settings  # noqa: PLC0415  heavy: --help must not wait for it
    from filewatcher.edges.client import Daemon  # noqa: PLC0415

    settings = read_settings()
    if (found := url or settings.filewatcher_url) is None:
        try:
            found = str(json.loads((settings.state_dir / "service.json").read_text())["url"])
        except (OSError, ValueError, KeyError) as error:
            raise Unreachable(f"no daemon has served {settings.state_dir}: start one, or give --url") from error
    return Daemon(found, settings.filewatcher_token)


def _table(collections: list[dict[str, Any]]) -> Iterator[str]:
    yield f"{'ID':12}  {'STATE':9}  {'DONE':>7} {'FAILED':>6} {'MISSING':>7} {'OF':>7}  MASTER"
    for one in collections:
        counts = [sum(scan[key] or 0 for scan in one["scans"]) for key in ("done", "failed", "missing", "frames")]
        done, failed, missing, frames = counts
        master = one["masters"][0] if one["masters"] else f"data collection {one['dcid']}"
        more = f" and {len(one['masters']) - 1} more" if len(one["masters"]) > 1 else ""
        yield f"{one['id']:12}  {one['state']:9}  {done:7} {failed:6} {missing:7} {frames:7}  {master}{more}"


def _told(one: dict[str, Any]) -> Iterator[str]:
    yield f"collection  {one['id']}"
    yield f"state       {one['state']}" + (f": {one['reason']}" if one["reason"] else "")
    yield f"asked for   {one['created']} by {one['origin']}"
    if one["ended"]:
        yield f"ended       {one['ended']}"
    yield f"engine      {one['engine']}"
    for scan in one["scans"]:
        frames = f"{scan['done']} analysed, {scan['failed']} failed, {scan['missing']} missing, {scan['behind']} behind"
        yield f"scan {scan['scan']}      {scan['master']}: {frames} of {scan['frames']}"
    for warning in one["warnings"]:
        yield f"warning     {warning}"
    if one["results"]:
        yield f"results     {one['results']}"
