"""A YAML file as a tree of texts, each with the line that it stands on.

Strict where YAML is generous: a key that comes twice, an alias, a tag, a key without a value are errors. Nothing is
converted: the model knows what a text means. ``null`` and ``~`` mean: forget what was inherited.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import yaml

from filewatcher.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

BIGGEST = 1 << 20
"""Bytes: what is larger is no profile."""
DEEPEST = 10
"""Levels: a profile has four."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from."""

    source: str
    """A file, an environment variable or an option."""
    line: int = 0
    """From 1; 0 = it has no lines."""

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


@dataclass(frozen=True, slots=True)
class Node:
    """A text, a list or a section, with its origin; None = forget what was inherited."""

    value: Value
    origin: Origin = field(compare=False)

    def plain(self) -> object:
        """Return what it holds without origins."""
        match self.value:
            case dict() as section:
                return {key: node.plain() for key, node in section.items()}
            case list() as items:
                return [node.plain() for node in items]
            case text:
                return text


Value: TypeAlias = "str | list[Node] | dict[str, Node] | None"


def read(path: Path) -> Node:
    """Read a file; the root is a section. Raises `Refused` with file, line and way out."""
    try:
        if path.is_dir():
            raise Refused(f"{path} is a folder: give the profile file in it")
        if not path.is_file():
            raise Refused(f"{path}: there is no such file")
        if path.stat().st_size > BIGGEST:
            raise Refused(f"{path} has {path.stat().st_size >> 20} MiB: that is no profile")
        raw = path.read_bytes()
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = Origin(str(path), raw[: error.start].count(b"\n") + 1)
        raise Refused(f"{where}: byte 0x{raw[error.start]:02x} is not UTF-8: save the file as UTF-8") from error
    root = parse(text, str(path))
    if not isinstance(root.value, dict):
        raise Refused(f"{root.origin}: a profile is made of lines `key: value`, as in cluster_profiles/local.yaml")
    return root


def parse(text: str, source: str, *, lines: bool = True) -> Node:
    """Parse the text of a file, or of a single value (`lines` False). Raises `Refused`."""
    try:
        _check_events(text, source, lines=lines)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Origin(source, mark.line + 1 if mark and lines else 0)
        raise Refused(f"{where}: {_problem(error, text)}") from error
    except yaml.reader.ReaderError as error:
        where = Origin(source, text[: error.position].count("\n") + 1 if lines else 0)
        raise Refused(
            f"{where}: the sign {chr(error.character)!r} does not belong in a text file: remove it"
        ) from error
    if root is None:
        least = "write version: 1 and what is to differ from cluster_profiles/local.yaml"
        raise Refused(f"{source} is empty: {least}" if lines else f"{source}: there is no value: give one")
    return _node(root, source, lines=lines)


def _problem(error: yaml.MarkedYAMLError, text: str) -> str:
    problem = error.problem or "not understood"
    if "'\\t'" in problem or (error.problem_mark and _tab_before(text, error.problem_mark.line)):
        return "a tab: YAML indents with spaces"
    if "single document" in f"{error.context} {problem}":
        return "a second document begins here: a profile is one, remove the ---"
    if "mapping values are not allowed" in problem:
        return "a colon where none can be: is the line indented like its neighbours, or a quote missing?"
    return f"not YAML: {problem}: check the indentation, quotes and brackets there"


def _tab_before(text: str, line: int) -> bool:
    found = text.splitlines()[line : line + 1]
    return bool(found) and "\t" in found[0][: len(found[0]) - len(found[0].lstrip())]


def _check_events(text: str, source: str, *, lines: bool) -> None:
    """Refuse what a profile does not need, before a tree is built of it: aliases can make it endless."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        where = Origin(source, event.start_mark.line + 1 if lines else 0)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise Refused(f"{where}: anchors (&) and aliases (*) are not understood: write it out, or use extends")
        if isinstance(event, yaml.NodeEvent) and getattr(event, "tag", None):
            raise Refused(f"{where}: tags ({event.tag}) are not understood: remove it")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise Refused(f"{where}: more than {DEEPEST} levels: a profile has sections, keys and lists")


def _node(node: yaml.Node, source: str, *, lines: bool, line: int | None = None) -> Node:
    at = node.start_mark.line + 1 if line is None else line
    origin = Origin(source, at if lines else 0)
    match node:
        case yaml.MappingNode():
            return Node(_section(node, source, lines=lines), origin)
        case yaml.SequenceNode():
            return Node([_node(item, source, lines=lines) for item in node.value], origin)
        case _:
            if node.style is None and not node.value:
                raise Refused(f"{origin}: a value is missing: give one, remove the line, or write null for the default")
            return Node(None if node.style is None and node.value in {"~", "null"} else node.value, origin)


def _section(node: yaml.MappingNode, source: str, *, lines: bool) -> dict[str, Node]:
    section: dict[str, Node] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        where = Origin(source, line if lines else 0)
        if not isinstance(key, yaml.ScalarNode):
            raise Refused(f"{where}: a list or section cannot be a key: write `key: value`")
        if key.value in section:
            first = section[key.value].origin.line
            raise Refused(f"{where}: {key.value} is there already, on line {first}: keep one of them")
        section[key.value] = _node(value, source, lines=lines, line=line)
    return section
