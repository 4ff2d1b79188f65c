"""From a name to a profile: the search path, `extends`, what the environment and options add, and who said what.

Weak to strong: the defaults of the model, the profiles that are extended, the profile, the environment, options.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pydantic import ValidationError

from filewatcher.errors import Refused
from filewatcher.profiles.complaints import complaints
from filewatcher.profiles.model import VERSION, Profile
from filewatcher.profiles.tree import Node, Origin, parse, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SHIPPED = Path(__file__).parents[2] / "cluster_profiles"
"""The profiles that come with filewatcher; beside the package, in a source tree as in an installation."""
DEFAULT = "local"
"""The profile where none is asked for."""

Place: TypeAlias = tuple[str, ...]
"""Where a value is in a profile: ``("slurm", "partition")``."""


@dataclass(frozen=True, slots=True)
class Override:
    """One value from the environment or the command line."""

    key: str
    """``slurm.partition``."""
    text: str
    """As it would stand in YAML after the colon."""
    source: str
    """``environment variable NAME`` or ``--set``."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A profile, and where each of its values comes from."""

    name: str
    profile: Profile
    files: tuple[Path, ...]
    """The profile's own, then what it extends, in that order."""
    origins: Mapping[Place, Origin]
    """Of every value that is not a default of the model."""


@dataclass(frozen=True, slots=True)
class SearchPath:
    """The folders with profiles, from weak to strong; a profile in a stronger one hides its namesake."""

    folders: tuple[Path, ...]

    def names(self) -> dict[str, Path]:
        """All profiles that can be asked for by name, by name."""
        found = {path.stem: path for folder in self.folders for path in sorted(folder.glob("*.yaml"))}
        return dict(sorted(found.items()))

    def find(self, word: str, *, beside: Path | None = None, wanted_by: Origin | None = None) -> Path:
        """Find a profile by name or path; `beside` is the file that extends it. Raises `Refused`.

        A path is relative to that file. A file that extends its own name means the one that it hides.
        """
        by = "" if wanted_by is None else f"{wanted_by}: extends: "
        if "/" in word or word.endswith((".yaml", ".yml", ".json")):
            path = Path(word) if word[:2] != "~/" else Path.home() / word[2:]
            path = path if beside is None else beside.parent / path
            if not _is_there(path):
                raise Refused(f"{by}{word}: there is no such file; a name without / is looked up ({self._told()})")
            return path
        folders = self.folders
        if beside is not None and beside.stem == word and beside.parent in folders:
            folders = folders[: folders.index(beside.parent)]
        for folder in reversed(folders):
            if _is_there(path := folder / f"{word}.yaml"):
                return path
        known = list(self.names())
        near = difflib.get_close_matches(word, known, 1)
        meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise Refused(f"{by}there is no profile {word!r} in {self._told()}: {meant}")

    def _told(self) -> str:
        return ", ".join(map(str, reversed(self.folders)))


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise Refused(f"profile {path} cannot be looked for: {error.strerror}") from error


def load(word: str, search: SearchPath, overrides: Sequence[Override] = ()) -> Loaded:
    """Load the profile with this name or path. Raises `Refused`: a line per fault, each with place and way out."""
    path = search.find(word)
    root, files = _extended(path, search, ())
    for override in overrides:
        root = merge(root, _grafted(override))
    nodes = dict(_nodes(root))
    try:
        profile = Profile.model_validate(root.plain())
    except ValidationError as error:
        raise Refused("\n".join(complaints(error, nodes, str(path)))) from error
    return Loaded(path.stem, profile, files, {place: node.origin for place, node in nodes.items()})


def _extended(path: Path, search: SearchPath, below: tuple[Path, ...]) -> tuple[Node, tuple[Path, ...]]:
    """Read a file and all that it extends; `below` are the files that led here."""
    root = read(path)
    assert isinstance(root.value, dict)
    _check_version(root.value, path)
    own = {key: node for key, node in root.value.items() if key != "extends"}
    extends = root.value.get("extends")
    if extends is None or extends.value is None:
        return Node(own, root.origin), (path,)
    if not isinstance(extends.value, str):
        raise Refused(f"{extends.origin}: extends: one name or path, no list and no section")
    parent = search.find(extends.value, beside=path, wanted_by=extends.origin)
    chain = (*below, path)
    if any(parent.samefile(one) for one in chain):
        circle = " -> ".join(str(one) for one in (*chain, parent))
        raise Refused(f"{extends.origin}: extends goes round in a circle: {circle}: remove one of these lines")
    base, files = _extended(parent, search, chain)
    assert isinstance(base.value, dict)
    inherited = {key: node for key, node in base.value.items() if key != "description"}
    return merge(Node(inherited, base.origin), Node(own, root.origin)), (path, *files)


def _check_version(section: dict[str, Node], path: Path) -> None:
    version = section.get("version")
    if version is None:
        raise Refused(f"{path}:1: version is missing: write version: {VERSION} as the first line")
    if version.value != str(VERSION):
        raise Refused(
            f"{version.origin}: version: {version.plain()!r} is not known to this filewatcher: "
            f"write version: {VERSION}, or install the filewatcher that the file was written for"
        )


def merge(base: Node, over: Node) -> Node:
    """Lay `over` on `base`: sections key by key, texts and lists whole; None forgets what was below.

    >>> here = Origin("here")
    >>> low = Node({"a": Node("1", here), "b": Node("2", here)}, here)
    >>> merge(low, Node({"b": Node(None, here), "c": Node("3", here)}, here)).plain()
    {'a': '1', 'c': '3'}
    """
    if not isinstance(over.value, dict):
        return over
    merged = dict(base.value) if isinstance(base.value, dict) else {}
    for key, node in over.value.items():
        if node.value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged[key], node) if key in merged else merge(Node({}, node.origin), node)
    return Node(merged, over.origin)


def _grafted(override: Override) -> Node:
    """Make a tree that holds one value only."""
    origin = Origin(override.source)
    if override.key == "extends":
        raise Refused(f"{override.source}: only a file can extend another: ask for that profile, or write a file")
    node = parse(override.text, override.source, lines=False)
    for part in reversed(override.key.split(".")):
        if not part:
            raise Refused(f"{override.source}: {override.key!r} is no key: write section.key, as slurm.partition")
        node = Node({part: node}, origin)
    return node


def _nodes(node: Node, place: Place = ()) -> Iterator[tuple[Place, Node]]:
    yield place, node
    match node.value:
        case dict() as section:
            for key, inner in section.items():
                yield from _nodes(inner, (*place, key))
        case list() as items:
            for index, inner in enumerate(items):
                yield from _nodes(inner, (*place, str(index)))
