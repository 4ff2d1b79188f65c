"""``--dry-run``: what watch or reprocess would do, without starting, reading or writing anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from filewatcher.cli.collecting import folders
from filewatcher.cli.collecting.collect import order_of
from filewatcher.cli.collecting.placing import is_there
from filewatcher.cli.collecting.profiles import chosen
from filewatcher.cli.profile import script, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filewatcher.cli.collecting.wishes import Wishes


def dry_run(wishes: Wishes) -> int:
    """Print the plan, and the script of a job where there are jobs; returns the exit code. Raises `Refused`."""
    (order, _), loaded = order_of(wishes), chosen(wishes)
    output = wishes.output or folders.default_folder(wishes.master)
    folders.refuse_raw(output, [str(wishes.master)], "output", "give a folder elsewhere with --output")
    plan: dict[str, Any] = {
        "master": str(wishes.master),
        "there": is_there(wishes.master),
        "output": str(output.absolute()),
        "engine": order.engine,
        "parameters": dict(order.parameters),
        "profile": loaded.name,
        "plan": dict(told(loaded)),
        "script": script(loaded),
    }
    if wishes.as_json:
        typer.echo(json.dumps({"type": "plan", **plan}))
    else:
        for subject, words in _lines(plan, wishes):
            typer.echo(f"{subject:<10} {words}")
        if plan["script"]:
            typer.echo(f"\n{plan['script']}", nl=False)
    return 0


def _lines(plan: dict[str, Any], wishes: Wishes) -> Iterator[tuple[str, str]]:
    yield "master", plan["master"] + ("" if plan["there"] else ", not there yet")
    yield "output", plan["output"] + ("" if wishes.output else ", or numbered if that holds another run")
    yield "engine", plan["engine"]
    yield "parameters", " ".join(wishes.words) or "defaults"
    yield "profile", plan["profile"]
    yield from plan["plan"].items()
