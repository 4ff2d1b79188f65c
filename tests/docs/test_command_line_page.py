"""The page of the command line says what ``--help`` says: the same commands, arguments, options and defaults."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer.core
import typer.main

from filewatcher.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (Path(__file__).parents[2] / "docs/reference/command-line.rst").read_text()
LIKE = re.compile(r"The options of ``(\w+)`` but ((?:``--[\w-]+``(?:,| and)?\s)+)")


WHOLE = typer.main.get_command(app)


def all_commands() -> Iterator[tuple[str, typer.core.TyperCommand]]:
    assert isinstance(WHOLE, typer.core.TyperGroup)
    for name, one in WHOLE.commands.items():
        inner = one.commands if isinstance(one, typer.core.TyperGroup) else {"": one}
        for word, command in inner.items():
            assert isinstance(command, typer.core.TyperCommand)
            yield f"{name} {word}".strip(), command


COMMANDS = dict(all_commands())


def sections() -> Iterator[str]:
    """Headings with what is below them."""
    starts = [found.start() for found in re.finditer(r"^``filewatcher .*\n-+$", PAGE, flags=re.MULTILINE)]
    for start, end in zip(starts, [*starts[1:], len(PAGE)], strict=True):
        yield PAGE[start:end]


SECTIONS = list(sections())


def told(section: str) -> list[str]:
    """The commands that a section is about, in its heading or as terms, with their arguments."""
    return re.findall(
        r"``filewatcher (.+?)``(?=,|\n)", "\n".join(re.findall(r"^``filewatcher.*\n", section, re.MULTILINE))
    )


def usage(name: str) -> str:
    words = [name]
    for parameter in COMMANDS[name].params:
        if parameter.param_type_name == "argument":
            word = f"{parameter.metavar}" if parameter.required else f"[{parameter.metavar}]"
            words.append(word + ("..." if parameter.nargs == -1 else ""))
    return " ".join(words)


def options(command: typer.core.TyperCommand | typer.core.TyperGroup) -> set[str]:
    both = [option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)]
    return {option for option in both if option.startswith("--") and option != "--help"}


def explained(section: str) -> set[str]:
    """The options that a section explains: its terms, or those of another command but a few."""
    if (like := LIKE.search(section)) is not None:
        return options(COMMANDS[like[1]]) - set(re.findall(r"--[\w-]+", like[2]))
    return set(re.findall(r"--[\w-]+", "".join(re.findall(r"^``--.*\n", section, flags=re.MULTILINE))))


def about(name: str) -> str:
    return next(section for section in SECTIONS if usage(name) in told(section))


def test_every_command_has_its_place_with_its_arguments() -> None:
    here = [name for section in SECTIONS for name in told(section) if name != "profile"]
    assert sorted(here) == sorted(map(usage, COMMANDS))


def test_the_options_of_the_program_itself_come_first() -> None:
    assert isinstance(WHOLE, typer.core.TyperGroup)
    before = PAGE[: PAGE.index(SECTIONS[0])]
    assert set(re.findall(r"``filewatcher (--\w+)``", before)) == options(WHOLE)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: told(section)[0].partition(" ")[0])
def test_a_section_explains_the_options_that_its_commands_have_and_no_others(section: str) -> None:
    commands = [command for name, command in COMMANDS.items() if usage(name) in told(section)]
    assert explained(section) == set().union(*map(options, commands))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_default_is_told(name: str) -> None:
    section = about("watch" if LIKE.search(about(name)) else name)
    for parameter in COMMANDS[name].params:
        value = parameter.default
        if isinstance(value, str | float | int) and not isinstance(value, bool):
            word = value if isinstance(value, str) else f"{value:g}"
            assert re.search(rf"(?<![\w.]){re.escape(word)}(?![\w.]\w)", section), f"{parameter.name}: {word}"
